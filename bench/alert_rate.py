"""How many alerts a second living runs take: the runs wait for the model, and a client sends alerts to all of them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from temporalio.client import WorkflowHandle

from bench.child_process import ChildProcess
from bench.table import Row
from bench.temporal_runner import TemporalRunner

RUNS = 16
ALERTS = 400
SENDERS = 16
"""Alerts that are on their way at the same time."""

REPEATS = 2
POLL_SECONDS = 0.02


async def row(runners: Mapping[str, TemporalRunner], model: ChildProcess, kib: int, alerts: int) -> Row:
    """Compare all contenders in turns."""
    rates: dict[str, list[float]] = {name: [] for name in runners}
    for _ in range(REPEATS):
        for name, runner in runners.items():
            rates[name].append(await _measure_one(runner, model, kib, alerts))
    return Row(f"alerts into {RUNS} living runs, alerts/s", rates)


async def _measure_one(runner: TemporalRunner, model: ChildProcess, kib: int, alerts: int) -> float:
    await model.ask("close", runner.name, "0")
    started = await runner.start_open(RUNS, 1, kib)
    while await model.ask("held_count", runner.name) < RUNS:  # noqa: ASYNC110  # the model is another process
        await asyncio.sleep(POLL_SECONDS)
    numbers = iter(range(1, alerts + 1))
    began = time.perf_counter()

    async def send() -> None:
        for number in numbers:
            await runner.contender.alert(started[number % RUNS], number)

    async with asyncio.TaskGroup() as group:
        for _ in range(SENDERS):
            group.create_task(send())
    for handle in started:
        await _until_taken(handle)
    took = time.perf_counter() - began
    for handle in started:
        await handle.terminate("measured")
    await model.ask("open", runner.name)
    await model.ask("served", runner.name)
    return alerts / took


async def _until_taken(handle: WorkflowHandle[Any, Any]) -> None:
    """Wait until the workflow code has taken all signals: until no workflow task is pending."""
    while (await handle.describe()).raw_description.HasField("pending_workflow_task"):  # noqa: ASYNC110
        await asyncio.sleep(POLL_SECONDS)
