"""Tool calls in parts, as known hosts stream them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.streamed_completion import StreamedCompletion


def message_of(*deltas: JsonObject) -> JsonObject:
    completion = StreamedCompletion()
    for delta in deltas:
        completion.add({"choices": [{"index": 0, "delta": delta}]})
    message: JsonObject = json.loads(completion.body())["choices"][0]["message"]
    return message


def part(
    index: object = None, call_id: object = None, name: object = None, arguments: object = None, **fields: Any
) -> JsonObject:
    """One entry of ``tool_calls`` in a delta, without the fields that are None."""
    function = {key: value for key, value in (("name", name), ("arguments", arguments)) if value is not None}
    named = {"index": index, "id": call_id, "function": function or None}
    return {key: value for key, value in named.items() if value is not None} | fields


def calls_of(*parts: object) -> list[tuple[str, str, str]]:
    """Return id, name and arguments of the calls that the parts give, each part in its own delta."""
    calls = message_of(*({"tool_calls": [one]} for one in parts)).get("tool_calls", [])
    return [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls]


A, B = '{"q":"a"}', '{"q":"b"}'
LOOK, PAGE = "search_logs", "page_engineer"

SHAPES: dict[str, tuple[list[JsonObject], list[tuple[str, str, str]]]] = {
    "OpenAI": (
        [part(0, "a", LOOK, ""), part(0, arguments='{"q"'), part(0, arguments=':"a"}')],
        [("a", LOOK, A)],
    ),
    "OpenAI, two calls": (
        [part(0, "a", LOOK, ""), part(0, arguments=A), part(1, "b", LOOK, ""), part(1, arguments=B)],
        [("a", LOOK, A), ("b", LOOK, B)],
    ),
    "Mistral: one delta a call": ([part(0, "a", LOOK, A), part(1, "b", PAGE, B)], [("a", LOOK, A), ("b", PAGE, B)]),
    "interleaved": (
        [
            *(part(0, "a", LOOK, ""), part(1, "b", LOOK, ""), part(1, arguments='{"q"'), part(0, arguments='{"q":')),
            *(part(1, arguments=':"b"}'), part(0, arguments='"a"}')),
        ],
        [("a", LOOK, A), ("b", LOOK, B)],
    ),
    "interleaved, the id in each part": (
        [
            *(part(0, "a", LOOK, ""), part(1, "b", PAGE, ""), part(1, "b", arguments='{"q"')),
            *(part(0, "a", arguments=A), part(1, "b", arguments=':"b"}')),
        ],
        [("a", LOOK, A), ("b", PAGE, B)],
    ),
    "indexes that begin at 1": (
        [part(1, "a", LOOK, ""), part(2, "b", LOOK, ""), part(1, arguments=A), part(2, arguments=B)],
        [("a", LOOK, A), ("b", LOOK, B)],
    ),
    "an index as text": ([part("0", "a", LOOK, ""), part("0", arguments=A)], [("a", LOOK, A)]),
    "MiniMax: id and name in each part": (
        [part(0, "a", LOOK, '{"q"'), part(0, "a", LOOK, ':"a"'), part(0, "a", LOOK, "}"), part(0, "a", LOOK, "")],
        [("a", LOOK, A)],
    ),
    "the name in each part, no id": (
        [part(0, name=LOOK, arguments='{"q":'), part(0, name=LOOK, arguments='"a"}'), part(0, name=LOOK, arguments=B)],
        [("", LOOK, A), ("", LOOK, B)],
    ),
    "LM Studio: a new id in each part": (
        [part(0, "a", LOOK, ""), part(0, "x1", "", '{"q"'), part(0, "x2", "", ':"a"}')],
        [("a", LOOK, A)],
    ),
    "a new id in each part, no index": (
        [part(None, "a", LOOK, ""), part(None, "x1", None, '{"q"'), part(None, "x2", None, ':"a"}')],
        [("a", LOOK, A)],
    ),
    "Ollama: index 0 for each call": (
        [part(0, "a", LOOK, A), part(0, "b", LOOK, B), part(0, "c", PAGE, A)],
        [("a", LOOK, A), ("b", LOOK, B), ("c", PAGE, A)],
    ),
    "Ollama: two equal calls": ([part(0, "a", LOOK, A), part(0, "b", LOOK, A)], [("a", LOOK, A), ("b", LOOK, A)]),
    "index 0 for each call, in parts": (
        [part(0, "a", LOOK, ""), part(0, arguments=A), part(0, "b", LOOK, ""), part(0, "b", LOOK, B)],
        [("a", LOOK, A), ("b", LOOK, B)],
    ),
    "DeepSeek: the second call begins with index 0 and continues with 1": (
        [part(0, "a", LOOK, ""), part(0, arguments=A), part(0, "b", PAGE, ""), part(1, arguments=B)],
        [("a", LOOK, A), ("b", PAGE, B)],
    ),
    "Gemini: whole calls without index": (
        [part(None, "a", LOOK, A), part(None, "b", LOOK, B)],
        [("a", LOOK, A), ("b", LOOK, B)],
    ),
    "Gemini: no index, empty ids": ([part(None, "", LOOK, A), part(None, "", LOOK, B)], [("", LOOK, A), ("", LOOK, B)]),
    "no index, in parts": (
        [part(None, "a", LOOK, ""), part(arguments='{"q"'), part(arguments=':"a"}'), part(None, "b", PAGE, B)],
        [("a", LOOK, A), ("b", PAGE, B)],
    ),
    "LocalAI: one id under several indexes": (
        [part(0, "a", LOOK, ""), part(1, "a", None, '{"q"'), part(2, "a", None, ':"a"}')],
        [("a", LOOK, A)],
    ),
    "the whole call once more": (
        [part(0, "a", LOOK, ""), part(0, arguments=A), part(0, "a", LOOK, A)],
        [("a", LOOK, A)],
    ),
    "the whole call under each index": ([part(0, "a", LOOK, A), part(1, "a", LOOK, A)], [("a", LOOK, A)]),
    "one id for two calls": (
        [part(0, "x", LOOK, ""), part(0, arguments=A), part(1, "x", LOOK, ""), part(1, arguments=B)],
        [("x", LOOK, A), ("x", LOOK, B)],
    ),
    "one id for calls of two tools": ([part(0, "x", LOOK, A), part(1, "x", PAGE, B)], [("x", LOOK, A), ("x", PAGE, B)]),
    "Gemini: a long name in parts": (
        [part(0, "a", "page_", ""), part(0, name="engineer"), part(0, arguments=A)],
        [("a", PAGE, A)],
    ),
    "SGLang: arguments before the name": ([part(0, "a", None, '{"q":'), part(0, None, LOOK, '"a"}')], [("a", LOOK, A)]),
    "arguments as an object": ([part(0, "a", LOOK, {"q": "a"})], [("a", LOOK, A)]),
    "no arguments": ([part(0, "a", LOOK), part(1, "b", PAGE, None)], [("a", LOOK, ""), ("b", PAGE, "")]),
    "fields outside of function": ([{"index": 0, "id": "a", "name": LOOK, "arguments": A}], [("a", LOOK, A)]),
    "numbers that are no index": (
        [part(-1, "a", LOOK, A), part(True, "b", LOOK, B), part(1.5, "c", PAGE, A)],
        [("a", LOOK, A), ("b", LOOK, B), ("c", PAGE, A)],
    ),
    "half of a call": ([part(0, "a", LOOK, ""), part(0, arguments='{"q":"')], [("a", LOOK, '{"q":"')]),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_calls_of_a_host(shape: str) -> None:
    parts, expected = SHAPES[shape]
    assert calls_of(*parts) == expected


@pytest.mark.parametrize("shape", SHAPES)
def test_several_parts_in_one_delta(shape: str) -> None:
    parts, expected = SHAPES[shape]
    calls = message_of({"tool_calls": parts})["tool_calls"]
    assert [(call["id"], call["function"]["name"], call["function"]["arguments"]) for call in calls] == expected


@pytest.mark.parametrize("nothing", [None, [], [None], "x", 7, {}, [{"index": 0}]])
def test_tool_calls_without_a_call(nothing: object) -> None:
    assert message_of({"content": "a", "tool_calls": nothing}) == {"content": "a"}


def test_a_single_call_may_be_an_object() -> None:
    assert message_of({"tool_calls": part(0, "a", LOOK, A)})["tool_calls"][0]["function"] == {
        "name": LOOK,
        "arguments": A,
    }


def test_other_fields_of_a_call_are_kept() -> None:
    """Gemini requires its signature in the next request."""
    signed = {"extra_content": {"google": {"thought_signature": "c2ln"}}, "type": "function"}
    assert message_of(
        {"tool_calls": [part(0, "a", LOOK, "", **signed)]},
        {"tool_calls": [part(0, "a", None, A, type="function", function={"arguments": A, "strict": True})]},
    )["tool_calls"] == [{"id": "a", **signed, "function": {"name": LOOK, "arguments": A, "strict": True}}]


def test_a_legacy_function_call() -> None:
    deltas = [{"function_call": {"name": LOOK, "arguments": ""}}, {"function_call": {"arguments": '{"q"'}}]
    assert message_of(*deltas, {"function_call": {"name": LOOK, "arguments": ':"a"}'}})["function_call"] == {
        "name": LOOK,
        "arguments": A,
    }
