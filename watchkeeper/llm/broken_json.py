"""Recognise the beginning of a JSON call that cannot be parsed: it was cut, or has other quotes or none."""

from __future__ import annotations

import re
from collections.abc import Container

from watchkeeper.llm.json_calls import plain_name

_QUOTE = r"""\\?["'“”]"""
_NAME_KEY = (
    rf"""(?:{_QUOTE})?(?:\w{{1,20}}_)?(?:name|(?:tool|function)(?:_?name|_calls)?|action|method|type)(?:{_QUOTE})?"""
    r"""\s{0,9}[:=]"""
)
_OTHER_MEMBERS = r"""(?:["'][\w-]{1,30}["']\s{0,9}:\s{0,9}(?:["'][^"'\n]{0,200}["']\s{0,9},|[{\[])\s{0,20}){0,5}?"""
_CUT_JSON = re.compile(
    rf"""[\[{{\s]{{0,20}}{_OTHER_MEMBERS}"""
    rf"""(?:(?:{_NAME_KEY}[\[{{\s]{{0,20}}){{1,4}}{_QUOTE}(?!(?:function|tool)(?:_\w{{1,20}})?["'])(?P<name>[\w.:-]{{0,100}})"""
    r"""|["'](?P<key>[\w.:-]{1,100})["']\s{0,9}:?\s{0,9}(?:\{[^{}]*\}?\s{0,9})?\Z)"""
)


def names_tool(text: str, position: int, tools: Container[str]) -> bool:
    """Return whether broken JSON at a position names one of the tools, or ends within a name."""
    cut = _CUT_JSON.match(text, position)
    if cut is None:
        return False
    name = plain_name(cut["name"] or cut["key"] or "")
    return name in tools or (cut["key"] is None and cut.end() >= len(text) - 1)
