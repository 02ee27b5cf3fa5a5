"""Many runs at once on one worker: rounds per second, and CPU time of worker and server per round."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from bench.process_usage import cpu_seconds
from bench.table import Row
from bench.temporal_runner import TemporalRunner

ROUNDS_BY_RUNS = {1: 20, 16: 8, 64: 5, 256: 4}
"""Rounds of each run, by the number of runs at once."""

LARGE = 64
"""From this number of runs, one measurement is enough."""

REST_SECONDS = 0.3
"""Pause before each measurement, in which the server finishes earlier work."""


class ThroughputSample(NamedTuple):
    """What a number of runs at once took."""

    rounds: int
    seconds: float
    worker: float
    """CPU seconds."""
    server: float | None
    """CPU seconds; None where the system does not report them."""


async def measure(
    runners: Mapping[str, TemporalRunner], server: int, most: int, repeats: int, kib: int
) -> dict[int, dict[str, list[ThroughputSample]]]:
    """Measure every contender at each concurrency up to ``most``, one after the other."""
    measured: dict[int, dict[str, list[ThroughputSample]]] = {}
    for runs, rounds in ROUNDS_BY_RUNS.items():
        if runs > most:
            break
        measured[runs] = {name: [] for name in runners}
        for _ in range(repeats if runs < LARGE else 1):
            for name, runner in runners.items():
                measured[runs][name].append(await _measure_one(runner, server, runs, rounds, kib))
    return measured


async def _measure_one(runner: TemporalRunner, server: int, runs: int, rounds: int, kib: int) -> ThroughputSample:
    await asyncio.sleep(REST_SECONDS)
    before, server_before = await runner.worker.ask("cpu"), cpu_seconds(server)
    started_at = time.perf_counter()
    started = await asyncio.gather(*(runner.start(rounds, kib) for _ in range(runs)))
    await asyncio.gather(*(handle.result() for handle in started))
    took = time.perf_counter() - started_at
    after = cpu_seconds(server)
    server_seconds = None if server_before is None or after is None else after - server_before
    return ThroughputSample(runs * rounds, took, await runner.worker.ask("cpu") - before, server_seconds)


def rows(measured: Mapping[int, Mapping[str, Sequence[ThroughputSample]]]) -> Iterator[Row]:
    """Return the rows of the table."""
    for runs, by_name in measured.items():
        rates = {name: [each.rounds / each.seconds for each in samples] for name, samples in by_name.items()}
        yield Row(f"throughput of {_count(runs)}, rounds/s", rates)
    for runs in dict.fromkeys((min(measured), max(measured))):
        by_name = measured[runs]
        by_server = {
            name: [1_000 * each.server / each.rounds for each in samples if each.server is not None]
            for name, samples in by_name.items()
        }
        by_worker = {name: [1_000 * each.worker / each.rounds for each in samples] for name, samples in by_name.items()}
        yield Row(f"server CPU per round of {_count(runs)}, ms", by_server)
        if runs > 1:
            yield Row(f"worker CPU per round of {_count(runs)}, ms", by_worker)


def _count(runs: int) -> str:
    return "1 run" if runs == 1 else f"{runs} runs at once"
