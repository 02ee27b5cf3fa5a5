"""Assertions that must hold for everything that is read from a host's response."""

from __future__ import annotations

import json

from pydantic_core import from_json

from tests.support.host_answers import TOOLS
from watchkeeper.contracts import JsonObject, ModelReply, digest_of
from watchkeeper.llm.completion import MAX_MESSAGE_BYTES, MAX_TEXT_BYTES, read_completion
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.llm.errors import ModelError
from watchkeeper.llm.tool_calls import MAX_ARGUMENT_BYTES, MAX_CALLS
from watchkeeper.temporal.client import DATA_CONVERTER
from watchkeeper.testing.message_rules import check_messages

USER_MESSAGE = {"role": "user", "content": "Checkout fails."}
_CUT_NOTE = 100


def assert_safe(reply: ModelReply, *, tools_allowed: bool) -> None:
    message = reply.message
    calls = message.get("tool_calls", [])
    wire = canonical_json(message)
    assert len(wire) <= MAX_MESSAGE_BYTES
    assert b"\x00" not in wire
    assert reply.digest == digest_of(wire)
    assert message["role"] == "assistant"
    assert not {"refusal", "annotations", "audio", "function_call"} & message.keys()
    assert all(value is not None for key, value in message.items() if key != "content")

    assert reply.kind == "tool_calls" if calls else reply.kind in {"final", "empty"}
    assert tools_allowed or not calls
    assert message["content"] is None or message["content"].strip()
    assert reply.kind != "final" or any(map(str.isalnum, reply.text))
    assert len(reply.text.encode()) <= MAX_TEXT_BYTES + _CUT_NOTE

    ids = [call["id"] for call in calls]
    assert len(set(ids)) == len(ids) <= MAX_CALLS
    assert all(0 < len(call_id) <= 256 and call_id.isprintable() for call_id in ids)
    for position, call in enumerate(calls):
        assert call["type"] == "function"
        name, arguments = call["function"]["name"], call["function"]["arguments"]
        assert name in TOOLS or position in reply.problems
        assert len(arguments.encode()) <= MAX_ARGUMENT_BYTES
        assert isinstance(from_json(arguments, allow_inf_nan=False), dict)
    assert set(reply.problems) <= set(range(len(calls)))

    usage = reply.usage
    assert 0 <= usage.cached_tokens <= usage.prompt_tokens
    assert 0 <= usage.reasoning_tokens <= usage.completion_tokens
    assert usage.prompt_tokens > 0
    assert usage.cost is None


def assert_echoed(reply: ModelReply) -> None:
    """Assert that the strictest host accepts the message, with a result for each call. Empty ones are never sent."""
    answers = [
        {"role": "tool", "tool_call_id": call["id"], "content": "{}"} for call in reply.message.get("tool_calls", ())
    ]
    if reply.kind != "empty":
        check_messages([USER_MESSAGE, json.loads(canonical_json(reply.message)), *answers, USER_MESSAGE])


def assert_recordable(reply: ModelReply) -> None:
    """Assert that a reply does not change when it is recorded; digested parts keep every byte."""
    converter = DATA_CONVERTER.payload_converter
    (recorded,) = converter.from_payloads(converter.to_payloads([reply]), [ModelReply])
    assert recorded == reply
    assert digest_of(canonical_json(recorded.message)) == reply.digest
    fields = reply.model_dump(exclude_unset=True)
    defaults = {name: field.get_default(call_default_factory=True) for name, field in ModelReply.model_fields.items()}
    assert all(value != defaults[name] for name, value in fields.items())


def read(body: bytes, *, tools_allowed: bool) -> str:
    """Read a response as the model activity does, check every assertion, and return the kind of reply or error."""
    try:
        reply = read_completion(body, tools=TOOLS, tools_allowed=tools_allowed, prompt_bytes=400)
    except ModelError as error:
        assert_readable(error)
        return error.reason
    assert_safe(reply, tools_allowed=tools_allowed)
    assert_echoed(reply)
    assert_recordable(reply)
    return reply.kind


def assert_readable(error: ModelError) -> None:
    assert len(str(error).encode()) < 3_000
    assert "\x00" not in str(error)


def assert_outgoing(messages: list[JsonObject]) -> None:
    """Assert that exactly one result follows each call of an assistant message, in order."""
    position = 0
    while position < len(messages):
        message = messages[position]
        assert message["role"] != "tool", f"an answer to nothing at {position}"
        ids = [call["id"] for call in message.get("tool_calls", ())]
        position += 1
        answers = messages[position : position + len(ids)]
        assert [answer["role"] for answer in answers] == ["tool"] * len(ids)
        assert [answer["tool_call_id"] for answer in answers] == ids
        position += len(ids)
    check_messages(messages)
