"""Run the whole fault matrix: ``python -m tests.end_to_end.chaos``.

Exit code 1: a result was lost, repeated or duplicated, or a run recovered too late.
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
from tests.end_to_end.chaos.hosts import run_hosts
from tests.end_to_end.chaos.matrix import HEADINGS, Row, full_matrix, take_baseline
from tests.end_to_end.chaos.scripted_run import Environment
from tests.end_to_end.chaos.temporal_server import run_server
from watchkeeper.cli.command_runner import silence_sdk_log

MEDIAN_SECONDS = 2.5


async def main() -> int:
    out, started = Console(width=None if sys.stdout.isatty() else 120), time.monotonic()
    silence_sdk_log()
    async with run_server() as server, run_hosts() as hosts:
        environment = Environment(server, hosts)
        baseline = await take_baseline(environment)
        rows = full_matrix(baseline)
        for row in rows:
            await row.inject(environment, baseline)
            out.print(f"{time.monotonic() - started:5.0f} s  {' · '.join(row.cells())}", highlight=False)
            for problem in row.problems():
                out.print(f"  {problem}", highlight=False, markup=False)
    table = Table(*HEADINGS)
    for row in rows:
        table.add_row(*row.cells())
    out.print(table)
    return 1 if any(row.problems() for row in rows) + _report_recovery(rows, out) else 0


def _report_recovery(rows: list[Row], out: Console) -> bool:
    times = [
        (outcome.recovery, outcome.where) for row in rows for outcome in row.outcomes if outcome.recovery is not None
    ]
    median_time, (worst, where) = median(seconds for seconds, _ in times), max(times)
    out.print(f"Next step after a kill with a second worker: median {median_time:.1f} s, worst {worst:.1f} s ({where})")
    if too_late := median_time > MEDIAN_SECONDS or worst > WORST_SECONDS:
        out.print(
            f"Limits: {MEDIAN_SECONDS:g} s and {WORST_SECONDS:g} s. Load of this machine: {os.getloadavg()[0]:.1f}."
        )
        for outcome in (outcome for row in rows for outcome in row.outcomes if outcome.history):
            out.print(f"{outcome.where}:", *outcome.history, sep="\n  ", highlight=False, markup=False)
    return too_late


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
