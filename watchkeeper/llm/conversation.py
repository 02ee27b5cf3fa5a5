"""The conversation: append-only, digest-chained, each of its bytes recorded once.

A workflow keeps no messages, only the digest of its conversation and what is new since the last request. A worker
process keeps a byte-bounded store of conversations ready to send, and of the replies and results its activities
made. What the store has lost is rebuilt from the run's own history (``watchkeeper.temporal.history``).

The chain: ``digest(n) = hash(digest(n-1), key(message n))``, where a message's key is the digest of what its author
wrote: the canonical bytes of a reply, the content of anything else. The id that ties a result to its call is the
model's own and follows from the position, so a result is known by its content alone.
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
    TextEntry,
    digest_of,
)

ConversationRequest: TypeAlias = ModelRequest | CarryRequest | CompactRequest
"""What names a conversation: the one its base names, and what is new."""

EMPTY_DIGEST = ""
"""The digest of a conversation without messages."""


class ConversationLost(Exception):
    """A part of a conversation is neither in the store nor where it was looked for."""


def canonical_json(value: object) -> bytes:
    """Encode JSON one way only, so that equal values are equal bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode()


def extend_digest(base: str, key: str) -> str:
    """Extend a chain by one message."""
    return digest_of(f"{base}{key}".encode())


def text_key(role: str, content: str) -> str:
    """Key of a message that is not a reply."""
    if role == "tool":
        return digest_of(content.encode())
    return digest_of(f"{role}\n{content}".encode())


def message_key(message: JsonObject) -> str:
    """Key of any message of a conversation."""
    if message["role"] == "assistant":
        return digest_of(canonical_json(message))
    return text_key(message["role"], message["content"])


def entry_key(entry: ConversationEntry) -> str:
    """Key of the message that an entry stands for."""
    match entry:
        case ReplyRef():
            return entry.reply
        case ResultRef():
            return entry.result
        case TextEntry():
            return text_key(entry.role, entry.content)


def extend_digest_by_all(base: str, keys: Iterable[str]) -> str:
    """Extend a chain by several messages."""
    for key in keys:
        base = extend_digest(base, key)
    return base


def conversation_digest(messages: Iterable[JsonObject]) -> str:
    """Name a whole conversation."""
    return extend_digest_by_all(EMPTY_DIGEST, map(message_key, messages))


class Conversation:
    """The workflow's side: what has been put to the model, by digest, and what is new since."""

    def __init__(self, digest: str) -> None:
        self.digest = digest
        self._new: list[ConversationEntry] = []

    @classmethod
    def of(cls, messages: Sequence[JsonObject]) -> Conversation:
        """Begin with messages."""
        return cls(conversation_digest(messages))

    def append(self, entry: ConversationEntry) -> None:
        """Add a message."""
        self._new.append(entry)

    def take(self) -> tuple[str, list[ConversationEntry]]:
        """Return the base and what is new, and make the whole the next base."""
        taken = (self.digest, self._new)
        self.digest = extend_digest_by_all(self.digest, map(entry_key, self._new))
        self._new = []
        return taken

    def replace(self, digest: str) -> None:
        """Go on from another conversation, with nothing new yet."""
        self.digest, self._new = digest, []


class ConversationStore:
    """A worker process's memory of conversations and their parts, bounded in bytes, least recently used out first.

    Conversations are kept as ready-joined JSON, so that extending one neither walks nor encodes what is old.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._bytes = 0
        self._held: OrderedDict[str, bytes] = OrderedDict()

    @property
    def size(self) -> int:
        """Bytes held."""
        return self._bytes

    def put(self, key: str, content: bytes) -> None:
        """Keep a content, at the cost of the least recently used ones."""
        self.drop(key)
        self._held[key] = content
        self._bytes += len(content)
        while self._bytes > self._max_bytes and len(self._held) > 1:
            _, lost = self._held.popitem(last=False)
            self._bytes -= len(lost)

    def get(self, key: str) -> bytes | None:
        """Return a content, or None if it is not held (any more)."""
        content = self._held.get(key)
        if content is not None:
            self._held.move_to_end(key)
        return content

    def drop(self, key: str) -> None:
        """Forget a content."""
        if (content := self._held.pop(key, None)) is not None:
            self._bytes -= len(content)


def append_entries(joined: bytes, append: Sequence[ConversationEntry], part: Callable[[str], bytes]) -> bytes:
    """Return joined messages with new ones behind them.

    ``part`` gives the bytes of a reply or of a result's content by digest, or raises ``ConversationLost``.
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
                messages.append(_tool_message(unanswered.pop(0), part(entry.result).decode()))
            case TextEntry(role="tool"):
                messages.append(_tool_message(unanswered.pop(0), entry.content))
            case TextEntry():
                messages.append(canonical_json({"role": entry.role, "content": entry.content}))
    return b",".join(messages)


def join_messages(messages: Iterable[JsonObject]) -> bytes:
    """Write messages as a request carries them."""
    return b",".join(map(canonical_json, messages))


def _tool_message(call_id: str, content: str) -> bytes:
    return canonical_json({"role": "tool", "tool_call_id": call_id, "content": content})


def target_digest(request: ConversationRequest) -> str:
    """Digest of the conversation that a request asks about."""
    return extend_digest_by_all(request.base, map(entry_key, request.append))
