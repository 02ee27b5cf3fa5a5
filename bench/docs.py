"""Writes ``docs/bench.md`` and its plot."""

from __future__ import annotations

from pathlib import Path

from bench.plot import draw
from bench.recovery import RUNS
from bench.table import ResultTable, machine

PAGE = Path(__file__).with_name("page.md")


def write(table: ResultTable, directory: Path) -> None:
    """Write the document and the plot."""
    directory.mkdir(exist_ok=True)
    draw(table, directory / "bench.svg")
    lines = list(table.markdown())
    body = "\n".join(line for line in lines[2:] if line and not line.startswith("- "))
    notes = "\n".join(f"- {note}." for note in table.notes)
    page = PAGE.read_text(encoding="utf-8").format(
        machine=machine(), title=table.title, table=body, notes=notes, runs=RUNS
    )
    (directory / "bench.md").write_text(page, encoding="utf-8")
