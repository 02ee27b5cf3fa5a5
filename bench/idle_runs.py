"""Idle runs: they have concluded, and stay open for alerts. What they cost, and how fast an alert wakes one."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from temporalio.client import WorkflowHandle

from bench.child_process import ChildProcess
from bench.process_usage import cpu_seconds
from bench.server import bench_server
from bench.table import Row
from bench.temporal_runner import TemporalRunner

ROUNDS, KIB = 1, 4
"""What a run reads before it concludes. Ours accepts no conclusion of a run that has read nothing."""

WAKES = 10
IDLE_SECONDS = 5.0
SETTLE_SECONDS = 2.0
"""Time over which a worker is watched."""

QUIET = 0.02
"""CPU seconds a second of a worker that has finished."""

REST_SECONDS = 0.2
"""Pause after a run was woken, in which it becomes idle again."""

POLL_SECONDS = 0.02
START_TIMEOUT_SECONDS = 1_800.0
TIMEOUT_SECONDS = 60.0


class IdleRuns(NamedTuple):
    """What a number of idle runs costs."""

    memory: float | None
    """MiB of the worker."""
    worker: float | None
    """CPU milliseconds a second."""
    server: float | None
    """In the same way."""
    wakes: list[float]
    """Seconds from an alert to the model request of its run."""


async def rows(runners: Mapping[str, TemporalRunner], model: ChildProcess, counts: Sequence[int]) -> list[Row]:
    """Measure each contender with each number of idle runs, in ascending order, each on its own server.

    The naive loop is left out: an idle run of it costs what an idle run of the floor costs, and its messages.
    """
    measured = {name: await _measure_one(runner, model, counts) for name, runner in runners.items() if name != "naive"}
    table = list[Row]()
    for position, count in enumerate(counts):
        at = {name: samples[position] for name, samples in measured.items()}
        table += [
            _known(f"{count:,} idle runs, memory of the worker, MiB", {name: each.memory for name, each in at.items()}),
            _known(f"{count:,} idle runs, worker CPU, ms/s", {name: each.worker for name, each in at.items()}),
            _known(f"{count:,} idle runs, server CPU, ms/s", {name: each.server for name, each in at.items()}),
            Row(
                f"{count:,} idle runs, alert to model request, ms",
                {name: [1_000 * seconds for seconds in each.wakes] for name, each in at.items()},
            ),
        ]
    return table


def _known(row: str, values: Mapping[str, float | None]) -> Row:
    return Row(row, {name: [] if value is None else [value] for name, value in values.items()})


async def _measure_one(runner: TemporalRunner, model: ChildProcess, counts: Sequence[int]) -> list[IdleRuns]:
    samples, runs = list[IdleRuns](), list[WorkflowHandle[Any, Any]]()
    async with bench_server() as server, runner.start_copy(server.address) as copy:
        for number, count in enumerate(counts):
            await model.ask("served", runner.name)
            requests = (count - len(runs)) * (ROUNDS + 1)
            runs += await copy.start_open(count - len(runs), ROUNDS, KIB)
            await _until_idle(copy, model, requests)
            memory, before = await copy.worker.ask("memory"), await _cpu(copy, server.pid)
            await asyncio.sleep(IDLE_SECONDS)
            worker, at_server = (
                None if now is None or then is None else 1_000 * (now - then) / IDLE_SECONDS
                for now, then in zip(await _cpu(copy, server.pid), before, strict=True)
            )
            oldest = runs[number * WAKES : (number + 1) * WAKES]
            wakes = [await _wake(copy, handle, model) for handle in oldest]
            samples.append(IdleRuns(None if memory is None else memory / 2**20, worker, at_server, wakes))
    return samples


async def _cpu(runner: TemporalRunner, server: int) -> tuple[float | None, float | None]:
    return await runner.worker.ask("cpu"), cpu_seconds(server)


async def _until_idle(runner: TemporalRunner, model: ChildProcess, requests: int) -> None:
    """Wait until the runs have sent this number of model requests, and their worker has finished."""
    async with asyncio.timeout(START_TIMEOUT_SECONDS):
        while requests > 0:
            await asyncio.sleep(SETTLE_SECONDS)
            requests -= len(await model.ask("served", runner.name))
        before = await runner.worker.ask("cpu")
        while True:
            await asyncio.sleep(SETTLE_SECONDS)
            after = await runner.worker.ask("cpu")
            if after - before < QUIET * SETTLE_SECONDS:
                return
            before = after


async def _wake(runner: TemporalRunner, handle: WorkflowHandle[Any, Any], model: ChildProcess) -> float:
    """Send an alert to an idle run. Return the seconds until the model has its request."""
    await model.ask("served", runner.name)
    sent_at = time.time()
    await runner.contender.alert(handle, 1)
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while not (requests := await model.ask("served", runner.name)):  # noqa: ASYNC110  # the model is another process
            await asyncio.sleep(POLL_SECONDS)
    await asyncio.sleep(REST_SECONDS)
    return float(min(at for _, _, at in requests) - sent_at)
