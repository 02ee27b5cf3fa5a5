"""Merge the deltas of a streamed completion into one message, with any fields."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from itertools import islice
from typing import Any

from watchkeeper.contracts import JsonObject

_CONTAINER_CHARACTERS = 200
"""Memory that Python takes for a small object or list, in characters of text."""

_LABELS = frozenset({"format", "id", "index", "name", "object", "role", "type"})
"""Fields whose text is sent as a whole, and may be repeated in every delta."""


_OPEN_ENTRIES = 64
"""How many of the last entries of a list a delta may continue."""


class StreamedText:
    """A text that arrives in parts; it takes little more memory than its characters."""

    def __init__(self, text: str = "") -> None:
        self._parts = StringIO()
        self._length = self._parts.write(text)

    def __len__(self) -> int:
        return self._length

    def __str__(self) -> str:
        return self._parts.getvalue()

    def add(self, part: str) -> None:
        """Add the next part."""
        self._length += self._parts.write(part)


class DeltaMerger:
    """Merges deltas and counts their content."""

    def __init__(self) -> None:
        self.characters = 0
        """Characters of all texts, without labels."""
        self.containers = 0
        """Objects, their fields, and lists."""

    @property
    def size(self) -> int:
        """How much memory the deltas take, in characters."""
        return self.characters + self.containers * _CONTAINER_CHARACTERS

    def extend(self, text: StreamedText, part: str) -> None:
        """Add the next part of a text."""
        self.characters += len(part)
        text.add(part)

    def merge(self, fields: JsonObject, delta: Mapping[str, object]) -> None:
        """Merge a delta into the fields so far; null changes nothing.

        Texts are joined, except labels such as ``type``. Objects are merged. Lists are joined, and entries with the
        same ``index`` and ``type`` are merged, as OpenRouter requires for ``reasoning_details``. Any other value
        replaces the one before.
        """
        for key, value in delta.items():
            if value is not None:
                self.containers += key not in fields
                fields[key] = self._merged(key, fields.get(key), value)

    def _merged(self, key: str, old: object, new: object) -> object:
        match old, new:
            case StreamedText(), str() if key not in _LABELS:
                self.extend(old, new)
                return old
            case StreamedText(), list():  # a host that changes to content parts
                return self._joined([old], new)
            case dict(), dict():
                self.merge(old, new)
                return old
            case list(), list():
                return self._joined(old, new)
            case list(), str():
                return self._joined(old, [new])
            case str(), str() if old == new:
                return old
            case _:
                return self._taken(key, new)

    def _joined(self, entries: list[Any], new: list[Any]) -> list[object]:
        for entry in new:
            last = entries[-1:] if isinstance(entry, str) else islice(reversed(entries), _OPEN_ENTRIES)
            same = next((known for known in last if _is_continued(known, entry)), None)
            if isinstance(same, StreamedText):
                self.extend(same, entry)
            elif same is not None and isinstance(entry, dict):
                self.merge(same, entry)
            else:
                entries.append(self._taken("", entry))
        return entries

    def _taken(self, key: str, value: object) -> object:
        """Return a value that later deltas can be merged into."""
        match value:
            case str() if key in _LABELS:
                self.containers += len(value) // _CONTAINER_CHARACTERS
                return value
            case str():
                self.containers += 1
                self.characters += len(value)
                return StreamedText(value)
            case dict():
                fields: JsonObject = {}
                self.containers += 1
                self.merge(fields, value)
                return fields
            case list():
                self.containers += 1
                return self._joined([], value)
            case _:
                return value


def plain(value: object) -> object:
    """Return merged values as JSON has them."""
    match value:
        case StreamedText():
            return str(value)
        case dict():
            return {key: plain(member) for key, member in value.items()}
        case list():
            return [plain(entry) for entry in value]
        case _:
            return value


def _is_continued(known: Any, entry: Any) -> bool:
    """Tell whether a new entry of a list continues a known one."""
    match known, entry:
        case StreamedText(), str():
            return True
        case {"index": int(index)}, {"index": int(new_index)}:
            return bool(index == new_index and entry.get("type") in (None, known.get("type")))
        case _:
            return False
