"""Run the whole fault matrix: ``python -m tests.end_to_end.chaos``.

It fails if a result was lost, repeated or doubled, or if a run recovered late.
"""

from __future__ import annotations

import asyncio
import os
import sys
import time
from statistics import median

from rich.console import Console
from rich.table import Table

from tests.end_to_end.chaos.faults import WORST_SECONDS
from tests.end_to_end.chaos.hosts import hosts
from tests.end_to_end.chaos.matrix import HEADINGS, Row, take_baseline, whole
from tests.end_to_end.chaos.player import Ground
from tests.end_to_end.chaos.temporal_server import server
from watchkeeper.cli.command_runner import silence_sdk_log

MEDIAN_SECONDS = 2.5


async def main() -> int:
    out, began = Console(width=None if sys.stdout.isatty() else 120), time.monotonic()
    silence_sdk_log()
    async with server() as running, hosts() as around:
        ground = Ground(running, around)
        baseline = await take_baseline(ground)
        rows = whole(baseline)
        for row in rows:
            await row.play(ground, baseline)
            out.print(f"{time.monotonic() - began:5.0f} s  {' · '.join(row.cells())}", highlight=False)
            for problem in row.problems():
                out.print(f"  {problem}", highlight=False, markup=False)
    table = Table(*HEADINGS)
    for row in rows:
        table.add_row(*row.cells())
    out.print(table)
    return 1 if any(row.problems() for row in rows) + _late(rows, out) else 0


def _late(rows: list[Row], out: Console) -> bool:
    times = [
        (outcome.recovery, outcome.where) for row in rows for outcome in row.outcomes if outcome.recovery is not None
    ]
    middle, (worst, where) = median(seconds for seconds, _ in times), max(times)
    out.print(
        f"Next step after a kill, another worker up: {middle:.1f} s at the median, {worst:.1f} s at worst, {where}"
    )
    if late := middle > MEDIAN_SECONDS or worst > WORST_SECONDS:
        out.print(
            f"Wanted: {MEDIAN_SECONDS:g} s and {WORST_SECONDS:g} s. Load of this machine: {os.getloadavg()[0]:.1f}."
        )
        for outcome in (outcome for row in rows for outcome in row.outcomes if outcome.since):
            out.print(f"{outcome.where}:", *outcome.since, sep="\n  ", highlight=False, markup=False)
    return late


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
