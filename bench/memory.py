"""Memory of a worker per open run: many runs wait for the model at once, each after some rounds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bench.child_process import ChildProcess
from bench.table import Row
from bench.temporal_runner import TemporalRunner

RUNS = 32
"""At most the number of activities that a worker runs at once: each run waits in one."""

ROUNDS = 4
ENDLESS = 100_000
POLL_SECONDS = 0.05


async def row(runners: Mapping[str, TemporalRunner], model: ChildProcess, kib: int) -> Row:
    """Compare all contenders, each on a worker that is warm."""
    growth = {name: [await _growth(runner, model, kib)] for name, runner in runners.items()}
    known = {name: [each for each in samples if each is not None] for name, samples in growth.items()}
    return Row(f"memory per open run after {ROUNDS} rounds, KiB", known)


async def _growth(runner: TemporalRunner, model: ChildProcess, kib: int) -> float | None:
    async with runner.start_copy() as copy:
        await (await copy.start(ROUNDS, kib)).result()
        await model.ask("close", runner.name, str(RUNS * ROUNDS))
        before = await copy.worker.ask("memory")
        started = await asyncio.gather(*(copy.start(ENDLESS, kib) for _ in range(RUNS)))
        while await model.ask("held_count", runner.name) < RUNS:  # noqa: ASYNC110  # the model is another process
            await asyncio.sleep(POLL_SECONDS)
        after = await copy.worker.ask("memory")
        for handle in started:
            await handle.terminate("measured")
        await model.ask("open", runner.name)
    await model.ask("served", runner.name)
    return None if before is None or after is None else (after - before) / RUNS / 1_024
