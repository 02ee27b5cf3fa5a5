"""Put together the tool calls of a streamed completion.

A host sends each call in parts. By the protocol the first part of a call has its index, id and name, and the others
have its index. Hosts differ in every field; each difference below names a host where it was observed.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.delta_merge import DeltaMerger, StreamedText, plain


class StreamedCalls:
    """The calls of one message, in the order of their first parts."""

    def __init__(self, merger: DeltaMerger) -> None:
        self._merger = merger
        self._calls: list[_Call] = []
        self._by_id: dict[str, _Call] = {}
        self._by_index: dict[int, _Call] = {}

    def add(self, delta: JsonObject) -> None:
        """Add one entry of the ``tool_calls`` of a delta."""
        function = delta["function"] if isinstance(delta.get("function"), dict) else delta
        part = _Part(
            _index(delta.get("index")),
            _string(delta.get("id")),
            _string(function.get("name")),
            _arguments(function.get("arguments")),
        )
        call = self._call_of(part)
        call.add(part, self._merger)
        if part.id == call.id:
            self._by_id[part.id] = call
        if part.index is not None and self._by_index.get(part.index) is not call:
            self._merger.containers += 1
            self._by_index[part.index] = call
        self._merger.merge(call.fields, {key: value for key, value in delta.items() if key not in _PART_FIELDS})
        if function is not delta:
            extras = {key: value for key, value in function.items() if key not in _PART_FIELDS}
            self._merger.merge(call.function_fields, extras)

    def messages(self) -> list[object]:
        """Return the calls as a completion that is not streamed has them."""
        return [call.message() for call in self._calls if not call.is_empty]

    def _call_of(self, part: _Part) -> _Call:
        """Return the call that a part belongs to, which may be a new one."""
        is_new_index = part.index is not None and part.index not in self._by_index
        known = self._by_id.get(part.id)  # LocalAI sends one call, with one id, under several indexes
        if known is None and part.index is not None:
            known = self._by_index.get(part.index)
        elif known is None and self._calls:  # Gemini sends no index
            known = self._calls[-1]
        if known is not None and not known.is_complete_before(part, is_new_index=is_new_index):
            return known
        call = _Call()
        self._merger.containers += 2
        if known is not None:
            # DeepSeek behind a gateway: the first part of the second call has the index of the first call, and its
            # other parts have the next index.
            self._by_index.setdefault(len(self._calls), call)
        self._calls.append(call)
        return call


@dataclass(frozen=True)
class _Part:
    index: int | None
    id: str
    name: str
    arguments: str


_PART_FIELDS = {"index", "id", "name", "arguments", "function"}


class _Call:
    def __init__(self) -> None:
        self.id = ""
        self.fields: JsonObject = {}
        self.function_fields: JsonObject = {}
        self._name = ""
        self._arguments = StreamedText()

    @property
    def is_empty(self) -> bool:
        """Whether no part had any content."""
        return not (self.id or self._name or len(self._arguments))

    def is_complete_before(self, part: _Part, *, is_new_index: bool) -> bool:
        """Tell whether a part that has the id or the index of this call begins another one.

        A part without a name never does: LM Studio gives each part a new id. A part with the same name does only after
        whole arguments: MiniMax repeats the name in each part, and Ollama gives each call the index 0.
        """
        if not part.name or not self._name:
            return False
        other_id = bool(part.id and part.id != self.id)
        if part.name != self._name:
            return other_id or len(self._arguments) > 0  # Gemini sends a long name in parts, before the arguments
        if not self._has_whole_arguments() or not (part.arguments or is_new_index):
            return False
        return other_id or not self._repeats(part.arguments)

    def add(self, part: _Part, merger: DeltaMerger) -> None:
        self.id = self.id or part.id
        if part.name != self._name:
            merger.characters += len(part.name)
            self._name += part.name
        if not self._repeats(part.arguments):
            merger.extend(self._arguments, part.arguments)

    def message(self) -> object:
        function = {"name": self._name, "arguments": str(self._arguments), **self.function_fields}
        return plain({"id": self.id, "type": "function", **self.fields, "function": function})

    def _repeats(self, arguments: str) -> bool:
        """Tell whether a part is the whole call once more, as some hosts send it at the end."""
        same_length = 0 < len(arguments) == len(self._arguments)
        return same_length and arguments == str(self._arguments) and self._has_whole_arguments()

    def _has_whole_arguments(self) -> bool:
        text = str(self._arguments)
        if not text.rstrip().endswith("}"):
            return False
        try:
            return isinstance(json.loads(text), dict)
        except (ValueError, RecursionError):
            return False


def _arguments(value: object) -> str:
    """Return a part of the arguments. Some hosts send an object instead of its JSON in a string."""
    if value is None or isinstance(value, str):
        return value or ""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _index(value: object) -> int | None:
    """Return an index; None if it is missing or cannot be one."""
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 10:
        return int(value)
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
