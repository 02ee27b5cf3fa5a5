"""Writes ``docs/bench.md`` and its plots."""

from __future__ import annotations

from pathlib import Path

from bench import alert_rate, recovery, short_runs
from bench.plot import draw
from bench.table import ResultTable, machine

PAGE = Path(__file__).with_name("page.md")


def write(table: ResultTable, directory: Path) -> None:
    """Write the document and the plots."""
    directory.mkdir(exist_ok=True)
    draw(table, directory / "bench.svg")
    lines = list(table.markdown())
    page = PAGE.read_text(encoding="utf-8").format(
        machine=machine(),
        title=table.title,
        table="\n".join(line for line in lines[2:] if line and not line.startswith("- ")),
        notes="\n".join(f"- {note}." for note in table.notes),
        runs=recovery.RUNS,
        short_rounds=short_runs.ROUNDS,
        living=alert_rate.RUNS,
    )
    (directory / "bench.md").write_text(page, encoding="utf-8")
