from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, ValidationError, create_model

from tests.support.settings import build_settings
from watchkeeper.config.settings import Settings
from watchkeeper.tool_calling.definition import (
    KEY_LENGTH,
    Arguments,
    Service,
    Team,
    Tool,
    ToolCall,
    ToolContext,
    ToolDefinitionError,
    ToolError,
    ToolUnavailable,
    tool,
)


class Note(Arguments):
    service: Service
    text: str = Field(description="Text.")


@tool(effect="once", timeout=timedelta(seconds=5))
async def add_note(args: Note, context: ToolContext) -> None:
    """Write a note.

    Use it   for notes.
    """


def settings(**tables: Any) -> Settings:
    return build_settings(**{"services": {"checkout": {"team": "shop"}}, **tables})


def call(arguments: str = "{}", run: str = "run-1", key: str = "r1.0") -> ToolCall:
    return ToolCall(run=run, key=key, arguments=arguments)


def test_the_decorator_defines_a_tool() -> None:
    assert (add_note.name, add_note.description) == ("add_note", "Write a note. Use it for notes.")
    assert (add_note.arguments, add_note.attempts, add_note.effect) == (Note, 1, "once")
    spec = add_note.spec(settings())
    assert (spec.name, spec.timeout, spec.attempts, spec.approval) == ("add_note", 5, 1, None)
    assert "approval" not in spec.model_fields_set
    assert spec.parameters["properties"]["service"] == {"type": "string", "enum": ["checkout"]}


def test_a_read_has_four_attempts() -> None:
    assert tool(effect="read")(add_note.function).attempts == 4
    assert tool(effect="read", attempts=2)(add_note.function).attempts == 2


def not_async(args: Note, context: ToolContext) -> None:
    """Do."""


async def no_docstring(args: Note, context: ToolContext) -> None: ...


async def no_arguments() -> None:
    """Do."""


async def open_arguments(args: dict[str, Any], context: ToolContext) -> None:
    """Do."""


async def unreadable(args: Lost, context: ToolContext) -> None:  # type: ignore[name-defined]  # noqa: F821
    """Do."""


def _named(name: str) -> Callable[..., Any]:
    async def function(args: Note, context: ToolContext) -> None:
        """Do."""

    function.__name__ = name
    return function


@pytest.mark.parametrize(
    ("function", "options", "why"),
    [
        (not_async, {}, "async def"),
        (_named("no_docstring_name"), {"attempts": 0}, "would never run it"),
        (_named("ok"), {"timeout": timedelta()}, "no time to run"),
        (_named("ok"), {"max_bytes": 100}, "max_bytes=100: set 1,024 to 350,000"),
        (_named("ok"), {"key": ("lost",)}, "not fields of Note"),
        (_named("ok"), {"effect": "once", "attempts": 2}, "one attempt"),
        (_named("ok"), {"pages": True}, "pages=True is not a read"),
        (_named("Ok"), {}, "snake_case"),
        (_named("1st"), {}, "snake_case"),
        (_named("x" * 65), {}, "snake_case"),
        (_named("ask"), {}, "not one of announce, announce_approval, ask, brief"),
        (_named("deliver"), {}, "not one of announce, announce_approval, ask, brief"),
    ],
)
def test_options_that_cannot_be_a_tool(function: Any, options: dict[str, Any], why: str) -> None:
    with pytest.raises(ToolDefinitionError, match=why) as caught:
        tool(**{"effect": "read", **options})(function)
    assert function.__name__ in str(caught.value)


@pytest.mark.parametrize(
    ("function", "why"),
    [
        (no_docstring, "docstring"),
        (no_arguments, "derived from Arguments"),
        (open_arguments, "derived from Arguments"),
        (unreadable, "'Lost' is not defined"),
    ],
)
def test_a_function_that_cannot_be_a_tool(function: Any, why: str) -> None:
    with pytest.raises(ToolDefinitionError, match=why):
        tool(effect="read")(function)


def test_an_unsupported_field_names_the_tool() -> None:
    model = create_model("Bad", __base__=Arguments, x=(set[str], ...))
    function = _named("bad_tool")
    function.__annotations__["args"] = model
    with pytest.raises(ToolDefinitionError, match=r"tool 'bad_tool': Bad\.x: .*use a list"):
        tool(effect="read")(function).spec(settings())


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('{"service": "checkout", "text": "a", "more": 1}', "Extra inputs"),
        ('{"service": "chekout", "text": "a"}', "nearest of its 1: checkout"),
        ('{"service": "checkout"}', "Field required"),
        ('{"service": "checkout", "text": 1}', "valid string"),
        ('{"service": "checkout", "text": "a"} and', "Invalid JSON"),
        ("{'service': 'checkout', 'text': 'a'}", "Invalid JSON"),
        ('```json\n{"service": "checkout", "text": "a"}\n```', "Invalid JSON"),
        ('{"service": "checkout", "text": "a"}{}', "Invalid JSON"),
        ("[" * 100_000, "Invalid JSON"),
        ('{"service": "checkout", "text": "\\ud800"}', "Invalid JSON"),
    ],
)
def test_arguments_are_closed_and_finite(text: str, problem: str) -> None:
    with pytest.raises(ValidationError, match=problem):
        Note.model_validate_json(text, context=settings().catalogue)


@pytest.mark.parametrize("number", ["NaN", "Infinity", "1e999"])
def test_arguments_are_finite(number: str) -> None:
    model = create_model("Made", __base__=Arguments, x=(float, ...))
    with pytest.raises(ValidationError):
        model.model_validate_json(f'{{"x": {number}}}')


def test_an_empty_catalogue_is_reported() -> None:
    model = create_model("Made", __base__=Arguments, x=(Team, ...))
    for context in (None, {}, Settings().catalogue):
        with pytest.raises(ValidationError, match="the operator's catalogue names no team"):
            model.model_validate_json('{"x": "a"}', context=context)


def test_the_nearest_names_of_a_large_catalogue() -> None:
    model = create_model("Made", __base__=Arguments, x=(Service, ...))
    with pytest.raises(ValidationError, match="nearest of its 1000: svc-77, svc-977, ") as caught:
        model.model_validate_json('{"x": "svc-077"}', context={"service": [f"svc-{i}" for i in range(1000)]})
    assert len(caught.value.errors()[0]["msg"]) < 200


def _keyed(*key: str) -> Tool[Any]:
    return tool(effect="keyed", key=key)(add_note.function)


def test_each_call_is_a_separate_effect_by_default() -> None:
    args = Note.model_construct(service="checkout", text="a")
    own = add_note.idempotency_key(call('{"a":1}'), args)
    assert own.startswith("run-1/r1.0/")
    assert own == add_note.idempotency_key(call('{"a":1}'), args)
    others = [call('{"a":2}'), call('{"a":1}', key="r1.1"), call('{"a":1}', run="run-2")]
    assert len({own, *(add_note.idempotency_key(other, args) for other in others)}) == 4


def test_a_key_widens_the_effect_to_the_incident() -> None:
    args = Note.model_construct(service="checkout", text="a")
    page = _keyed("service")
    assert page.idempotency_key(call(key="r1.0"), args) == page.idempotency_key(call(key="r9.3"), args)
    assert page.idempotency_key(call(), args) == "run-1/add_note/checkout"


@given(*(st.tuples(st.text(), st.text()),) * 2)
def test_keys_are_short_and_unique(one: tuple[str, str], other: tuple[str, str]) -> None:
    keys = [
        _keyed("service", "text").idempotency_key(call(), Note.model_construct(service=service, text=text))
        for service, text in (one, other)
    ]
    assert all(len(key) <= KEY_LENGTH and key.isascii() and key.isprintable() for key in keys)
    assert (keys[0] == keys[1]) == (one == other)


def test_approval_by_the_tool_or_by_the_operator() -> None:
    own = tool(effect="once", approval=True)(add_note.function)
    assert own.spec(settings(approval={"timeout": 60})).approval == 60
    assert add_note.spec(settings(approval={"tools": ["add_note"]})).approval == 900


@pytest.mark.parametrize("make", [ToolError, ToolUnavailable])
def test_the_text_of_an_error_can_be_recorded(make: Callable[[str], Exception]) -> None:
    text = str(make("\ud83d" + "x" * 500_000))
    assert len(text.encode()) < 2_100
    assert text.startswith("\ufffdx")
