"""Read arguments that a model wrote into its text: as JSON, in parentheses, or as one tag for each parameter."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.argument_schema import typed
from watchkeeper.llm.template_markup import TemplateMark, mark_at
from watchkeeper.llm.tool_calls import InvalidArguments, read_arguments

_LABEL = re.compile(
    r"(?:\*\*)?(?:(?:action|tool|function)[ _]?)?(?:inputs?|arguments?|args|parameters?|params|json|code|with)"
    r"(?:[ _]?\d{1,2})?\b(?:\*\*)?[ \t]*[:=]?(?:\*\*)?|```\w*|->|[^\w\s<(){}\[\]\"'.]",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s*")
_CALL_ID = re.compile(r"\w{1,40}(?=\[)")
_WRAPPERS = {
    "arguments",
    "parameters",
    "args",
    "params",
    "input",
    "tool_input",
    "name",
    "tool_name",
    "tool",
    "function",
    "json",
}
_PARAMETERS = {"parameter", "param", "argument", "arg"}
_PARENTHESIS = re.compile(r"[ \t]?\(")
_KEY = re.compile(r"""\s*(?:"([^"\\]{1,64})"|'([^'\\]{1,64})'|([A-Za-z_][\w-]{0,63}))\s*[=:]\s*""")
_SINGLE_QUOTED = re.compile(r"'((?:[^'\\\n]|\\.){0,4000})'")
_PYTHON_VALUE = re.compile(r"(True|False|None)\b")
_PYTHON_VALUES: dict[str, Any] = {"True": True, "False": False, "None": None}
_FENCED_STRING = re.compile(r"<[^<>\s]{1,12}>")
_CHARACTER_DATA = re.compile(r"\s*<!\[CDATA\[(.*)\]\]>\s*", re.DOTALL)
_NEXT_MARK = re.compile(r"<[|｜/]?\w")
_MOST_FIELDS = 64
_MOST_MARKS = 16


class WrittenArguments(NamedTuple):
    """What follows the name of a tool."""

    arguments: str | None
    """The text of a JSON object; None: it cannot be read with certainty."""
    end: int
    written: bool
    """Some form of arguments follows."""


class TextReader:
    """Reads values from one text. The work over all calls is limited, so that it is linear in the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self._work = 4 * len(text) + 200_000
        self._missing: dict[str, int] = {}

    def json_at(self, position: int) -> tuple[object, int] | None:
        """Return the JSON value at a position, and its end; None if it is no JSON, or only its beginning."""
        if self._work <= 0:
            return None
        try:
            value, end = json.JSONDecoder().raw_decode(self.text, position)
        except json.JSONDecodeError as error:
            self._work -= 20 + error.pos - position + error.pos // 16  # the error counts the lines before it
            return None
        except (ValueError, RecursionError):
            self._work -= 50_000
            return None
        self._work -= end - position
        return value, end

    def arguments_at(self, position: int, schema: Mapping[str, Any]) -> WrittenArguments:
        """Read the arguments that follow the name of a tool."""
        if parenthesis := _PARENTHESIS.match(self.text, position):
            return self._in_parentheses(parenthesis.end())
        start = self._skip_labels(position)
        if self.text.startswith("{", start):
            return self._object_at(start)
        if self.text.startswith('"{', start) and (encoded := self.json_at(start)):
            return WrittenArguments(object_text(encoded[0]), encoded[1], written=True)
        if fields := self._tagged(start, schema):
            return fields
        ending = mark_at(self.text, start)
        is_complete = ending is not None and (ending.closes or ending.kind == "closes_call")
        return WrittenArguments("{}" if is_complete else None, position, written=False)

    def _skip_labels(self, position: int) -> int:
        """Skip what may be between a name and its arguments: space, tokens, wrapping tags, labels, a fence."""
        for _ in range(_MOST_MARKS):
            position = self._skip_space(position)
            mark = mark_at(self.text, position)
            if mark and self._is_filler(mark):
                position = mark.end
                if mark.form == "bracket" and (call_id := _CALL_ID.match(self.text, position)):
                    position = call_id.end()
            elif label := _LABEL.match(self.text, position):
                position = label.end()
            else:
                break
        return position

    def _is_filler(self, mark: TemplateMark) -> bool:
        name = mark.written.lower()
        if name.endswith(("sep", "argument_begin", "args")):
            return True
        return name in _WRAPPERS and mark.name is None if mark.form == "tag" else mark.kind == "other"

    def _skip_space(self, position: int) -> int:
        space = _SPACE.match(self.text, position)
        return space.end() if space else position

    def _object_at(self, position: int) -> WrittenArguments:
        if decoded := self.json_at(position):
            return WrittenArguments(object_text(self.text[position : decoded[1]]), decoded[1], written=True)
        fields, end = self._fields(position + 1, "}")
        return WrittenArguments(object_text(fields), end, written=True)

    def _in_parentheses(self, position: int) -> WrittenArguments:
        start = self._skip_space(position)
        if self.text.startswith("{", start):
            fields = self._object_at(start)
            end = self._skip_space(fields.end)
            closed = self.text.startswith(")", end)
            return WrittenArguments(fields.arguments if closed else None, end + closed, written=True)
        read, end = self._fields(position, ")")
        return WrittenArguments(object_text(read), end, written=True)

    def _fields(self, position: int, closing: str) -> tuple[JsonObject | None, int]:
        """Read ``key=value`` or ``key: value``, with commas between them, up to a closing bracket."""
        fields: JsonObject = {}
        end = self._skip_space(position)
        for _ in range(_MOST_FIELDS):
            if self.text.startswith(closing, end):
                return fields, end + 1
            key = _KEY.match(self.text, end)
            value = self._value(key.end()) if key else None
            name = next(filter(None, key.groups()), "") if key else ""
            if value is None or name in fields:
                break
            fields[name], end = value
            end = self._skip_space(end)
            if self.text.startswith(",", end):
                end = self._skip_space(end + 1)
            elif not self.text.startswith(closing, end):
                break
        return None, self._after_line(end, closing)

    def _value(self, position: int) -> tuple[object, int] | None:
        if decoded := self.json_at(position):
            return decoded
        if quoted := _SINGLE_QUOTED.match(self.text, position):
            inner = quoted[1].replace("\\'", "'")
            escaped = re.sub(r'(?<!\\)"', r"\\\"", inner)
            try:
                return json.loads(f'"{escaped}"'), quoted.end()
            except ValueError:
                return None
        if word := _PYTHON_VALUE.match(self.text, position):
            return _PYTHON_VALUES[word[1]], word.end()
        if fence := _FENCED_STRING.match(self.text, position):
            end = self.find(fence[0], fence.end())
            return None if end < 0 else (self.text[fence.end() : end], end + len(fence[0]))
        return None

    def _after_line(self, position: int, closing: str) -> int:
        """Return where arguments probably end that cannot be read: at the bracket, a mark or the end of the line."""
        line_end = self.find("\n", position)
        line_end = len(self.text) if line_end < 0 else line_end
        if mark := _NEXT_MARK.search(self.text, position, line_end):
            return mark.start()
        bracket = self.text.rfind(closing, position, line_end)
        return line_end if bracket < 0 else bracket + 1

    def _tagged(self, position: int, schema: Mapping[str, Any]) -> WrittenArguments | None:
        """Read a tag for each parameter; None if no such tag follows."""
        fields: dict[str, str] = {}
        end = position
        for _ in range(_MOST_FIELDS):
            start = self._skip_space(end)
            tag = mark_at(self.text, start)
            if tag is None or tag.form != "tag" or tag.closes:
                break
            field = self._tagged_field(tag, schema)
            if field is None:
                break
            name, value, end = field
            if value is None or name in fields:
                return WrittenArguments(None, end, written=True)
            value = value.removeprefix("\n").removesuffix("\n")
            section = _CHARACTER_DATA.fullmatch(value)
            fields[name] = section[1] if section else value
        if not fields:
            return None
        return WrittenArguments(object_text(typed(fields, schema)), end, written=True)

    def _tagged_field(self, tag: TemplateMark, schema: Mapping[str, Any]) -> tuple[str, str | None, int] | None:
        """Return name, value and end of a parameter; the value is None if the parameter has no clear end."""
        written = tag.written.lower().strip("_")
        if written.endswith("arg_key"):
            name, end = self._until_end_tag(tag)
            value_tag = mark_at(self.text, self._skip_space(end))
            if name is None or value_tag is None or not value_tag.written.lower().endswith("arg_value"):
                return "", None, end
            return name.strip(), *self._until_end_tag(value_tag)
        if written in _PARAMETERS and tag.name:
            return tag.name, *self._until_end_tag(tag)
        if tag.written in schema.get("properties", {}):
            return tag.written, *self._until_end_tag(tag)
        return None

    def _until_end_tag(self, tag: TemplateMark) -> tuple[str | None, int]:
        if tag.empty:
            return "", tag.end
        closing = f"</{tag.written}"
        end = self.find(closing, tag.end)
        if end < 0:
            return None, len(self.text)
        value, after = self.text[tag.end : end], self.text.find(">", end)
        if f"<{tag.written}" in value or after < 0:
            return None, end
        return value, after + 1

    def find(self, wanted: str, position: int) -> int:
        """Find a string; remembers from where on it is missing."""
        if self._missing.get(wanted, len(self.text) + 1) <= position:
            return -1
        if (found := self.text.find(wanted, position)) < 0:
            self._missing[wanted] = position
        return found


def object_text(value: object) -> str | None:
    """Return a value as the text of a JSON object, as a real call has it; None if it is none."""
    try:
        return read_arguments(value) if isinstance(value, dict | str) else None
    except InvalidArguments:
        return None
