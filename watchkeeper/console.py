"""What people see in a terminal: two consoles, and values in few characters (pure but for the consoles)."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

import typer
from rich.console import Console
from rich.text import Text
from rich.theme import Theme

from watchkeeper.contracts import JsonObject

out = Console(highlight=False, theme=Theme({"markdown.code": "bold cyan"}))
"""What was asked for."""

err = Console(stderr=True, highlight=False)
"""What went wrong, and what else a person at the terminal should know."""

# Anybody writes logs; a terminal obeys escape sequences, and bidirectional marks reorder what is read.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")

_MINUTE, _HOUR = 60, 3_600

_ROOM, _LEAST = 24, 12
"""Characters of a table's last column: what it should have, and what it gets in any case."""


def visible(text: str) -> str:
    """Return a text without what a terminal would obey instead of show."""
    return _UNSEEN.sub("\ufffd", text)


def one_line(text: str, width: int) -> str:
    """Return a text as one visible line of at most ``width`` characters."""
    line = visible(" ".join(text.split()))
    return line if len(line) <= width else f"{line[: max(0, width - 1)]}…"


def duration(seconds: float) -> str:
    """Write seconds as people say them: ``45 ms``, ``1.2 s``, ``4 min 05 s``, ``2 h 03 min``."""
    if seconds < 1:
        return f"{seconds * 1_000:.0f} ms"
    if seconds < _MINUTE:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), _MINUTE)
    if seconds < _HOUR:
        return f"{minutes} min {rest:02} s"
    return f"{minutes // 60} h {minutes % 60:02} min"


def size(count: int) -> str:
    """Write bytes as people say them: ``212 B``, ``1.9 kB``, ``3.1 MB``."""
    if count < 1_000:
        return f"{count} B"
    return f"{count / 1_000:.1f} kB" if count < 1_000_000 else f"{count / 1_000_000:.1f} MB"


def clock(at: datetime) -> str:
    """Write a time as this machine's people read it."""
    return f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def count(number: int, what: str) -> str:
    """Write how many there are: ``1 round``, ``4 rounds``."""
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def arguments(text: str) -> str:
    """Write a call's arguments, JSON text of an object, as ``service=checkout minutes=30``; anything else as it is."""
    try:
        given = json.loads(text)
    except ValueError:
        return text
    if not isinstance(given, dict):
        return text
    return " ".join(f"{name}={_argument(value)}" for name, value in given.items())


def _argument(value: object) -> str:
    if isinstance(value, str) and value and not re.search(r'[\s"=]', value):
        return value
    return json.dumps(value, ensure_ascii=False)


def write_json(value: JsonObject | list[JsonObject]) -> None:
    """Print JSON, one object for scripts that a person can read too."""
    text = json.dumps(value, indent=2, ensure_ascii=False)
    typer.echo(re.sub("[\x7f-\x9f]", lambda found: f"\\u{ord(found[0]):04x}", text))


def table(headings: Sequence[str], rows: Iterable[Sequence[Text | str]], *, spare: Sequence[str] = ()) -> Text:
    """Lay out rows, each one line; in a terminal, under headings, the last column gives way to the width.

    ``spare``: headings of columns that are left out, the first one first, where the last column lacks room. Where it
    lacks even so, the first column gets lines of its own.
    """
    cells = [[cell if isinstance(cell, Text) else Text(visible(cell)) for cell in row] for row in rows]
    if not out.is_terminal:
        return Text("\n").join(_laid(cells, _widths(cells)[-1]))
    cells.insert(0, [Text(heading, "dim") for heading in headings])
    fitting, room = _fitting(headings, cells, spare, out.width)
    if room >= _LEAST:
        return Text("\n").join(_laid(fitting, room))
    rest, room = _fitting(headings[1:], [row[1:] for row in cells], spare, out.width - 2)
    laid = zip(cells, _laid(rest, max(1, room)), strict=True)
    return Text("\n").join(Text.assemble(first, "\n  ", line) for (first, *_), line in laid)


def _fitting(
    headings: Sequence[str], cells: list[list[Text]], spare: Sequence[str], width: int
) -> tuple[list[list[Text]], int]:
    """Leave out the spare columns that are empty or lack room; return the others and the room of the last one."""
    widths = _widths(cells)
    said = [any(len(row[place]) for row in cells[1:]) for place in range(len(headings))]
    kept = [place for place, heading in enumerate(headings) if said[place] or heading not in spare]
    for heading in spare:
        if width - _taken([widths[place] for place in kept]) >= _ROOM:
            break
        kept = [place for place in kept if headings[place] != heading]
    return [[row[place] for place in kept] for row in cells], width - _taken([widths[place] for place in kept])


def _laid(cells: list[list[Text]], room: int) -> list[Text]:
    widths = _widths(cells)
    lines: list[Text] = []
    for *columns, last in cells:
        for column, width in zip(columns, widths, strict=False):
            column.pad_right(width - column.cell_len + 2)
        last.truncate(room, overflow="ellipsis")
        lines.append(Text.assemble(*columns, last))
    return lines


def _widths(cells: Sequence[Sequence[Text]]) -> list[int]:
    return [max(cell.cell_len for cell in column) for column in zip(*cells, strict=True)]


def _taken(widths: Sequence[int]) -> int:
    """Return how many characters the columns before the last one take."""
    return sum(widths[:-1]) + 2 * len(widths[:-1])


def interactive() -> bool:
    """Tell whether a person sits at both ends."""
    return sys.stdin.isatty() and sys.stdout.isatty()
