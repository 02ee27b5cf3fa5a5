"""How long runs wait after their worker is killed while another worker is running."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack

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
TIMEOUT_SECONDS = 180.0
"""More than the longest timeout of a contender's activities."""

TURN_SECONDS = 3.0
"""After this time the runs that still wait do so for a timeout, and the next worker is killed."""

STEP = frozenset({EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED, EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED})

IN_FLIGHT_SECONDS = 0.1
"""Seconds after the kill in which the server may still record what the worker had sent."""


async def rows(runners: Mapping[str, TemporalRunner], model: ChildProcess, kills: int, kib: int) -> list[Row]:
    """Kill workers of each contender ``kills`` times and measure how long their runs wait for another worker.

    The floor is left out: it has no work that could be lost.
    """
    await model.ask("delay", str(MODEL_DELAY_SECONDS))
    names, turn = [name for name in runners if name != "floor"], asyncio.Lock()
    async with asyncio.TaskGroup() as group:
        tasks = {
            name: [group.create_task(_kill_worker(runners[name], turn, kib)) for _ in range(kills)] for name in names
        }
    waits = {name: [seconds for task in killed for seconds in task.result()] for name, killed in tasks.items()}
    await model.ask("delay", "0")
    for name in names:
        await model.ask("served", name)
    name = f"recovery after SIGKILL, {kills} kills of a worker with {RUNS} runs"
    return [
        Row(f"{name}, median, s", waits),
        Row(f"{name}, worst, s", {name: [max(seconds)] for name, seconds in waits.items()}),
    ]


async def _kill_worker(runner: TemporalRunner, turn: asyncio.Lock, kib: int) -> list[float]:
    """Kill a worker when it is its turn. What then waits for a timeout waits while other workers are killed."""
    async with AsyncExitStack() as stack:
        async with turn:
            copy = await stack.enter_async_context(runner.start_copy())
            started = [await copy.start(ENDLESS, kib) for _ in range(RUNS)]
            await asyncio.sleep(2 + random.random())
            await stack.enter_async_context(copy.start_second_worker())
            await copy.worker.kill()
            killed_at = time.time()
            waits = [asyncio.create_task(_seconds_to_next_step(handle, killed_at)) for handle in started]
            await asyncio.wait(waits, timeout=TURN_SECONDS)
        return await asyncio.gather(*waits)


async def _seconds_to_next_step(handle: WorkflowHandle[object, object], killed_at: float) -> float:
    """Return the seconds from the kill until the next step of a run is recorded, then end the run."""
    async with asyncio.timeout(TIMEOUT_SECONDS):
        async for event in handle.fetch_history_events(wait_new_event=True):
            at = event.event_time.ToNanoseconds() / 1e9
            if event.event_type in STEP and at > killed_at + IN_FLIGHT_SECONDS:
                await handle.terminate("measured")
                return at - killed_at
    raise AssertionError("the run ended, although it has no last round")
