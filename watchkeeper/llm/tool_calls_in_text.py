"""Find tool calls that a host left in the text: K2's own tokens, tagged or bare JSON, a call in program notation.

Only a complete block of K2 states exactly what to run. Any other call in a text only shows that the text is not an
answer.
"""

from __future__ import annotations

import json
import re
from collections.abc import Set
from typing import NamedTuple

from watchkeeper.contracts import JsonObject

_BEGIN, _ARGUMENTS, _END = "<|tool_call_begin|>", "<|tool_call_argument_begin|>", "<|tool_call_end|>"
_SECTION = r"<\|tool_calls?_section_(?:begin|end)\|>"
_MARKER = re.compile(rf"({_SECTION}|{re.escape(_BEGIN)}|{re.escape(_ARGUMENTS)}|{re.escape(_END)})")
_SECTION_START = re.compile(r"<\|tool_calls?_section_begin\|>\s*(?:<\|tool_call_begin\|>\s*)?\Z")

_HEADER = re.compile(r"\s*(?P<id>(?P<prefix>functions\.)?(?P<name>[\w-]*)(?P<index>:\d+)?)")
_TAGGED = re.compile(
    r"<tool_call>\s*(?:\{|<function=|[\w-]+\s*<arg_key>).*?(?:</tool_call>|\Z)",  # Hermes and Qwen, Qwen, GLM
    re.DOTALL,
)
_FENCED = re.compile(r"```\w*\s(.*)```", re.DOTALL)
_IN_PARENTHESES = re.compile(r"\([^()]*\)")
_CUT_CALL = re.compile(r'\{\s*"name"\s*:\s*"(?:functions\.)?([\w-]+)')
_SPACE = re.compile(r"\s*")


class TextCalls(NamedTuple):
    """Calls found in a text."""

    calls: list[JsonObject]
    """The calls that can run, in the shape of ``tool_calls``; empty if none can be read with certainty."""
    text: str
    """The text without the calls."""


def find_text_calls(text: str, tools: Set[str]) -> TextCalls | None:
    """Find calls in a text. None if the text contains no call; it may mention the tokens of calls."""
    if (found := _find_k2_calls(text, tools)) is not None:
        return found
    untagged = _TAGGED.sub("", text)
    if untagged != text:
        return TextCalls([], untagged)
    fenced = _FENCED.fullmatch(text.strip())
    if _has_only_calls((fenced[1] if fenced else text).strip(), tools):
        return TextCalls([], "")
    return None


def _find_k2_calls(text: str, tools: Set[str]) -> TextCalls | None:
    """Read the blocks ``begin functions.name:index argument_begin {...} end``; drop incomplete ones."""
    pieces = _MARKER.split(text)  # text, marker, text, marker, ... text
    if len(pieces) == 1:
        return None
    calls: list[JsonObject] = []
    rest, found, position = [pieces[0]], False, 1
    while position < len(pieces):
        header = _call_header(pieces[position + 1], tools) if pieces[position] == _BEGIN else None
        if header is None:
            rest += pieces[position : position + 2]
            position += 2
            continue
        found = True
        if pieces[position + 2 : position + 6 : 2] == [_ARGUMENTS, _END] and _is_complete(header):
            calls.append(_k2_call(header, pieces[position + 3]))
            rest.append(pieces[position + 5])
            position += 6
        else:
            position = _next_marker(pieces, _BEGIN, position + 2)
    if not found and not _SECTION_START.search(text) and _MARKER.sub("", text).strip():
        return None
    return TextCalls(calls, re.sub(_SECTION, "", "".join(rest)) if found else _MARKER.sub("", text))


def _call_header(text: str, tools: Set[str]) -> re.Match[str] | None:
    """Read the head of a call; None if the text after the token is prose."""
    header = _HEADER.match(text)
    if header and (header["prefix"] or header["index"] or header["name"] in tools):
        return header
    return None


def _is_complete(header: re.Match[str]) -> bool:
    return not header.string[header.end() :].strip()


def _k2_call(header: re.Match[str], arguments: str) -> JsonObject:
    call_id = header["id"] if header["index"] else None
    return {"id": call_id, "function": {"name": header["id"], "arguments": arguments}}


def _next_marker(pieces: list[str], marker: str, position: int) -> int:
    while position < len(pieces) and pieces[position] != marker:
        position += 2
    return position


def _has_only_calls(text: str, tools: Set[str]) -> bool:
    """Return whether a text is a sequence of calls: JSON, ``name{...}`` or ``name(...)``. The last may be cut."""
    position = 0
    while position < len(text):
        header = _HEADER.match(text, position)
        named = header is not None and bool(header["prefix"] or header["name"] in tools)
        if named and header is not None:
            position = _skip_space(text, header.end())
        if named and (parentheses := _IN_PARENTHESES.match(text, position)):
            position = parentheses.end()
        else:
            try:
                value, position = json.JSONDecoder().raw_decode(text, position)
            except (ValueError, RecursionError):
                cut = _CUT_CALL.match(text, position)
                return cut is not None and cut[1] in tools
            if not named and not _is_call(value):
                return False
        position = _skip_space(text, position)
    return position > 0


def _skip_space(text: str, position: int) -> int:
    space = _SPACE.match(text, position)
    return space.end() if space else position


def _is_call(value: object) -> bool:
    """Return whether a JSON value has the shape of a call, or of a list of calls."""
    match value:
        case {"tool_calls": list() as calls} | (list() as calls):
            return bool(calls) and all(map(_is_one_call, calls))
        case _:
            return _is_one_call(value)


def _is_one_call(value: object) -> bool:
    match value:
        case {"name": str(), "arguments": _} | {"name": str(), "parameters": _} | {"function": {"name": str()}}:
            return True
        case _:
            return False
