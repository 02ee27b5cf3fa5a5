"""Short runs at once on one worker: rounds per second, how long a run takes, and the CPU time of worker and server."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from statistics import quantiles
from typing import NamedTuple

from bench.child_process import ChildProcess
from bench.process_usage import cpu_seconds
from bench.table import Row
from bench.temporal_runner import TemporalRunner

ROUNDS = 4
"""Rounds of a short run."""

REPEATS = {1: 10, 16: 3, 64: 1, 256: 1}
"""Measurements, by the number of runs at once."""

REST_SECONDS = 0.3
"""Pause before each measurement, in which the server finishes earlier work."""


class ShortRuns(NamedTuple):
    """What a number of runs at once took."""

    rounds: int
    seconds: float
    runs: list[float]
    """Seconds of each run, from its start to its result."""
    to_request: float
    """Seconds from the call that starts the first run to the first model request."""
    worker: float
    """CPU seconds."""
    server: float | None
    """CPU seconds; None where the system does not report them."""

    @property
    def rate(self) -> float:
        """Rounds per second."""
        return self.rounds / self.seconds

    @property
    def p95(self) -> float:
        """Seconds within which 95 % of the runs had their result."""
        return quantiles(self.runs, n=20, method="inclusive")[-1] if len(self.runs) > 1 else self.runs[0]


Measured = Mapping[int, Mapping[str, Sequence[ShortRuns]]]
"""By the number of runs at once, then by contender."""


async def measure(
    runners: Mapping[str, TemporalRunner], model: ChildProcess, server: int, most: int, kib: int, *, once: bool
) -> Measured:
    """Measure every contender at each number of runs up to ``most``, in turns: once, or as often as its noise needs."""
    measured: dict[int, dict[str, list[ShortRuns]]] = {}
    for count in (count for count in REPEATS if count <= most):
        measured[count] = {name: [] for name in runners}
        for _ in range(1 if once else REPEATS[count]):
            for name, runner in runners.items():
                measured[count][name].append(await _measure_one(runner, model, server, count, kib))
    return measured


async def _measure_one(runner: TemporalRunner, model: ChildProcess, server: int, count: int, kib: int) -> ShortRuns:
    await asyncio.sleep(REST_SECONDS)
    await _requests(runner, model)
    before, server_before = await runner.worker.ask("cpu"), cpu_seconds(server)
    began, started_at = time.time(), time.perf_counter()

    async def run() -> float:
        run_began = time.perf_counter()
        await (await runner.start(ROUNDS, kib)).result()
        return time.perf_counter() - run_began

    runs = await asyncio.gather(*(run() for _ in range(count)))
    took = time.perf_counter() - started_at
    after = cpu_seconds(server)
    worker = await runner.worker.ask("cpu") - before
    server_seconds = None if server_before is None or after is None else after - server_before
    first = min(await _requests(runner, model))
    return ShortRuns(count * ROUNDS, took, runs, first - began, worker, server_seconds)


async def _requests(runner: TemporalRunner, model: ChildProcess) -> list[float]:
    """Return and forget when the model requests of a contender arrived, in Unix seconds."""
    recorded = await model.ask("served", runner.name)
    return [at for _, _, at in (await runner.worker.ask("served") or recorded)]


def rows(measured: Measured) -> Iterator[Row]:
    """Return the rows of the table."""
    first, last = min(measured), max(measured)
    yield Row("start to first model request, ms", _samples(measured[first], lambda each: 1_000 * each.to_request))
    for count, by_name in measured.items():
        yield Row(f"{_count(count)}, rounds/s", _samples(by_name, lambda each: each.rate))
        yield Row(f"{_count(count)}, p95 of a run, s", _samples(by_name, lambda each: each.p95))
    for count in dict.fromkeys((first, last)):
        by_name, name = measured[count], _count(count)
        yield Row(
            f"{name}, worker CPU per round, ms", _samples(by_name, lambda each: 1_000 * each.worker / each.rounds)
        )
        known = {name: [each for each in samples if each.server is not None] for name, samples in by_name.items()}
        yield Row(
            f"{name}, server CPU per round, ms", _samples(known, lambda each: 1_000 * (each.server or 0) / each.rounds)
        )


def _samples(
    measured: Mapping[str, Sequence[ShortRuns]], value: Callable[[ShortRuns], float]
) -> Mapping[str, Sequence[float]]:
    return {name: [value(each) for each in samples] for name, samples in measured.items()}


def _count(runs: int) -> str:
    return "1 short run" if runs == 1 else f"{runs} short runs at once"
