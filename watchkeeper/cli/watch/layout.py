"""Lines in the width of a terminal with facts at the right, or plain lines without a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from rich.console import Console, ConsoleOptions, RenderResult
from rich.markdown import Heading, Markdown
from rich.padding import Padding
from rich.rule import Rule
from rich.text import Text

from watchkeeper.text import visible

WIDTH = 118
"""Most characters of a line, also in a wider terminal."""

PLAIN = 160
"""Most characters of a line without a terminal, before its facts."""

_FACT, _CLOSE = 14, 10
"""Characters of the column of a fact, and in a narrow terminal."""

_NARROW = 80
"""Terminals with fewer columns are narrow."""

_LEFT = 24
"""Characters that the text at the left needs. Facts are left out where both do not fit."""


class _Heading(Heading):
    """A heading at the left, without a box."""

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        self.text.justify = "left"
        yield self.text


class _Report(Markdown):
    elements: ClassVar = {**Markdown.elements, "heading_open": _Heading}


def columns(left: Text, facts: Sequence[str], width: int) -> Text:
    """Return one line with facts at its right end. In a narrow line the first facts are left out."""
    end = "".join(f"  {fact}".rjust(_FACT if width >= _NARROW else _CLOSE) for fact in facts)
    if len(end) > width // 2:
        end = "".join(f"  {fact}" for fact in facts)
    while facts and len(end) > max(0, width - _LEFT):
        facts = facts[1:]
        end = "".join(f"  {fact}" for fact in facts)
    left = left.copy()
    left.truncate(max(0, width - len(end)), overflow="ellipsis", pad=bool(end))
    return Text.assemble(left, (end, "dim"))


class LineWriter:
    """Writes lines to one console."""

    def __init__(self, console: Console) -> None:
        self._console = console

    @property
    def width(self) -> int:
        """Characters of a line."""
        return min(WIDTH, self._console.width) if self._console.is_terminal else PLAIN

    def line(self, text: Text, *, wrap: bool = False, indent: int = 0) -> None:
        """Write a line. ``wrap`` breaks it at spaces, at the terminal's width; each part is indented."""
        if wrap and self._console.is_terminal:
            self._console.print(Padding(text, (0, 0, 0, indent)), width=self.width)
        elif indent:
            self._console.print(Text.assemble(" " * indent, text), soft_wrap=True)
        else:
            self._console.print(text, soft_wrap=True)

    def columns(self, left: Text, facts: list[str]) -> None:
        """Write one line with facts at its right end. The text at the left is cut to fit."""
        if not self._console.is_terminal:
            left.rstrip()
            left.truncate(PLAIN, overflow="ellipsis")
            self.line(Text.assemble(left, "  " if facts else "", ", ".join(facts)))
            return
        self.line(columns(left, facts, self.width))

    def markdown(self, title: str, body: str) -> None:
        """Write Markdown: laid out in a terminal, as it is without one."""
        if not self._console.is_terminal:
            self.line(Text(visible(body)))
            self.line(Text())
            return
        self._console.print(Rule(title, style="dim"), width=self.width)
        self._console.print(Padding(_Report(visible(body)), (1, 2)), width=self.width)
        self._console.print(Rule(style="dim"), width=self.width)
