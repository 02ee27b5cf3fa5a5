"""The conversation with the model: append-only, with a chain of digests, each byte recorded once.

A workflow keeps no messages. It keeps the digest of its conversation and the entries that are new since the last
request. A worker process keeps a store, limited in bytes, of conversations ready to send and of the replies and
results that its activities produced. A conversation that is not in the store is rebuilt from the run's history
(``watchkeeper.temporal.history``).

The chain is ``digest(n) = hash(digest(n-1), key(message n))``. The key of a reply is the digest of its canonical
JSON; the key of a result, the digest of its content and of the key of its call; the key of any other message, the
digest of its content. The workflow does not know the contents of results, so the messages alone do not give the digest.
"""

from __future__ import annotations

import json
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from typing import TypeAlias

from watchkeeper.contracts import (
    CarryRequest,
    CompactRequest,
    ConversationEntry,
    JsonObject,
    ModelRequest,
    ReplyRef,
    ResultRef,
    ReviewRequest,
    TextEntry,
    digest_of,
)

ConversationRequest: TypeAlias = ModelRequest | CarryRequest | CompactRequest | ReviewRequest
"""A request that names a conversation: the digest of its base, and the new entries."""

EMPTY_DIGEST = ""
"""The digest of a conversation without messages."""


class ConversationLost(Exception):
    """A part of a conversation is not in the store, or not in the history."""


def canonical_json(value: object) -> bytes:
    """Encode a value as JSON. Equal values give equal bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def extend_digest(base: str, key: str) -> str:
    """Return the digest of a conversation after one more message, which has this key."""
    return digest_of(f"{base}{key}".encode())


def text_key(role: str, content: str) -> str:
    """Return the key of a message that is not a reply."""
    if role == "tool":
        return digest_of(content.encode())
    return digest_of(f"{role}\n{content}".encode())


def message_key(message: JsonObject) -> str:
    """Return the key of a message."""
    if message["role"] == "assistant":
        return digest_of(canonical_json(message))
    return text_key(message["role"], message["content"])


def entry_key(entry: ConversationEntry) -> str:
    """Return the key of the message that an entry represents."""
    match entry:
        case ReplyRef():
            return entry.reply
        case ResultRef():
            return entry.result if entry.call is None else digest_of(f"{entry.call}\n{entry.result}".encode())
        case TextEntry():
            return text_key(entry.role, entry.content)


def extend_digest_by_all(base: str, keys: Iterable[str]) -> str:
    """Return the digest of a conversation after several more messages, which have these keys."""
    for key in keys:
        base = extend_digest(base, key)
    return base


def conversation_digest(messages: Iterable[JsonObject]) -> str:
    """Return the digest of a conversation."""
    return extend_digest_by_all(EMPTY_DIGEST, map(message_key, messages))


class Conversation:
    """The workflow's view: the digest of the last request's conversation, and the entries that are new since."""

    def __init__(self, digest: str) -> None:
        self.digest = digest
        self._new: list[ConversationEntry] = []

    @classmethod
    def of(cls, messages: Sequence[JsonObject]) -> Conversation:
        """Start a conversation with messages."""
        return cls(conversation_digest(messages))

    def append(self, entry: ConversationEntry) -> None:
        """Add an entry."""
        self._new.append(entry)

    def take(self) -> tuple[str, list[ConversationEntry]]:
        """Return the base digest and the new entries. The extended conversation is the next base."""
        taken = (self.digest, self._new)
        self.digest = extend_digest_by_all(self.digest, map(entry_key, self._new))
        self._new = []
        return taken

    def replace(self, digest: str) -> None:
        """Continue from another conversation, without new entries."""
        self.digest, self._new = digest, []


class ConversationStore:
    """A worker's cache of conversations and their parts, limited in bytes; the least recently used are removed first.

    A conversation is kept as joined JSON bytes, so an extension does not encode the old messages again.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._held: OrderedDict[str, bytes] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes in the store."""
        return self._bytes

    def put(self, key: str, content: bytes) -> None:
        """Add content. Removes the least recently used content if the store is full."""
        self.drop(key)
        self._held[key] = content
        self._bytes += len(content)
        while self._bytes > self._max_bytes and len(self._held) > 1:
            _, lost = self._held.popitem(last=False)
            self._bytes -= len(lost)

    def get(self, key: str) -> bytes | None:
        """Return content, or None if the store does not have it."""
        content = self._held.get(key)
        if content is not None:
            self._held.move_to_end(key)
        return content

    def drop(self, key: str) -> None:
        """Remove content."""
        if (content := self._held.pop(key, None)) is not None:
            self._bytes -= len(content)


def append_entries(joined: bytes, append: Sequence[ConversationEntry], part: Callable[[str], bytes]) -> bytes:
    """Return joined messages, extended by new ones.

    ``part`` returns a reply, or the content of a result, by digest. It may raise ``ConversationLost``.
    """
    messages = [joined] if joined else []
    unanswered: list[str] = []
    for entry in append:
        match entry:
            case ReplyRef():
                reply = part(entry.reply)
                messages.append(reply)
                unanswered = [call["id"] for call in json.loads(reply).get("tool_calls", ())]
            case ResultRef():
                content = part(entry.result).decode()
                messages.append(_tool_message(unanswered.pop(0), with_call_key(content, entry.call)))
            case TextEntry(role="tool"):
                messages.append(_tool_message(unanswered.pop(0), entry.content))
            case TextEntry():
                messages.append(canonical_json({"role": entry.role, "content": entry.content}))
    return b",".join(messages)


def with_call_key(content: str, call: str | None) -> str:
    """Return the JSON text of a result with the key of its call in it, so that the model can cite the result."""
    if call is None:
        return content
    key = canonical_json({"call": call}).decode()
    match content:
        case "{}":
            return key
        case str() if content.startswith("{"):
            return f"{key[:-1]},{content[1:]}"
        case _:
            return f'{key[:-1]},"result":{content}}}'


def join_messages(messages: Iterable[JsonObject]) -> bytes:
    """Encode messages as they appear in a request: JSON, joined by commas."""
    return b",".join(map(canonical_json, messages))


def _tool_message(call_id: str, content: str) -> bytes:
    return canonical_json({"role": "tool", "tool_call_id": call_id, "content": content})


def target_digest(request: ConversationRequest) -> str:
    """Return the digest of the conversation that a request names."""
    return extend_digest_by_all(request.base, map(entry_key, request.append))
