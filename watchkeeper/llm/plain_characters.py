"""Write a text as its model meant it: without escapes, invisible characters, and other spellings of tool names (pure).

Some hosts and proxies escape what models write, and some models write the punctuation of another script. A call stays a
call in each of these forms, so calls are also looked for in this spelling.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping, Set

_ENTITY = re.compile(
    r"&(?:amp;){0,3}((?:lt|gt|quot|apos|amp|lbrace|rbrace|lowbar|nbsp|#\d{2,4}|#[xX][0-9a-fA-F]{2,4});)"
)
_ESCAPE = re.compile(r"(?<!\\)\\([_<>\[\]{}|`*()/])")
_SPACED_TOKEN = re.compile(r"<[ \t]?([|｜])[ \t]?(/?[\w▁]{1,60})[ \t]?([|｜])[ \t]?>")

_FIRST_WIDE, _LAST_WIDE, _WIDE_DISTANCE = 0xFF01, 0xFF5E, 0xFEE0
_CHARACTERS: dict[int, str | None] = {
    **{wide: chr(wide - _WIDE_DISTANCE) for wide in range(_FIRST_WIDE, _LAST_WIDE + 1)},
    **dict.fromkeys((0x00A0, 0x202F, 0x3000), " "),
    **dict.fromkeys((0x201C, 0x201D, 0x201E, 0x201F), '"'),
    **dict.fromkeys((0x2018, 0x2019, 0x201A, 0x201B), "'"),
    **dict.fromkeys((0x00AD, 0x180E, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2065))),
}
"""Full-width forms, spaces, quotation marks and, with None, characters that are not visible."""

_NAME_PART = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+")


def plain_spelling(text: str, tools: Iterable[str]) -> str:
    """Return a text with ASCII punctuation, without escapes, and with the names of tools as their tools spell them.

    ``&lt;tool\\_call&gt;`` becomes ``<tool_call>``; ``Search-Logs``, ``searchLogs`` and ``mcp__server__search_logs``
    become ``search_logs`` if there is such a tool. The text may change its length.
    """
    text = _ENTITY.sub(lambda entity: html.unescape(f"&{entity[1]}"), text).translate(_CHARACTERS)
    text = _SPACED_TOKEN.sub(r"<\1\2\3>", _ESCAPE.sub(r"\1", text))
    spellings = {parts: name for name in tools if len(parts := tuple(_NAME_PART.findall(name))) > 1}
    own = set(spellings.values())
    if not spellings:
        return text
    by_letters = {"".join(parts).lower(): name for parts, name in spellings.items()}
    names = "|".join(
        "[_-]?".join(parts) for parts in sorted(spellings, key=lambda parts: len("".join(parts)), reverse=True)
    )
    spelled = re.compile(
        rf"(?<![\w-])(?:function(?=\w{{1,80}}[ \t]*\n)|[a-z]\w{{0,40}}?__|(?<=[\"'])[a-z][\w.-]{{0,60}}?[.:/])?"
        rf"(?P<name>{names})(?![\w-])",
        re.IGNORECASE,
    )
    return spelled.sub(lambda found: _own_spelling(found["name"], by_letters, own), text)


def _own_spelling(name: str, by_letters: Mapping[str, str], own: Set[str]) -> str:
    return name if name in own else by_letters[re.sub("[_-]", "", name).lower()]
