"""How long runs wait after their worker is killed while another worker is running."""

from __future__ import annotations

import asyncio
import random
import time

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHandle

from bench.child_process import ChildProcess
from bench.table import Row
from bench.temporal_runner import TemporalRunner

RUNS = 8
"""Runs on the killed worker, each at another point of its work."""

MODEL_DELAY_SECONDS = 0.5
"""Seconds that the model takes to answer. Most runs then wait for the model, as in production."""

ENDLESS = 100_000
TIMEOUT_SECONDS = 60.0
STEP = frozenset({EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED})

IN_FLIGHT_SECONDS = 0.1
"""Seconds after the kill in which the server may still record what the worker had sent."""


async def rows(runner: TemporalRunner, model: ChildProcess, kills: int, kib: int) -> list[Row]:
    """Kill a worker ``kills`` times and measure how long each of its runs waits for the other worker."""
    await model.ask("delay", str(MODEL_DELAY_SECONDS))
    waits = [seconds for _ in range(kills) for seconds in await _kill_worker(runner, kib)]
    await model.ask("delay", "0")
    await model.ask("served", runner.name)
    name = f"recovery after SIGKILL, {kills} kills of a worker with {RUNS} runs"
    return [Row(f"{name}, median, s", {runner.name: waits}), Row(f"{name}, worst, s", {runner.name: [max(waits)]})]


async def _kill_worker(runner: TemporalRunner, kib: int) -> list[float]:
    async with runner.start_copy() as copy:
        started = [await copy.start(ENDLESS, kib) for _ in range(RUNS)]
        await asyncio.sleep(2 + random.random())
        async with copy.start_second_worker():
            await copy.worker.kill()
            killed_at = time.time()
            waits = await asyncio.gather(*(_seconds_to_next_step(handle, killed_at) for handle in started))
            for handle in started:
                await handle.terminate("measured")
    return waits


async def _seconds_to_next_step(handle: WorkflowHandle[object, object], killed_at: float) -> float:
    """Return the seconds from the kill until the next step of a run is recorded."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        async for event in handle.fetch_history_events(wait_new_event=True):
            at = event.event_time.ToNanoseconds() / 1e9
            if event.event_type in STEP and at > killed_at + IN_FLIGHT_SECONDS:
                return at - killed_at
    raise AssertionError("the run ended, although it has no last round")
