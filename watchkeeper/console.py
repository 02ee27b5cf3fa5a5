"""The terminal: standard output, standard error, JSON for scripts and tables for people."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path

import typer
from rich.console import Console
from rich.text import Text
from rich.theme import Theme

from watchkeeper.contracts import JsonObject
from watchkeeper.text import visible

out = Console(highlight=False, theme=Theme({"markdown.code": "bold cyan"}))
"""Standard output: the answer to the command."""

err = Console(stderr=True, highlight=False)
"""Standard error: errors and notes for the person at the terminal."""

PROGRAM = "watchkeeper"

_WANTED_WIDTH, _MIN_WIDTH = 24, 12
"""Characters of a table's last column: what it should have, and what it gets in any case."""


def clock(at: datetime) -> str:
    """Write a time in this machine's time zone."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def typed_command(arguments: str) -> str:
    """Return a command of this program as the person at this terminal can type it: ``.venv/bin/watchkeeper dev``."""
    return f"{_program()} {arguments.removeprefix(f'{PROGRAM} ')}"


def with_typed_commands(text: str) -> str:
    """Replace the commands of this program in a text, such as ```watchkeeper list```, by what the person can type."""
    return text.replace(f"`{PROGRAM} ", f"`{_program()} ")


@cache
def _program() -> str:
    script = Path(sys.argv[0])
    found = shutil.which(script.name)
    if script.name != PROGRAM or (found and script.exists() and script.samefile(found)):
        return PROGRAM
    path = script.absolute()
    relative = path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path
    return shlex.quote(f"./{relative}" if len(relative.parts) == 1 else str(relative))


def interactive() -> bool:
    """Tell whether a person is at both standard input and standard output."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def write_json(value: JsonObject | list[JsonObject]) -> None:
    """Print JSON, indented."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    typer.echo(re.sub("[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text))


def table(headings: Sequence[str], rows: Iterable[Sequence[Text | str]], *, optional: Sequence[str] = ()) -> Text:
    """Lay out rows, one line each. In a terminal there are headings, and the last column is cut to the width.

    ``optional`` columns are left out, the first one first, where the last column lacks room. If it still lacks room,
    the first column gets separate lines.
    """
    cells = [[cell if isinstance(cell, Text) else Text(visible(cell)) for cell in row] for row in rows]
    if not out.is_terminal:
        return Text("\n").join(_lines(cells, _widths(cells)[-1]))
    cells.insert(0, [Text(heading, "dim") for heading in headings])
    kept, last_width = _without_optional(headings, cells, optional, out.width)
    if last_width >= _MIN_WIDTH:
        return Text("\n").join(_lines(kept, last_width))
    others = [row[1:] for row in cells]
    kept, last_width = _without_optional(headings[1:], others, optional, out.width - 2)
    lines = _lines(kept, max(1, last_width))
    for line in lines:
        line.truncate(max(1, out.width - 2), overflow="ellipsis")
    return Text("\n").join(Text.assemble(first, "\n  ", line) for (first, *_), line in zip(cells, lines, strict=True))


def _without_optional(
    headings: Sequence[str], cells: list[list[Text]], optional: Sequence[str], width: int
) -> tuple[list[list[Text]], int]:
    """Leave out the optional columns that are empty or lack room. Also return the width of the last column."""
    widths = _widths(cells)
    filled = [any(len(row[column]) for row in cells[1:]) for column in range(len(headings))]
    kept = [column for column, heading in enumerate(headings) if filled[column] or heading not in optional]
    for heading in optional:
        if width - _width_before_last([widths[column] for column in kept]) >= _WANTED_WIDTH:
            break
        kept = [column for column in kept if headings[column] != heading]
    last_width = width - _width_before_last([widths[column] for column in kept])
    return [[row[column] for column in kept] for row in cells], last_width


def _lines(cells: list[list[Text]], last_width: int) -> list[Text]:
    widths = _widths(cells)
    lines: list[Text] = []
    for *columns, last in cells:
        for column, width in zip(columns, widths, strict=False):
            column.pad_right(width - column.cell_len + 2)
        last.truncate(last_width, overflow="ellipsis")
        lines.append(Text.assemble(*columns, last))
    return lines


def _widths(cells: Sequence[Sequence[Text]]) -> list[int]:
    return [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]


def _width_before_last(widths: Sequence[int]) -> int:
    return sum(widths[:-1]) + 2 * len(widths[:-1])
