"""How long runs stand still when their worker is killed and another one is up."""

from __future__ import annotations

import asyncio
import random
import time

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from bench.durable import Durable
from bench.process import Answering
from bench.table import Row

RUNS = 8
"""In the worker that is killed, each at another point of its work."""

PACE_SECONDS = 0.5
"""How long the model thinks, so that a run is where runs are most of the time: waiting for it."""

ENDLESS = 100_000
PATIENCE = 60.0
STEP = frozenset({EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED})

ON_ITS_WAY = 0.1
"""Seconds after its worker's death in which what it still sent may be recorded."""


async def rows(racer: Durable, model: Answering, kills: int, kib: int) -> list[Row]:
    """Kill a worker so many times, and say how long it took each of its runs to be taken up."""
    await model.ask("pace", str(PACE_SECONDS))
    taken = [seconds for _ in range(kills) for seconds in await _killed(racer, kib)]
    await model.ask("pace", "0")
    await model.ask("served", racer.name)
    told = f"recovery after SIGKILL, {kills} kills of a worker with {RUNS} runs"
    return [Row(f"{told}, median, s", {racer.name: taken}), Row(f"{told}, worst, s", {racer.name: [max(taken)]})]


async def _killed(racer: Durable, kib: int) -> list[float]:
    async with racer.another_worker_alone() as alone:
        started = [await alone.start(ENDLESS, kib) for _ in range(RUNS)]
        await asyncio.sleep(2 + random.random())
        async with alone.another_worker():
            await alone.worker.kill()
            died = time.time()
            taken = await asyncio.gather(*(_taken_up(handle, died) for handle in started))
            for handle in started:
                await handle.terminate("measured")
    return taken


async def _taken_up(handle: WorkflowHandle[object, object], died: float) -> float:
    """Return the seconds from a death until the next step of a run is recorded."""
    async with asyncio.timeout(PATIENCE):
        async for event in handle.fetch_history_events(wait_new_event=True):
            at = event.event_time.ToNanoseconds() / 1e9
            if event.event_type in STEP and at > died + ON_ITS_WAY:
                return at - died
    raise AssertionError("a run that has no end ended")
