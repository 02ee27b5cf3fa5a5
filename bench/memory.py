"""Memory of a worker per open run: many runs wait for the model at once, each after some rounds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bench.durable import TemporalRacer
from bench.process import ChildProcess
from bench.table import Row

RUNS = 32
"""At most the number of activities that a worker runs at once: each run waits in one."""

ROUNDS = 4
ENDLESS = 100_000
POLL_SECONDS = 0.05


async def row(racers: Mapping[str, TemporalRacer], model: ChildProcess, kib: int) -> Row:
    """Compare all contenders, each on a worker that is warm."""
    growth = {name: [await _growth(racer, model, kib)] for name, racer in racers.items()}
    known = {name: [each for each in samples if each is not None] for name, samples in growth.items()}
    return Row(f"memory per open run after {ROUNDS} rounds, KiB", known)


async def _growth(racer: TemporalRacer, model: ChildProcess, kib: int) -> float | None:
    async with racer.another_worker_alone() as alone:
        await (await alone.start(ROUNDS, kib)).result()
        await model.ask("shut", racer.name, str(RUNS * ROUNDS))
        before = await alone.worker.ask("memory")
        started = await asyncio.gather(*(alone.start(ENDLESS, kib) for _ in range(RUNS)))
        while await model.ask("held", racer.name) < RUNS:  # noqa: ASYNC110  # the model is another process
            await asyncio.sleep(POLL_SECONDS)
        after = await alone.worker.ask("memory")
        for handle in started:
            await handle.terminate("measured")
        await model.ask("open", racer.name)
    await model.ask("served", racer.name)
    return None if before is None or after is None else (after - before) / RUNS / 1_024
