"""Read the items of a list in a JSON body. Of a large body, memory holds the bytes and one item at a time.

``json.loads`` takes up to twenty times the size of a body that holds many small values.
"""

from __future__ import annotations

import json
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence

from watchkeeper.alerts.json_path import first_value, path_parts
from watchkeeper.alerts.payload import MAX_JSON_BYTES, PayloadTooLarge, not_json, parse_json, parse_value
from watchkeeper.contracts import JsonObject

MAX_ITEMS = 100_000

_BOM = b"\xef\xbb\xbf"
_SPACE = re.compile(r"[ \t\n\r]*")
_DECODER = json.JSONDecoder()


def read_items(body: bytes, path: str, whole: int = MAX_JSON_BYTES) -> tuple[JsonObject, Iterable[object] | None]:
    """Return a body, and the items of the list at a path in it; None if there is no list.

    In a body of more than ``whole`` bytes the path may hold keys only, and the list is empty in the returned body. If
    an object has a key twice, the last value is used. Raises MalformedPayload, also while the items are read.
    """
    if len(body) <= whole:
        parsed = parse_json(body)
        items = first_value(parsed, [path])
        return parsed, items if isinstance(items, list) else None
    finder = _ListFinder(body, path_parts(path))
    envelope = parse_json(finder.envelope())
    return envelope, None if finder.items is None else _each(body, finder.items)


def _each(body: bytes, bounds: array[int]) -> Iterator[object]:
    for start, end in zip(bounds[::2], bounds[1::2], strict=True):
        yield parse_value(body[start:end])


class _ListFinder:
    """Finds where the items of a list begin and end, in bytes."""

    def __init__(self, body: bytes, path: Sequence[str]) -> None:
        self.items: array[int] | None = None
        """Beginning and end of each item in turn."""
        self._body = body
        self._lists: list[tuple[int, int]] = []
        self._keys = path
        self._path = [part.encode("utf-8", "surrogatepass").decode("latin-1") for part in path]
        # One character for each byte: the marks of JSON are ASCII, so positions are positions in the body.
        self._text = body.decode("latin-1")
        try:
            start = self._skip(len(_BOM) if body.startswith(_BOM) else 0)
            if self._text.startswith("{", start):
                self._object(start, 0)
        except (ValueError, RecursionError) as error:
            raise not_json(error) from None
        finally:
            self._text = ""

    def envelope(self) -> bytes:
        """Return the body with an empty list in place of the found one."""
        parts, position = list[bytes](), 0
        for start, end in self._lists:
            parts += [self._body[position:start], b"[]"]
            position = end
        return b"".join([*parts, self._body[position:]]).strip(b" \t\n\r")

    def _skip(self, position: int) -> int:
        found = _SPACE.match(self._text, position)
        return found.end() if found else position

    def _value(self, position: int) -> int:
        """Return where a value ends."""
        try:
            return _DECODER.raw_decode(self._text, position)[1]
        except StopIteration as error:  # raised by some versions for a missing value
            raise json.JSONDecodeError("Expecting value", self._text, error.value) from None

    def _object(self, position: int, depth: int) -> int:
        position = self._skip(position + 1)
        if self._text.startswith("}", position):
            return position + 1
        while True:
            self._expect('"', position)
            key, position = _DECODER.raw_decode(self._text, position)
            position = self._skip(position)
            self._expect(":", position)
            position = self._skip(self._member(key, self._skip(position + 1), depth))
            if self._text.startswith("}", position):
                return position + 1
            self._expect(",", position)
            position = self._skip(position + 1)

    def _member(self, key: str, position: int, depth: int) -> int:
        if depth >= len(self._path) or key != self._path[depth]:
            return self._value(position)
        self.items, last = None, depth == len(self._path) - 1
        if last and self._text.startswith("[", position):
            return self._list(position)
        return self._object(position, depth + 1) if self._text.startswith("{", position) else self._value(position)

    def _list(self, start: int) -> int:
        self.items = items = array("I")
        position = self._skip(start + 1)
        while not self._text.startswith("]", position) or items:
            end = self._value(position)
            items.extend((position, end))
            if len(items) > 2 * MAX_ITEMS:
                raise PayloadTooLarge(f"{'.'.join(self._keys)}: holds more than {MAX_ITEMS:,} items; send fewer")
            position = self._skip(end)
            if self._text.startswith("]", position):
                break
            self._expect(",", position)
            position = self._skip(position + 1)
        self._lists.append((start, position + 1))
        return position + 1

    def _expect(self, mark: str, position: int) -> None:
        if not self._text.startswith(mark, position):
            raise json.JSONDecodeError(f"Expecting {mark!r}", self._text, position)
