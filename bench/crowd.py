"""Many runs at once on one worker: how fast they go, and what a round takes of the worker's and the server's CPU."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bench.durable import Durable
from bench.table import Row
from bench.usage import cpu_seconds

CROWDS = {1: 20, 16: 8, 64: 5, 256: 4}
"""How many runs at once, and how many rounds each."""

LARGE = 64
"""So many runs are samples enough to be taken once."""

REST_SECONDS = 0.3
"""Between two, for what the server has to tidy up."""


class Went(NamedTuple):
    """What a crowd of runs took."""

    rounds: int
    seconds: float
    worker: float
    """CPU seconds."""
    server: float | None
    """CPU seconds, where they can be known."""


async def crowds(
    racers: Mapping[str, Durable], server: int, most: int, repeats: int, kib: int
) -> dict[int, dict[str, list[Went]]]:
    """Let every contender run every crowd of at most so many, one after the other."""
    taken: dict[int, dict[str, list[Went]]] = {}
    for runs, rounds in CROWDS.items():
        if runs > most:
            break
        taken[runs] = {name: [] for name in racers}
        for _ in range(repeats if runs < LARGE else 1):
            for name, racer in racers.items():
                taken[runs][name].append(await _crowd(racer, server, runs, rounds, kib))
    return taken


async def _crowd(racer: Durable, server: int, runs: int, rounds: int, kib: int) -> Went:
    await asyncio.sleep(REST_SECONDS)
    before, served = await racer.worker.ask("cpu"), cpu_seconds(server)
    began = time.perf_counter()
    started = await asyncio.gather(*(racer.start(rounds, kib) for _ in range(runs)))
    await asyncio.gather(*(handle.result() for handle in started))
    took = time.perf_counter() - began
    after = cpu_seconds(server)
    used = None if served is None or after is None else after - served
    return Went(runs * rounds, took, await racer.worker.ask("cpu") - before, used)


def rows(taken: Mapping[int, Mapping[str, Sequence[Went]]]) -> Iterator[Row]:
    """Tell of it."""
    for runs, by_name in taken.items():
        rates = {name: [each.rounds / each.seconds for each in went] for name, went in by_name.items()}
        yield Row(f"throughput of {_count(runs)}, rounds/s", rates)
    for runs in dict.fromkeys((min(taken), max(taken))):
        by_name = taken[runs]
        served = {
            name: [1_000 * each.server / each.rounds for each in went if each.server is not None]
            for name, went in by_name.items()
        }
        worked = {name: [1_000 * each.worker / each.rounds for each in went] for name, went in by_name.items()}
        yield Row(f"server CPU per round of {_count(runs)}, ms", served)
        if runs > 1:
            yield Row(f"worker CPU per round of {_count(runs)}, ms", worked)


def _count(runs: int) -> str:
    return "1 run" if runs == 1 else f"{runs} runs at once"
