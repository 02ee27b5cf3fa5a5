"""What one open run takes of a worker's memory: many wait for the model at once, each some rounds into its work."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from bench.durable import Durable
from bench.process import Answering
from bench.table import Row

RUNS = 32
"""No more than a worker's activities may be, as each run waits in one."""

ROUNDS = 4
ENDLESS = 100_000
LOOK_SECONDS = 0.05


async def row(racers: Mapping[str, Durable], model: Answering, kib: int) -> Row:
    """Compare all contenders, each on a worker that has run before."""
    grown = {name: [await _grown(racer, model, kib)] for name, racer in racers.items()}
    kept = {name: [each for each in taken if each is not None] for name, taken in grown.items()}
    return Row(f"memory per open run after {ROUNDS} rounds, KiB", kept)


async def _grown(racer: Durable, model: Answering, kib: int) -> float | None:
    async with racer.another_worker_alone() as alone:
        await (await alone.start(ROUNDS, kib)).result()
        await model.ask("shut", racer.name, str(RUNS * ROUNDS))
        before = await alone.worker.ask("memory")
        started = await asyncio.gather(*(alone.start(ENDLESS, kib) for _ in range(RUNS)))
        while await model.ask("held", racer.name) < RUNS:  # noqa: ASYNC110 # elsewhere
            await asyncio.sleep(LOOK_SECONDS)
        after = await alone.worker.ask("memory")
        for handle in started:
            await handle.terminate("measured")
        await model.ask("open", racer.name)
    await model.ask("served", racer.name)
    return None if before is None or after is None else (after - before) / RUNS / 1_024
