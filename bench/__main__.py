"""``python -m bench``: floor, naive loop and our run side by side, on a Temporal server of their own."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
import time
from contextlib import AsyncExitStack
from dataclasses import asdict
from pathlib import Path

from bench.measuring import Bench
from bench.process import spawned
from bench.server import serving
from bench.table import Table, machine

SMALL, LARGE = 4, 64
OPERATORS = ("WATCHKEEPER_", "TEMPORAL_", "OPENAI_")
"""Variables that mean the operator's own model, server and limits."""

LARGE_ROUNDS = 50
"""As many as fit into one history: a longer run of such results continues as new."""


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--rounds", type=int, default=100, help="rounds of a run (default: %(default)s)")
    parser.add_argument("--repeats", type=int, default=3, help="runs of each contender (default: %(default)s)")
    parser.add_argument("--large", action="store_true", help=f"measure with results of {LARGE} KiB as well")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every sample to a file as well")
    given = parser.parse_args()
    if given.rounds < 2 or given.repeats < 1:
        parser.error("give at least 2 rounds and 1 repeat")
    return given


async def _measure(given: argparse.Namespace) -> list[Table]:
    sizes = [(SMALL, given.rounds), *([(LARGE, min(LARGE_ROUNDS, given.rounds))] if given.large else [])]
    async with AsyncExitStack() as stack:
        address = await stack.enter_async_context(serving())
        model = await stack.enter_async_context(spawned("model"))
        bench = Bench(address, model, await model.heard())
        return [await bench.table(rounds, kib, given.repeats) for kib, rounds in sizes]


def main() -> None:
    given = _arguments()
    for name in [name for name in os.environ if name.startswith(OPERATORS)]:
        del os.environ[name]
    began = time.monotonic()
    tables = asyncio.run(_measure(given))
    print(f"# Benchmark\n\n{machine()}. Medians of {given.repeats} interleaved runs; ratios are medians of the ratios")
    print("of neighbouring runs. Only the ratios carry over to other machines.\n")
    for table in tables:
        print("\n".join(table.markdown()), end="\n\n")
    print(f"Took {time.monotonic() - began:.0f} s.", file=sys.stderr)
    if given.json is not None:
        given.json.write_text(json.dumps({"machine": machine(), "tables": [asdict(table) for table in tables]}))


if __name__ == "__main__":
    main()
