"""Any response becomes a reply that can be recorded and sent back, or a ModelError; `make fuzz` tries more inputs."""

from __future__ import annotations

import json
from collections import Counter
from random import Random
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.host_answers import SEEDS, mutated
from tests.support.reply_safety import assert_readable, read
from watchkeeper.llm.errors import error_from_object, error_from_response
from watchkeeper.llm.tool_calls import MAX_CALLS

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
    """Objects with some of the fields and some unknown ones; sometimes another type of value."""
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
    assert_readable(error_from_response(status, headers, encoded(body)))
    assert_readable(error_from_response(status, headers, encoded(body) + more))
    assert_readable(error_from_object(json.loads(encoded(body))))


@given(st.randoms(use_true_random=True))
@settings(max_examples=1_000, deadline=None)
def test_damaged_real_responses(random: Random) -> None:
    read(mutated(random), tools_allowed=random.random() < 0.8)


def test_real_responses_are_read() -> None:
    outcomes = Counter(read(body, tools_allowed=True) for body in SEEDS)
    assert outcomes == {
        "final": 4,
        "tool_calls": 7,
        "empty": 1,
        "content_filter": 1,
        "context_overflow": 1,
        "unavailable": 5,
    }
