from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError

from watchkeeper.tool import Arguments, Service
from watchkeeper.tool_calling.arguments import describe_errors, parse_arguments
from watchkeeper.tool_calling.json_schema import parameter_schema

CATALOGUE = {"service": ["checkout", "payments"]}


class Window(Arguments):
    start: int
    end: int = 0


class Ask(Arguments):
    service: Service = Field(default="checkout", description="Name.")
    text: str = ""
    words: list[str] = Field(default_factory=list)
    window: Window | None = None
    windows: list[Window] = Field(default_factory=list)
    limit: int = Field(default=1, ge=1, le=9)


def read(**arguments: Any) -> Ask:
    return parse_arguments(Ask, json.dumps(arguments), CATALOGUE)


def refuse(text: str) -> dict[str, Any]:
    with pytest.raises(ValidationError) as caught:
        parse_arguments(Ask, text, CATALOGUE)
    return describe_errors(caught.value, parameter_schema(Ask, CATALOGUE))


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"words": '["a", "b"]'}, {"words": ["a", "b"]}),
        ({"window": '{"start": 1}'}, {"window": {"start": 1}}),
        ({"windows": '[{"start": 1}]'}, {"windows": [{"start": 1}]}),
        ({"windows": ['{"start": 1}', {"start": 2}]}, {"windows": [{"start": 1}, {"start": 2}]}),
        ({"words": "[]", "window": '{"start": 1}'}, {"words": [], "window": {"start": 1}}),
    ],
)
def test_a_structure_that_was_encoded_twice_is_decoded(arguments: Any, expected: Any) -> None:
    assert read(**arguments) == Ask.model_validate(expected, context=CATALOGUE)


def test_arguments_encoded_twice_as_a_whole() -> None:
    assert parse_arguments(Ask, json.dumps(json.dumps({"text": "a"})), CATALOGUE).text == "a"


@pytest.mark.parametrize("text", ['["a"]', '{"start": 1}', '"a"', "1", "null"])
def test_a_string_field_is_not_decoded(text: str) -> None:
    assert read(text=text).text == text
    assert read(words=[text]).words == [text]


@pytest.mark.parametrize(
    "arguments",
    [
        {"words": "a"},
        {"words": "[1]"},
        {"words": json.dumps(json.dumps(["a"]))},
        {"window": "[]"},
        {"window": '{"start": 1, "more": 2}'},
        {"window": '{"start": 1} and so on'},
        {"windows": ["1"]},
    ],
)
def test_nothing_else_is_guessed(arguments: Any) -> None:
    with pytest.raises(ValidationError):
        read(**arguments)


@pytest.mark.parametrize(
    ("text", "faults"),
    [
        (
            '{"limit": 99}',
            [
                {
                    "at": "limit",
                    "problem": "Input should be less than or equal to 9",
                    "got": "99",
                    "expected": {"type": "integer", "description": "(default 1).", "minimum": 1, "maximum": 9},
                }
            ],
        ),
        (
            '{"service": "shop"}',
            [
                {
                    "at": "service",
                    "problem": "the catalogue has no such service; the nearest of its 2: checkout, payments",
                    "got": "shop",
                    "expected": {
                        "type": "string",
                        "description": "Name (default checkout).",
                        "enum": ["checkout", "payments"],
                    },
                }
            ],
        ),
        (
            '{"windows": [{"end": 1}], "colour": [true]}',
            [
                {"at": "windows.0.start", "problem": "Field required", "expected": {"type": "integer"}},
                {
                    "at": "colour",
                    "problem": "Extra inputs are not permitted",
                    "got": "[true]",
                    "expected": {"only": ["service", "text", "words", "window", "windows", "limit"]},
                },
            ],
        ),
        (
            '{"window": {"start": 1, "begin": 2}}',
            [
                {
                    "at": "window.begin",
                    "problem": "Extra inputs are not permitted",
                    "got": "2",
                    "expected": {"only": ["start", "end"]},
                }
            ],
        ),
    ],
)
def test_each_error_names_what_is_expected(text: str, faults: list[dict[str, Any]]) -> None:
    assert refuse(text) == {"error": "the arguments do not fit the tool's schema; nothing was run", "arguments": faults}


def test_invalid_json_is_answered_with_the_whole_schema() -> None:
    (fault,) = refuse('{"text": "a"')["arguments"]
    assert fault["at"] == "(the whole)"
    assert fault["problem"].startswith("Invalid JSON: EOF while parsing")
    assert fault["expected"]["properties"].keys() == Ask.model_fields.keys()


def test_a_rejection_is_small_and_has_no_url() -> None:
    huge = {"text": ["x" * 100_000], **{f"{'k' * 1_000}{i}": "\ud83d" for i in range(50)}}
    described = refuse(json.dumps(huge).replace("\\ud83d", "?"))
    text = json.dumps(described)
    assert len(text) < 10_000
    assert "http" not in text
    assert len(described["arguments"]) == 10
    assert described["more"] == "41 more"


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False),
        lambda v: st.lists(v) | st.dictionaries(st.sampled_from([*Ask.model_fields, "x"]), v),
    ),
    st.booleans(),
)
def test_any_json_is_parsed_or_rejected(value: object, twice: bool) -> None:
    text = json.dumps(json.dumps(value) if twice else value)
    try:
        parse_arguments(Ask, text, CATALOGUE)
    except ValidationError as error:
        assert describe_errors(error, parameter_schema(Ask, CATALOGUE))["arguments"]


@given(st.text(st.characters(exclude_categories=())))
def test_any_text_is_parsed_or_rejected(text: str) -> None:
    try:
        parse_arguments(Ask, text, CATALOGUE)
    except ValidationError as error:
        json.dumps(describe_errors(error, parameter_schema(Ask, CATALOGUE)), ensure_ascii=False).encode()
