"""JSON that takes much more memory than its text."""

from __future__ import annotations

import json
import tracemalloc

import pytest

from watchkeeper.http.json_memory import MAX_BYTES, JsonTooLarge, require_small_json

SIZE = 8_000_000
UNITS = [b"[],", b"{},", b"[[],{}],", b"[[[]]],", b'{"a":1},', b"[1],", b'"ab",', b"123456,", b"1.5,", b"null,"]
LINE = json.dumps({"at": "1", "line": json.dumps({"level": "error", "path": [1, 2, {"x": "[{,"}]})}).encode() + b","


def text(unit: bytes, size: int = SIZE) -> bytes:
    return b"[" + unit * (size // len(unit)) + b"0]"


@pytest.mark.parametrize("unit", UNITS)
def test_the_memory_of_accepted_json_is_limited(unit: bytes) -> None:
    size = SIZE
    while True:
        try:
            require_small_json(text(unit, size))
            break
        except JsonTooLarge:
            size //= 2
    tracemalloc.start()
    json.loads(text(unit, size))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < MAX_BYTES + 3 * size


@pytest.mark.parametrize("unit", [b"[],", b"{},", b"[[[]]],", b'{"a":1},'])
def test_many_small_values_are_refused(unit: bytes) -> None:
    with pytest.raises(JsonTooLarge, match="too many values"):
        require_small_json(text(unit))


@pytest.mark.parametrize("body", [text(LINE * 200, 4_000_000), b'"' + b'[{,\\"' * 1_500_000 + b'"', b"", b"[", b"\xff"])
def test_long_texts_and_what_is_no_json_are_accepted(body: bytes) -> None:
    require_small_json(body)
