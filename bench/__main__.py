"""``python -m bench``: floor, naive loop, plain loop and our run side by side, on a Temporal server of their own."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from dataclasses import asdict
from pathlib import Path

from bench.measuring import Size, ready
from bench.table import ResultTable, machine

SMALL, LARGE = 4, 64
UNWANTED = ("WATCHKEEPER_", "TEMPORAL_", "OPENAI_", "PYTHONDONTWRITEBYTECODE")
"""Variables that mean the operator's own model, server and limits; without bytecode on disk, the sandbox compiles the
workflow's modules anew for every run."""

LARGE_ROUNDS = 50
"""As many as fit into one history: a longer run of such results continues as new."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=200, help="rounds of a run (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=2, help="runs of each contender (default: %(default)s)")
    parser.add_argument("--crowd", type=int, default=256, help="most runs at once (default: %(default)s)")
    parser.add_argument("--kills", type=int, default=3, help="workers killed (default: %(default)s)")
    parser.add_argument("--large", action="store_true", help=f"measure with results of {LARGE} KiB as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to a file as well")
    parser.add_argument("--docs", type=Path, metavar="DIRECTORY", help="write bench.md and bench.svg there as well")
    given = parser.parse_args()
    if given.rounds < 2 or given.repeats < 1 or given.crowd < 1 or given.kills < 0:
        parser.error("give at least 2 rounds, 1 repeat and a crowd of 1")
    return given


async def _measure(given: argparse.Namespace) -> list[ResultTable]:
    rounds, rest = given.rounds, (given.repeats, given.crowd, given.kills)
    sizes = [Size(rounds, SMALL, *rest)]
    if given.large:
        sizes.append(Size(min(LARGE_ROUNDS, rounds), LARGE, *rest))
    async with ready() as bench:
        return [await bench.table(size) for size in sizes]


def main() -> None:
    given = _arguments()
    for name in [name for name in os.environ if name.startswith(UNWANTED)]:
        del os.environ[name]
    began = time.monotonic()
    tables = asyncio.run(_measure(given))
    for table in tables:
        print("\n".join(table.markdown()), end="\n\n")
    print(f"{machine()}; took {time.monotonic() - began:.0f} s.", file=sys.stderr)
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": machine(), "tables": [asdict(table) for table in tables]}))
    if given.docs is not None:
        from bench.docs import write  # it takes matplotlib, which nothing else does

        write(tables[0], given.docs)


if __name__ == "__main__":
    main()
