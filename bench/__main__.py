"""``python -m bench``: floor, naive loop, plain loop and our run side by side, on a separate Temporal server."""

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


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="rounds of a run (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each contender (default: %(default)s)")
    parser.add_argument("--concurrency", type=int, default=256, help="most runs at once (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=3, help="workers killed (default: %(default)s)")
    parser.add_argument("--large", action="store_true", help=f"measure with results of {LARGE} KiB as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to a file as well")
    parser.add_argument("--docs", type=Path, metavar="DIRECTORY", help="write bench.md and bench.svg there as well")
    options = parser.parse_args()
    if options.rounds < 2 or options.repeats < 1 or options.concurrency < 1 or options.kills < 0:
        parser.error("give at least 2 rounds, 1 repeat and a concurrency of 1")
    return options


async def _measure(options: argparse.Namespace) -> list[ResultTable]:
    rounds, rest = options.rounds, (options.repeats, options.concurrency, options.kills)
    sizes = [BenchSize(rounds, SMALL, *rest)]
    if options.large:
        sizes.append(BenchSize(min(LARGE_ROUNDS, rounds), LARGE, *rest))
    async with start_bench() as bench:
        return [await bench.table(size) for size in sizes]


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
