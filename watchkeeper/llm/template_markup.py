"""Markup of chat templates in a text: tokens, tags and brackets, recognised by their shape and their names.

No model is named here. A mark opens a call if its name joins a word for a tool with a word for calling it
(``tool_call``, ``function_calls``, ``use_mcp_tool``), or is one of the few names that are used alone (``invoke``).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Literal, NamedTuple, TypeAlias

MarkKind: TypeAlias = Literal["opens_call", "opens_tool", "closes_call", "result", "other"]
"""``opens_tool``: a name that is common elsewhere, too; it only opens a call if the name of a tool follows."""

_BAR = "[|｜]"
_VALUE = r"""(?:"[^"<>]{0,300}"|'[^'<>]{0,300}'|[^\s"'<>]{1,100})"""
_MARK = re.compile(
    rf"<(?P<token>{_BAR}/?[^<>|｜\s][^<>|｜\n]{{0,60}}(?:{_BAR}>|>)|/?[\w▁]{{1,60}}{_BAR}>)"
    r"|<(?P<slash>/?)(?P<tag>[A-Za-z_][\w.-]{0,60})"
    rf"(?:=(?P<value>{_VALUE})|(?P<attributes>(?:\s{{1,20}}[\w.:-]{{1,40}}\s?=\s?{_VALUE}){{0,8}}))(?P<empty>\s{{0,30}}/?)>"
    r"|\[(?P<bracket>/?[A-Za-z][A-Za-z_ ]{2,30})\]"
)
_ATTRIBUTE = re.compile(rf"([\w.:-]+)\s?=\s?({_VALUE})")
_NAMES = ("name", "tool", "function", "tool_name", "key")

_NOT_A_LETTER = re.compile(r"[^a-z]")
_TOOL, _CALL = "(?:tool|function|func|plugin)s?", "(?:call|use|usage|request|code|invocation|invoke)s?"
_OPENS_CALL = re.compile(
    rf"(?:start|begin|end)?{_TOOL}{_CALL}(?:section|argument|name|input|begin|start|end)*|{_TOOL}(?:sep|begin|start|calling)"
    rf"|(?:{_CALL}|execute|run|start|begin|make)(?:the|a|mcp|custom)?{_TOOL}(?:call)?|invoke|pythontag"
    r"|(?:start|begin)action|action(?:start|begin)|\w*toolcall|\w*functioncall|functools|\w{0,20}arg(?:ument)?(?:key|value)"
)
_OPENS_TOOL = re.compile(rf"{_TOOL}|call|calls|action|(?:{_TOOL})?name")
_RESULT = re.compile(
    rf"{_TOOL}(?:call)?(?:response|result|output|observation)s?(?:section)?(?:begin|start)?|observation"
)

_PREFIX = rf"(?:\s?{_BAR}{{0,2}}\s?\w{{1,20}}\s?{_BAR}{{1,2}}\s?|[\w-]{{1,20}}:)"
_SPACED_TAG = re.compile(r"<(/?\w{1,30})[ \t]{1,3}=[ \t]{0,3}([^<>\n]{1,100})>")
_PREFIXED_TAG = re.compile(rf"<(/?){_PREFIX}(/?)([A-Za-z_][^<>|｜]{{0,300}})>")
_OPEN_CLOSE = re.compile(rf"<{_BAR}(open|close){_BAR}>([^<>]{{1,300}})<{_BAR}sep{_BAR}>")


class TemplateMark(NamedTuple):
    """A token, a tag or a bracket."""

    kind: MarkKind
    form: Literal["token", "tag", "bracket"]
    written: str
    """Its own name as written, without attributes and prefix."""
    start: int
    end: int
    name: str | None
    """The name in its attributes, or after an equals sign: of a tool, or of a parameter."""
    attributes: Mapping[str, str]
    closes: bool
    """It is an end tag."""
    empty: bool
    """It is a start tag and an end tag."""


def uniform(text: str) -> str:
    """Return a text of the same length in which prefixed tags and spelled-out tags are written as plain tags.

    ``<｜X｜invoke name="a">`` and ``<x:invoke name="a">`` become ``<invoke name="a"   >``, ``<function = a>`` becomes
    ``<function=a  >``, and ``<|open|>call tool="a"<|sep|>`` becomes ``<call tool="a"   >``.
    """
    text = _SPACED_TAG.sub(lambda tag: _padded(tag[0], f"<{tag[1]}={tag[2].rstrip()}"), text)
    text = _PREFIXED_TAG.sub(lambda tag: _padded(tag[0], f"<{tag[1] or tag[2]}{tag[3].rstrip()}"), text)
    return _OPEN_CLOSE.sub(lambda tag: _padded(tag[0], f"<{'/' if tag[1] == 'close' else ''}{tag[2].strip()}"), text)


def marks(text: str) -> Iterator[TemplateMark]:
    """Yield the markup of a text in order. Takes linear time."""
    for found in _MARK.finditer(text):
        yield _mark(found)


def mark_at(text: str, position: int) -> TemplateMark | None:
    """Return the mark that begins at a position."""
    found = _MARK.match(text, position)
    return _mark(found) if found else None


def _mark(found: re.Match[str]) -> TemplateMark:
    form: Literal["token", "tag", "bracket"] = "token" if found["token"] else "tag" if found["tag"] else "bracket"
    written = found[form]
    closes = bool(found["slash"]) or written.startswith(("/", "|/", "｜/"))
    written = written.strip("|｜/<> ")
    attributes = {key: value.strip("\"'") for key, value in _ATTRIBUTE.findall(found["attributes"] or "")}
    if found["value"]:
        name: str | None = found["value"].strip("\"' ")
    else:
        name = next((attributes[key] for key in _NAMES if key in attributes), None)
    kind = _kind(_NOT_A_LETTER.sub("", written.lower()), closes=closes, named=bool(found["value"]))
    return TemplateMark(
        kind, form, written, found.start(), found.end(), name, attributes, closes, (found["empty"] or "")[-1:] == "/"
    )


def _kind(name: str, *, closes: bool, named: bool) -> MarkKind:
    if _RESULT.fullmatch(name):
        return "result"
    if _OPENS_CALL.fullmatch(name) or (named and name in ("function", "tool")):
        return "closes_call" if closes or name.startswith("end") or name.endswith("end") else "opens_call"
    if _OPENS_TOOL.fullmatch(name):
        return "closes_call" if closes else "opens_tool"
    return "other"


def _padded(original: str, written: str) -> str:
    return f"{written}{' ' * (len(original) - len(written) - 1)}>"
