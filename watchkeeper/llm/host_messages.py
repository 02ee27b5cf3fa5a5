"""Render the messages of a conversation in the dialect of a host (pure).

Each rule reads a message and those before it, never those after it, so a longer conversation begins
with the same bytes.
Only user messages in a row become one message, the last one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Set
from hashlib import blake2b

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import join_messages
from watchkeeper.llm.host_dialect import Dialect

READ_RESULTS = "I have read the results."
"""The assistant message that separates a user message from the results before it."""

NO_REASONING = " "
"""For a call without recorded reasoning: Moonshot takes an empty text for a missing one."""

NO_SIGNATURE = "skip_thought_signature_validator"
"""Google's value for calls that another model made."""

STRICT_CALL_ID = re.compile("[a-zA-Z0-9]{9}")
"""The ids of Mistral, the strictest host: others allow more characters, or more kinds of them."""

_KNOWN_FIELDS = {"role", "content", "tool_calls", "name"}
_KNOWN_CALL_FIELDS = {"id", "type", "function"}
_KNOWN_FUNCTION_FIELDS = {"name", "arguments"}


def render_messages(joined: bytes, dialect: Dialect) -> bytes:
    """Return joined messages as the host accepts them."""
    if not dialect.changes_messages:
        return joined
    return join_messages(_rendered(parse_messages(joined), dialect))


def parse_messages(joined: bytes) -> list[JsonObject]:
    """Return joined messages as objects."""
    messages: list[JsonObject] = json.loads(b"[" + joined + b"]")
    return messages


def added_fields(message: JsonObject) -> list[str]:
    """Return the fields of a message and of its calls that only some hosts know."""
    calls = message.get("tool_calls", ())
    return [
        *(name for name in message if message["role"] == "assistant" and name not in _KNOWN_FIELDS),
        *(name for call in calls for name in call if name not in _KNOWN_CALL_FIELDS),
        *(name for call in calls for name in call["function"] if name not in _KNOWN_FUNCTION_FIELDS),
    ]


def needs_reasoning(message: JsonObject) -> bool:
    """Return whether a message has calls but no reasoning."""
    return bool(message.get("tool_calls")) and not message.get("reasoning_content")


def needs_signature(message: JsonObject) -> bool:
    """Return whether the first call of a message has no signature of its thought."""
    calls = message.get("tool_calls")
    return calls is not None and "extra_content" not in calls[0]


def _rendered(messages: Iterable[JsonObject], dialect: Dialect) -> Iterator[JsonObject]:
    refused = dialect.refused
    if "a system message" in refused:
        messages = _without_system(messages)
    messages = (_with_known_fields(message, dialect) for message in messages)
    if dialect.call_id_prefix or "call ids of other hosts" in refused:
        messages = _with_strict_ids(messages, dialect.call_id_prefix)
    if "several calls in a message" in refused:
        messages = _one_call_each(messages)
    if "null content" in refused:
        messages = (_without_null(message, keep="empty content" not in refused) for message in messages)
    if "a user message after a tool message" in refused:
        messages = _alternating(messages)
    return iter(messages)


def _without_system(messages: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Put the system prompt into the user message after it."""
    prompt = ""
    for message in messages:
        if message["role"] == "system":
            prompt += f"{message['content']}\n\n"
            continue
        yield {**message, "content": prompt + message["content"]} if prompt else message
        prompt = ""


def _with_known_fields(message: JsonObject, dialect: Dialect) -> JsonObject:
    if message["role"] != "assistant":
        return message
    only_known = "added fields of messages" in dialect.refused
    left_out = dialect.unknown_fields | (set(added_fields(message)) if only_known else set())
    kept = _without(message, left_out)
    calls = [
        _without(call | {"function": _without(call["function"], left_out)}, left_out)
        for call in kept.get("tool_calls", ())
    ]
    if calls:
        kept["tool_calls"] = calls
    if "calls without reasoning_content" in dialect.refused and needs_reasoning(kept):
        reasoning = message.get("reasoning")
        kept["reasoning_content"] = reasoning if isinstance(reasoning, str) and reasoning else NO_REASONING
    if "calls without a thought_signature" in dialect.refused and needs_signature(kept):
        calls[0] = {**calls[0], "extra_content": {"google": {"thought_signature": NO_SIGNATURE}}}
    return kept


def _without(fields: JsonObject, left_out: Set[str]) -> JsonObject:
    return {name: value for name, value in fields.items() if name not in left_out}


def _with_strict_ids(messages: Iterable[JsonObject], prefix: str) -> Iterator[JsonObject]:
    number, renamed = 0, dict[str, str]()
    for message in messages:
        if calls := message.get("tool_calls"):
            renamed = {call["id"]: _strict_id(call["id"], number + place, prefix) for place, call in enumerate(calls)}
            number += len(calls)
            yield {**message, "tool_calls": [{**call, "id": renamed[call["id"]]} for call in calls]}
        elif message["role"] == "tool":
            yield {**message, "tool_call_id": renamed[message["tool_call_id"]]}
        else:
            yield message


def _strict_id(call_id: str, number: int, prefix: str) -> str:
    """Return an id that every host accepts which demands no other prefix: the same for the same call."""
    if call_id.startswith(prefix) and STRICT_CALL_ID.fullmatch(call_id, len(prefix)):
        return call_id
    return prefix + blake2b(f"{number} {call_id}".encode(), digest_size=5).hexdigest()[:9]


def _one_call_each(messages: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Split a message with several calls: each call is followed by its result."""
    waiting: dict[str, JsonObject] = {}
    for message in messages:
        if len(calls := message.get("tool_calls", ())) > 1:
            rest = {**message, "content": None}
            waiting = {
                call["id"]: {**(rest if place else message), "tool_calls": [call]} for place, call in enumerate(calls)
            }
        elif message["role"] == "tool" and message["tool_call_id"] in waiting:
            yield waiting.pop(message["tool_call_id"])
            yield message
        else:
            yield message


def _without_null(message: JsonObject, *, keep: bool) -> JsonObject:
    """Make the content of a message that only holds calls an empty text, or leave it out."""
    if message.get("content", "") is not None:
        return message
    return {name: "" if name == "content" else value for name, value in message.items() if keep or name != "content"}


def _alternating(messages: Iterable[JsonObject]) -> Iterator[JsonObject]:
    """Let no user message follow a result or another user message."""
    last: JsonObject | None = None
    for message in messages:
        if last is None:
            last = message
        elif message["role"] == last["role"] == "user":
            last = {**last, "content": f"{last['content']}\n\n{message['content']}"}
        else:
            yield last
            if message["role"] == "user" and last["role"] == "tool":
                yield {"role": "assistant", "content": READ_RESULTS}
            last = message
    if last is not None:
        yield last
