"""``python -m bench``: our run, its baselines and other durable frameworks side by side, on a separate server."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from bench.suite import BenchSize, start_bench
from bench.table import ResultTable, machine

SMALL, LARGE = 4, 64
IGNORED_VARIABLES = ("WATCHKEEPER_", "TEMPORAL_", "OPENAI_", "PYTHONDONTWRITEBYTECODE")
"""Variables of the operator's model, server and limits. Without bytecode on disk, the sandbox compiles the workflow's
modules for every run again."""

LARGE_ROUNDS = 50
"""As many as fit into one history; a longer run with such results continues as new."""

FULL = {"rounds": 200, "repeats": 2, "concurrency": 256, "kills": 3, "idle": [400, 2_000], "alerts": 800}
QUICK = {"rounds": 12, "repeats": 1, "concurrency": 16, "kills": 1, "idle": [20], "alerts": 80}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--small", action="store_true", help="measure a little of everything, in about five minutes")
    parser.add_argument("--rounds", type=int, help="rounds of a run")
    parser.add_argument("--repeats", type=int, help="runs of each contender")
    parser.add_argument("--concurrency", type=int, help="most runs at once")
    parser.add_argument("--kills", type=int, help="workers of each contender that are killed")
    parser.add_argument("--idle", type=int, nargs="*", metavar="RUNS", help="numbers of idle runs, ascending")
    parser.add_argument("--alerts", type=int, help="alerts that are sent into living runs")
    parser.add_argument("--large", action="store_true", help=f"measure with results of {LARGE} KiB as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to a file as well")
    parser.add_argument("--docs", type=Path, metavar="DIRECTORY", help="write bench.md and bench.svg there as well")
    options = parser.parse_args()
    for name, value in (QUICK if options.small else FULL).items():
        if getattr(options, name) is None:
            setattr(options, name, value)
    if options.rounds < 2 or min(options.repeats, options.concurrency, options.alerts) < 1 or options.kills < 0:
        parser.error("give at least 2 rounds, 1 repeat, a concurrency of 1 and 1 alert")
    if options.idle != sorted({count for count in options.idle if count >= 1}):
        parser.error(f"give ascending numbers of idle runs from 1, not {options.idle}")
    return options


async def _measure(options: argparse.Namespace) -> list[ResultTable]:
    sizes = [
        BenchSize(rounds, kib, options.repeats, options.concurrency, options.kills, tuple(options.idle), options.alerts)
        for rounds, kib in ((options.rounds, SMALL), (min(LARGE_ROUNDS, options.rounds), LARGE))
    ]
    async with start_bench() as bench:
        return [await bench.table(size) for size in sizes[: 2 if options.large else 1]]


def main() -> None:
    options = _arguments()
    for name in [name for name in os.environ if name.startswith(IGNORED_VARIABLES)]:
        del os.environ[name]
    started_at = time.monotonic()
    tables = asyncio.run(_measure(options))
    for table in tables:
        print("\n".join(table.markdown()), end="\n\n")
    print(f"{machine()}; took {time.monotonic() - started_at:.0f} s.", file=sys.stderr)
    if options.json is not None:
        options.json.write_text(json.dumps({"machine": machine(), "tables": [asdict(table) for table in tables]}))
    if options.docs is not None:
        from bench.docs import write  # imports matplotlib, which only the plot needs

        write(tables[0], options.docs)


if __name__ == "__main__":
    main()
