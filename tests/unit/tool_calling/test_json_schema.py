"""Schemas of pydantic that some provider refuses are written in the portable subset, or refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import Enum
from typing import Annotated, Any, Literal
from uuid import UUID

import pytest
from pydantic import BaseModel, Discriminator, Field, create_model

from tests.support import paths
from tests.support.settings import build_settings
from watchkeeper.testing.schema_rules import check_tools
from watchkeeper.tool import Arguments, Service, Team
from watchkeeper.tool_calling.catalogue import build_catalogue, discover_tools, encode_tools
from watchkeeper.tool_calling.json_schema import MAX_DEPTH, MAX_ENUM_VALUES, SchemaError, parameter_schema

CATALOGUE = {"service": ["checkout", "payments", "search"], "team": ["shop"]}
INTEGERS = {"type": "array", "items": {"type": "integer"}}
GOLDEN = paths.GOLDEN / "tools.json"


class Colour(Enum):
    """Red or blue."""

    red = "red"
    blue = "blue"


class Number(Enum):
    one = 1


class Window(Arguments):
    """Engineers read this."""

    start: int = Field(ge=0, description="Start.")
    colour: Colour


class Tree(BaseModel):
    children: list[Tree]


class Cat(BaseModel):
    kind: Literal["cat"]


class Dog(BaseModel):
    kind: Literal["dog"]


WIDE = create_model("Wide", __base__=Arguments, **{f"x{i}": (int, ...) for i in range(101)})  # type: ignore[call-overload]


def emitted(annotation: Any, **field: Any) -> dict[str, Any]:
    model = create_model("Made", __base__=Arguments, x=(annotation, Field(**field)))
    schema = parameter_schema(model, CATALOGUE)
    assert schema.keys() <= {"type", "properties", "required", "additionalProperties"}
    assert (schema["type"], schema["additionalProperties"]) == ("object", False)
    check_tools([{"type": "function", "function": {"name": "made", "parameters": schema}}])
    property_: dict[str, Any] = schema["properties"]["x"]
    return property_


@pytest.mark.parametrize(
    ("annotation", "field", "expected"),
    [
        (str, {}, {"type": "string"}),
        (str, {"description": "Text."}, {"type": "string", "description": "Text."}),
        (str, {"title": "X"}, {"type": "string"}),
        (int, {"ge": 1, "le": 9}, {"type": "integer", "minimum": 1, "maximum": 9}),
        (float, {}, {"type": "number"}),
        (bool, {"default": False}, {"type": "boolean", "description": "(default false)."}),
        (int, {"default": 0, "description": "N."}, {"type": "integer", "description": "N (default 0)."}),
        (str, {"default": "a"}, {"type": "string", "description": "(default a)."}),
        (str, {"default": ""}, {"type": "string"}),
        (str, {"min_length": 1}, {"type": "string", "description": "(length at least 1)."}),
        (str, {"max_length": 5, "default": "a"}, {"type": "string", "description": "(length at most 5, default a)."}),
        (list[int], {"max_length": 5}, {**INTEGERS, "description": "(at most 5 items)."}),
        (list[int], {"default": [1, 2]}, {**INTEGERS, "description": "(default [1,2])."}),
        (int | None, {"default": None}, {"type": "integer"}),
        (list[str] | None, {"default": None}, {"type": "array", "items": {"type": "string"}}),
        (Literal["a", "b"], {}, {"type": "string", "enum": ["a", "b"]}),
        (Literal["a"], {}, {"type": "string", "enum": ["a"]}),
        (Literal["a"] | None, {"default": None}, {"type": "string", "enum": ["a"]}),
        (Service, {}, {"type": "string", "enum": ["checkout", "payments", "search"]}),
        (list[Team], {}, {"type": "array", "items": {"type": "string", "enum": ["shop"]}}),
        (Service | None, {"default": None}, {"type": "string", "enum": ["checkout", "payments", "search"]}),
    ],
)  # fmt: skip
def test_schemas_that_every_provider_accepts(annotation: Any, field: dict[str, Any], expected: dict[str, Any]) -> None:
    assert emitted(annotation, **field) == expected


def test_a_nested_model_is_inlined_and_closed() -> None:
    window = emitted(Window, description="When.")
    assert window == {
        "type": "object",
        "description": "When.",
        "properties": {
            "start": {"type": "integer", "description": "Start.", "minimum": 0},
            "colour": {"type": "string", "description": "Red or blue.", "enum": ["red", "blue"]},
        },
        "required": ["colour", "start"],
        "additionalProperties": False,
    }
    assert emitted(Window | None, default=None, description="When.") == window
    assert emitted(list[Window])["items"]["properties"] == window["properties"]


def test_the_docstring_of_the_arguments_is_not_sent() -> None:
    assert "description" not in parameter_schema(Window, CATALOGUE)


@pytest.mark.parametrize(
    ("annotation", "field", "remedy"),
    [
        (int, {"gt": 0}, "use ge= instead of gt="),
        (int, {"lt": 0}, "use le= instead of lt="),
        (int, {"multiple_of": 5}, "check it in a validator"),
        (str, {"pattern": "^a$"}, "give the format in the description"),
        (set[str], {}, "use a list"),
        (tuple[int, int], {}, "use a list"),
        (datetime, {}, "give the format in the description"),
        (UUID, {}, "give the format in the description"),
        (bytes, {}, "give the format in the description"),
        (Annotated[Cat | Dog, Discriminator("kind")], {}, "use one closed object"),
        (int | str, {}, "give the field one type"),
        (int | str | None, {"default": None}, "give the field one type"),
        (Decimal, {}, "give the field one type"),
        (Any, {}, "give the field one plain type"),
        (list, {}, "give the field one plain type"),
        (dict[str, int], {}, "name its fields"),
        (dict, {}, "name its fields"),
        (Literal[1, 2], {}, "only strings can be enumerated"),
        (Literal["a", None], {}, "give the field one plain type"),
        (Number, {}, "only strings can be enumerated"),
        (Tree, {}, "must be finite"),
        (Callable[[], None], {}, "use plain fields"),
        (str, {"json_schema_extra": {"examples": ["a"]}}, "use a plain field"),
        (Literal[tuple(f"n{i}" for i in range(MAX_ENUM_VALUES + 1))], {}, "use a plain string"),
        (list[list[list[list[int]]]], {}, "flatten the arguments"),
        (WIDE, {}, "split the tool"),
    ],
)
def test_schemas_that_some_provider_refuses(annotation: Any, field: dict[str, Any], remedy: str) -> None:
    with pytest.raises(SchemaError, match=remedy) as caught:
        emitted(annotation, **field)
    assert str(caught.value).startswith("Made")


def test_the_documented_depth_is_accepted() -> None:
    annotation: Any = int
    for _ in range(MAX_DEPTH - 2):
        annotation = list[annotation]
    assert emitted(annotation)["type"] == "array"


def test_an_empty_or_large_catalogue_is_not_enumerated() -> None:
    model = create_model("Made", __base__=Arguments, x=(Service, ...))
    for names in ([], [f"s{i}" for i in range(MAX_ENUM_VALUES + 1)]):
        assert parameter_schema(model, {"service": names})["properties"] == {"x": {"type": "string"}}


def test_the_encoded_tools_do_not_change() -> None:
    """A change of these bytes empties every provider's prompt cache. If it is intended, update the file."""
    services = {name: {"team": name} for name in CATALOGUE["service"]}
    settings = build_settings(services=services, teams={"platform": {}})
    assert encode_tools(build_catalogue(discover_tools(), settings)) == GOLDEN.read_bytes().removesuffix(b"\n")
