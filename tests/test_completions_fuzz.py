"""Whatever a host sends becomes a reply that is safe to record and to echo, or a ModelError."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from watchkeeper.completions import MAX_MESSAGE_BYTES, MAX_TEXT_BYTES, read_completion
from watchkeeper.contracts import Reply, digest_of
from watchkeeper.conversation import canonical
from watchkeeper.hosts.calls import MAX_ARGUMENT_BYTES, MAX_CALLS
from watchkeeper.hosts.refusals import ModelError, read_error, read_refusal
from watchkeeper.temporal import DATA_CONVERTER

TOOLS = frozenset({"search_logs", "page_engineer"})
ARGUMENT_TEXTS = [
    "{}",
    "",
    '{"a": 1}',
    '"{\\"a\\": 1}"',
    "{'a': 1}",
    '{"a": NaN}',
    '{"a": 1e999}',
    '{"a"',
    '{"a": "\\ud800"}',
    "[]",
]
SNIPPETS = [
    "Done.",
    "<|tool_calls_section_begin|>",
    "<|tool_calls_section_end|>",
    "<|tool_call_begin|>",
    "<|tool_call_argument_begin|>",
    "<|tool_call_end|>",
    "functions.search_logs:0",
    "<tool_call>",
    "</tool_call>",
    '{"name": "search_logs", "arguments": {}}',
    "```",
    "<think>",
    "</think>",
    "search_logs(",
    *ARGUMENT_TEXTS,
]

texts = st.text(st.characters(codec=None), max_size=20) | st.lists(st.sampled_from(SNIPPETS), max_size=7).map("".join)
scalars = st.none() | st.booleans() | st.integers() | st.integers(-(10**400), 10**400) | st.floats(width=64) | texts
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=12,
)


def shaped(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Objects with some of the fields and some unknown ones; now and then something else altogether."""
    known = st.fixed_dictionaries({}, optional=fields)
    unknown = st.dictionaries(texts, anything, max_size=2)
    objects = st.builds(lambda some, more: more | some, known, unknown)
    return st.integers(0, 9).flatmap(lambda chance: anything if chance == 0 else objects)


names = st.sampled_from(["search_logs", "functions.page_engineer:3", "find_bugs", "__import__", ""]) | anything
ids = st.sampled_from(["functions.search_logs:0", "functions.search_logs:1", "a", "x" * 300]) | anything
functions = shaped(name=names, arguments=st.sampled_from(ARGUMENT_TEXTS) | anything)
calls = shaped(id=ids, type=anything, function=functions, extra_content=anything, index=anything)
messages = shaped(
    role=anything,
    content=texts | st.lists(shaped(type=st.just("text") | anything, text=texts), max_size=3) | anything,
    tool_calls=st.lists(calls, max_size=4) | calls.map(lambda call: [call] * (MAX_CALLS + 3)) | anything,
    function_call=functions,
    reasoning_content=texts | anything,
    reasoning=texts | anything,
    refusal=anything,
    annotations=anything,
)
usages = shaped(
    prompt_tokens=anything,
    completion_tokens=anything,
    cached_tokens=anything,
    prompt_tokens_details=shaped(cached_tokens=anything),
    completion_tokens_details=shaped(reasoning_tokens=anything),
)
errors = shaped(message=texts, code=scalars, type=scalars, status=scalars, metadata=shaped(raw=anything))
choices = shaped(
    message=messages,
    finish_reason=st.sampled_from(["stop", "length", "tool_calls", "content_filter"]) | anything,
    error=errors,
    usage=usages,
)
completions = shaped(
    id=anything,
    model=anything,
    choices=st.lists(choices, min_size=1, max_size=2) | anything,
    usage=usages,
    error=errors,
)
likely = st.builds(
    lambda message, usage: {"choices": [{"message": message, "finish_reason": "stop"}], "usage": usage},
    messages,
    usages,
)


def encoded(value: object) -> bytes:
    return json.dumps(value).encode()


def assert_safe(reply: Reply, *, tools_allowed: bool) -> None:
    message = reply.message
    calls = message.get("tool_calls", [])
    wire = canonical(message)
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
    assert len(reply.text.encode()) <= MAX_TEXT_BYTES + 100

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


def assert_recordable(reply: Reply) -> None:
    """A reply is the same after it went through a history, to the byte where bytes are what is digested."""
    converter = DATA_CONVERTER.payload_converter
    (recorded,) = converter.from_payloads(converter.to_payloads([reply]), [Reply])
    assert recorded == reply
    assert digest_of(canonical(recorded.message)) == reply.digest
    fields = reply.model_dump(exclude_unset=True)
    defaults = {name: field.get_default(call_default_factory=True) for name, field in Reply.model_fields.items()}
    assert all(value != defaults[name] for name, value in fields.items())


def read(body: bytes, *, tools_allowed: bool) -> None:
    try:
        reply = read_completion(body, tools=TOOLS, tools_allowed=tools_allowed, prompt_bytes=400)
    except ModelError as error:
        assert_readable(error)
    else:
        assert_safe(reply, tools_allowed=tools_allowed)
        assert_recordable(reply)


def assert_readable(error: ModelError) -> None:
    assert len(str(error).encode()) < 3_000
    assert "\x00" not in str(error)


@given(likely | completions, st.booleans())
@settings(max_examples=400, deadline=None)
@example({"choices": [{"message": {"content": "x", "": {"\x00": [1e308, -0.0, 10**400]}}}]}, True)
def test_any_json(answer: object, tools_allowed: bool) -> None:
    read(encoded(answer), tools_allowed=tools_allowed)


@given(likely, st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_json(answer: object, data: st.DataObject) -> None:
    body = encoded(answer)
    cut = data.draw(st.integers(0, len(body)))
    read(body[:cut] + data.draw(st.binary(max_size=3)) + body[cut + 1 :], tools_allowed=True)


@given(st.binary(max_size=100))
@settings(max_examples=200, deadline=None)
def test_any_bytes(body: bytes) -> None:
    read(body, tools_allowed=True)


@given(st.integers(100, 999), st.dictionaries(texts, texts, max_size=2), completions | errors, st.binary(max_size=9))
@settings(max_examples=200, deadline=None)
def test_any_refusal(status: int, headers: dict[str, str], body: object, more: bytes) -> None:
    assert_readable(read_refusal(status, headers, encoded(body)))
    assert_readable(read_refusal(status, headers, encoded(body) + more))
    assert_readable(read_error(json.loads(encoded(body))))
