from __future__ import annotations

import json
from typing import Any

import pytest

from watchkeeper.llm.tool_calls import (
    MAX_ARGUMENT_BYTES,
    MAX_CALLS,
    InvalidArguments,
    read_arguments,
    read_calls,
    read_name,
)

TOOLS = frozenset({"search_logs", "page_engineer"})


def call(arguments: object = "{}", name: object = "search_logs", **fields: object) -> dict[str, Any]:
    return {"id": "call_1", "type": "function", "function": {"name": name, "arguments": arguments}} | fields


@pytest.mark.parametrize(
    ("raw", "text"),
    [
        ('{"a":1}', '{"a":1}'),
        (' {"b": 1.50,\n "a": "\\u00e9"} ', ' {"b": 1.50,\n "a": "\\u00e9"} '),
        ({"b": "é", "a": [None]}, '{"b":"é","a":[null]}'),
        ("", "{}"),
        (" \n", "{}"),
        (None, "{}"),
        ({}, "{}"),
        ('"{\\"a\\": 1}"', '{"a": 1}'),
        ('{"a":"\\u0000"}', '{"a":"\\u0000"}'),
    ],
)
def test_arguments_are_kept_as_the_model_wrote_them(raw: object, text: str) -> None:
    assert read_arguments(raw) == text


@pytest.mark.parametrize(
    ("raw", "problem"),
    [
        ('{"a":1} and then', "trailing characters.*near '.*and then"),
        ('{"a":1}{"a":2}', "trailing characters"),
        ('```json\n{"a":1}\n```', "expected value"),
        ("{'a':1}", "key must be a string"),
        ('{"a":1', "EOF"),
        ("[1]", "an array, not an object"),
        ("null", "null, not an object"),
        ("true", "a boolean"),
        ("3", "a number"),
        ('"text"', "near 'text'"),
        ('"\\"{}\\""', "a string, not an object"),
        ([1], "an array"),
        (7, "a number"),
        ('{"a":' * 10_000, "recursion limit"),
        ('{"a":%s}' % ("1" * 5_000), "out of range"),
        ('{"a":"\\ud83d"}', "hex escape"),
        ('{"a":"\ud83d"}', "half of a surrogate pair"),
        ('"{\\"a\\":\\"\\u0000\\"}"', "NUL"),
        ({"a": "\ud83d"}, "half of a surrogate pair"),
        ('{"a":NaN}', "expected value"),
        ('{"a":-Infinity}', "invalid number"),
        ({"a": float("nan")}, "expected value"),
        ('{"a":1e999}', "1e999 is out of range"),
        ('{"a":1,"b":{"c":1,"c":2}}', "'c' occurs more than once"),
        ('{"a":"%s"}' % ("x" * MAX_ARGUMENT_BYTES), "at most 65536"),
        (json.loads('{"a":' * 100 + "1" + "}" * 100), "nested too deeply"),
    ],
    ids=lambda value: ascii(value)[:40],
)
def test_arguments_that_are_not_one_object_are_refused(raw: object, problem: str) -> None:
    with pytest.raises(InvalidArguments, match=problem):
        read_arguments(raw)


def test_an_invalid_call_is_sent_back_without_arguments_and_explained() -> None:
    calls = read_calls([call('{"service": checkout}'), call(id="call_2")], TOOLS, cut=False)
    assert calls.calls[0]["function"] == {"name": "search_logs", "arguments": "{}"}
    assert list(calls.problems) == [0]
    assert "arguments of search_logs" in calls.problems[0]
    assert '{"service": checkout}' in calls.problems[0]


def test_the_text_around_an_error_is_quoted() -> None:
    arguments = f'{{"a":"{"é" * 500}",\n"b":"{"ü" * 500}" oops}}'
    assert "oops" in read_calls([call(arguments)], TOOLS, cut=False).problems[0]


def test_arguments_cut_at_the_token_limit_are_reported_as_cut() -> None:
    calls = read_calls([call('{"a":1}'), call('{"service": "check')], TOOLS, cut=True)
    assert list(calls.problems) == [1]
    assert "cut at the token limit" in calls.problems[1]


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("search_logs", "search_logs"),
        ("functions.search_logs", "search_logs"),
        ("functions.search_logs:12", "search_logs"),
        ("search_logs:3", "search_logs"),
        (" search_logs\n", "search_logs"),
    ],
)
def test_names_lose_the_prefix_and_index_of_k2(raw: str, name: str) -> None:
    assert read_name(raw, TOOLS) == (name, None)


@pytest.mark.parametrize(
    ("raw", "echoed"),
    [
        ("find_bugs", "find_bugs"),
        ("functions.find_bugs:1", "find_bugs"),
        ("", "unknown_tool"),
        (None, "unknown_tool"),
        (5, "unknown_tool"),
        ("__import__", "unknown_tool"),
        ("21st_tool", "unknown_tool"),
        ("x" * 65, "unknown_tool"),
        ("search_logs<|channel|>", "unknown_tool"),
        ("search logs", "unknown_tool"),
        ("\ud83d", "unknown_tool"),
    ],
)
def test_an_unknown_name_is_answered_with_the_available_tools(raw: object, echoed: str) -> None:
    name, problem = read_name(raw, TOOLS)
    assert name == echoed
    assert problem is not None and problem.endswith("Available tools: page_engineer, search_logs.")
    problem.encode()


@pytest.mark.parametrize(
    ("received", "expected"),
    [
        (["call_a", "search_logs:58"], ["call_a", "search_logs:58"]),
        ([None, ""], ["functions.search_logs:0", "functions.search_logs:1"]),
        (["a", "a"], ["a", "functions.search_logs:1"]),
        ([7, {"x": 1}], ["functions.search_logs:0", "functions.search_logs:1"]),
        (["x" * 256, "x" * 257], ["x" * 256, "functions.search_logs:1"]),
        (["a\n", "\ud83d"], ["functions.search_logs:0", "functions.search_logs:1"]),
        ([None, "functions.search_logs:0"], ["functions.search_logs:1", "functions.search_logs:0"]),
        (
            ["functions.search_logs:1", "functions.search_logs:1"],
            ["functions.search_logs:1", "functions.search_logs:2"],
        ),
    ],
)
def test_ids_are_kept_or_assigned_in_the_form_of_k2(received: list[object], expected: list[str]) -> None:
    calls = read_calls([call(id=call_id) for call_id in received], TOOLS, cut=False)
    assert [call["id"] for call in calls.calls] == expected
    assert not calls.problems


def test_too_many_calls_are_dropped_and_counted() -> None:
    calls = read_calls([call()] * 14_408, TOOLS, cut=False)
    assert len(calls.calls) == MAX_CALLS
    assert calls.dropped == 14_408 - MAX_CALLS


@pytest.mark.parametrize("entry", ["text", 3, {}, [], {"function": None}, {"function": "search_logs"}])
def test_an_entry_that_is_not_a_call_is_a_problem(entry: object) -> None:
    calls = read_calls([entry], TOOLS, cut=False)
    assert calls.calls[0]["function"] == {"name": "unknown_tool", "arguments": "{}"}
    assert "names no tool" in calls.problems[0]


def test_unknown_fields_of_a_call_are_sent_back() -> None:
    signature = {"google": {"thought_signature": "abc"}}
    entry = call(extra_content=signature, empty=None, type="custom", index=0)
    entry["function"]["partial"] = True
    (normalised,) = read_calls([entry], TOOLS, cut=False).calls
    assert normalised == {
        "id": "call_1",
        "type": "function",
        "function": {"name": "search_logs", "arguments": "{}", "partial": True},
        "extra_content": signature,
        "index": 0,
    }


def test_a_call_without_the_function_object_is_read() -> None:
    (normalised,) = read_calls([{"id": "a", "name": "search_logs", "arguments": {"q": 1}}], TOOLS, cut=False).calls
    assert normalised == {
        "id": "a",
        "type": "function",
        "function": {"name": "search_logs", "arguments": '{"q":1}'},
    }
