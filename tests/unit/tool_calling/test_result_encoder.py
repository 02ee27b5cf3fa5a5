from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from enum import Enum, IntEnum
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, HttpUrl, RootModel, SecretStr, field_serializer

from watchkeeper.llm.conversation import canonical_json
from watchkeeper.tool_calling.result_encoder import DEPTH, to_json

ANY_TEXT = st.text(st.characters(exclude_categories=()))
LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    ANY_TEXT,
    st.binary(),
    st.datetimes(),
    st.timedeltas(),
    st.decimals(allow_nan=False),
    st.uuids(),
    st.complex_numbers(),
    st.builds(object),
)
VALUES = st.recursive(
    LEAVES, lambda v: st.lists(v) | st.dictionaries(LEAVES, v) | st.tuples(v, v) | st.frozensets(LEAVES)
)


class Colour(Enum):
    red = "red"


class Level(IntEnum):
    high = 3


@dataclass
class Point:
    x: int
    when: datetime


class Inner(BaseModel):
    kept: int | None = None
    secret: SecretStr | None = None


class Outer(BaseModel):
    inner: Inner = Inner()
    inners: list[Inner] = []
    link: HttpUrl | None = None
    any: Any = None


class Broken(BaseModel):
    x: int = 1
    y: int | None = None

    @field_serializer("x")
    def _fail(self, value: int) -> int:
        raise ValueError("cannot")


def _numbers() -> Iterator[int]:
    yield from range(3)


@given(VALUES)
def test_any_value_can_be_encoded(value: object) -> None:
    canonical_json(to_json(value))


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"a": [1, 2.5, True, None, "x"]}, {"a": [1, 2.5, True, None, "x"]}),
        ((1, (2,)), [1, [2]]),
        (deque([1]), [1]),
        (range(3), "(a value of type range)"),
        (_numbers(), [0, 1, 2]),
        ({3, 1, 2}, [1, 2, 3]),
        (frozenset({"b", "a"}), ["a", "b"]),
        ({2: "a", None: "b", True: "c", (1, 2): "d"}, {"2": "a", "null": "b", "true": "c", "[1,2]": "d"}),
        ([math.nan, math.inf, -math.inf], ["nan", "inf", "-inf"]),
        ("a\ud800\0", "a\ufffd\ufffd"),
        ({"\ud800": 1}, {"\ufffd": 1}),
        (b"caf\xc3\xa9 \xff\0", "café \ufffd\ufffd"),
        (bytearray(b"a"), "a"),
        (datetime(2026, 11, 22, 13, 30, tzinfo=UTC), "2026-11-22T13:30:00+00:00"),
        (date(2026, 11, 22), "2026-11-22"),
        (timedelta(minutes=1.5), 90.0),
        (Decimal("1.50"), "1.50"),
        (UUID(int=1), "00000000-0000-0000-0000-000000000001"),
        (Path("/a/\udcff"), "/a/\ufffd"),
        ([Colour.red, Level.high], ["red", 3]),
        ([10**5000], ["(an integer of 16610 bits)"]),
        (ValueError("no"), "ValueError: no"),
        (object(), "(a value of type object)"),
        (Point, "(a value of type type)"),
        (Point(1, datetime(2026, 1, 1)), {"x": 1, "when": "2026-01-01T00:00:00"}),
        (SecretStr("s3cret"), "**********"),
        (RootModel[list[int]]([1]), [1]),
        (Outer(), {"inner": {}, "inners": []}),
        (
            Outer(inner=Inner(kept=1, secret=SecretStr("x")), inners=[Inner()], link=HttpUrl("http://a/b")),
            {"inner": {"kept": 1, "secret": "**********"}, "inners": [{}], "link": "http://a/b"},
        ),
        (Outer(any=[math.nan, {1}, object()]).any, ["nan", [1], "(a value of type object)"]),
        (Outer(any={1, math.inf}), {"inner": {}, "inners": [], "any": ["inf", 1]}),
        ([Inner(kept=1), {"b": Inner()}], [{"kept": 1}, {"b": {}}]),
        (Broken(), {"x": 1}),
    ],
)  # fmt: skip
def test_the_encoding_of_a_value(value: object, expected: object) -> None:
    assert to_json(value) == expected


def test_a_value_that_contains_itself() -> None:
    loop: list[Any] = [1]
    loop.append({"again": loop})
    assert to_json(loop) == [1, {"again": "(contains itself)"}]
    model = Outer()
    model.any = [model]
    assert "(contains itself)" in canonical_json(to_json(model)).decode()


def test_a_value_that_occurs_twice_is_not_a_loop() -> None:
    shared = [1]
    assert to_json([shared, shared]) == [[1], [1]]


@pytest.mark.parametrize("depth", [DEPTH + 1, 1_000, 200_000])
def test_deep_nesting_is_cut(depth: int) -> None:
    deep: list[Any] = []
    for _ in range(depth):
        deep = [deep]
    text = canonical_json(to_json(deep)).decode()
    assert text == "[" * DEPTH + '"(nested too deeply)"' + "]" * DEPTH
    while deep:  # taken apart by hand: freeing it at once would recurse
        deep = deep[0]
