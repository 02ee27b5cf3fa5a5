"""The items of a list are the same whether a body is read whole or item by item."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from watchkeeper.alerts.json_items import MAX_ITEMS, read_items
from watchkeeper.alerts.payload import MalformedPayload, PayloadTooLarge

KEYS = st.sampled_from(["alerts", "a", "é", 'with "quotes"', "b.c", ""])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=8
)
BODIES = st.dictionaries(KEYS, VALUES | st.lists(VALUES, max_size=5), max_size=5)
PATHS = ["alerts", "a.alerts", "/é/a", "/b.c", "a"]


def items(body: bytes, path: str, whole: int) -> list[object] | str | None:
    try:
        _, found = read_items(body, path, whole)
        return None if found is None else list(found)
    except MalformedPayload:
        return "malformed"


@given(body=BODIES, path=st.sampled_from(PATHS), indent=st.sampled_from([None, 1]), escaped=st.booleans())
@settings(max_examples=300, deadline=None)
def test_the_items_do_not_depend_on_the_way_of_reading(
    body: dict[str, object], path: str, indent: int | None, *, escaped: bool
) -> None:
    text = json.dumps(body, indent=indent, ensure_ascii=escaped and "é" not in path).encode()
    assert items(text, path, 0) == items(text, path, 10**9)


@given(body=BODIES, data=st.data())
@settings(max_examples=300, deadline=None)
def test_a_damaged_body_is_malformed_either_way(body: dict[str, object], data: st.DataObject) -> None:
    text = json.dumps({"alerts": [1, {"a": []}, "x"], **body}).encode()
    cut = data.draw(st.integers(0, len(text)))
    damaged = text[:cut] + data.draw(st.sampled_from([b"", b",", b"]", b"}", b'"', b"\x00", b"1 "])) + text[cut + 1 :]
    assert items(damaged, "alerts", 0) == items(damaged, "alerts", 10**9)


@pytest.mark.parametrize(
    "body",
    [
        b'{"alerts": [1], "alerts": [2, 3]}',
        b'{"alerts": [1], "alerts": null}',
        b'{"a": {"alerts": [1]}, "a": {}}',
        b'\xef\xbb\xbf{"alerts": [1, 2]}',
        b' {"alerts" : [ ] , "x" : 1 } ',
        b'{"alerts": [1,]}',
        b'{"alerts": [1]} 2',
        b'{"alerts": [1]',
        b'{"\xc3\xa9": "\xff", "alerts": ["\xff", "\xc3\xa9"]}',
        b"[1, 2]",
        b"",
        b"[" * 100_000,
        b'{"alerts": [' + b"[" * 100_000,
        b'{"alerts": [' + b"[" * 70 + b"]" * 70 + b"]}",
        b'{"alerts": [' + b"1" * 5_000 + b"]}",
    ],
    ids=lambda body: repr(body[:40]),
)
@pytest.mark.parametrize("path", ["alerts", "a.alerts"])
def test_unusual_bodies(body: bytes, path: str) -> None:
    assert items(body, path, 0) == items(body, path, 10**9)


def test_the_rest_of_a_large_body_is_kept() -> None:
    envelope, found = read_items(b'{"groupKey": "\xc3\xa9", "alerts": [1, 2], "n": {"m": 1}}', "alerts", 0)
    assert (envelope, list(found or ())) == ({"groupKey": "é", "alerts": [], "n": {"m": 1}}, [1, 2])


@pytest.mark.parametrize("item", ["{}", "[]", '{"id": 1}', '{"title": "\\ud83d\\ude00é😀"}'])
def test_a_large_body_takes_little_more_memory_than_its_bytes(item: str) -> None:
    count = 200_000 // len(item)
    body = ('{"alerts": [' + ",".join([item] * count) + "]}").encode()

    def read() -> int:
        return sum(1 for _ in read_items(body, "alerts", 0)[1] or ())

    assert read() == count
    assert peak(read) < 3 * len(body) + 25 * count + 2**16


def test_a_body_of_too_many_items_is_too_large() -> None:
    body = b'{"alerts": [' + b"0," * MAX_ITEMS + b"0]}"
    with pytest.raises(PayloadTooLarge, match="alerts: holds more than 100,000 items"):
        read_items(body, "alerts", 0)


def peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
