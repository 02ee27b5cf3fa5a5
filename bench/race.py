"""A race: every contender once, round by round in turns, and what each took."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowHistory

from bench import timeline
from bench.contender import Contender
from bench.process import Answering
from bench.timeline import Timeline

LOOK_SECONDS = 1.0
"""How often to look whether a run is stuck."""

START_SECONDS = 0.005
"""How often to look whether a run asks its first question."""


@dataclass(frozen=True)
class Racer:
    """A contender, ready: its client, its worker process, its queue."""

    contender: Contender
    client: Client
    worker: Answering
    queue: str

    @property
    def name(self) -> str:
        """Name of the contender."""
        return self.contender.name


@dataclass(frozen=True)
class Lap:
    """What one run took."""

    timeline: Timeline
    cpu: float
    """Seconds of the worker process."""
    served: list[tuple[float, int]]
    """Seconds that each question waited for its answer, and bytes of the request, where there was one."""
    death: str | None
    """Why it did not come to its end."""
    history: WorkflowHistory

    @property
    def orchestration(self) -> list[float]:
        """Seconds of each round that were not spent in the model server."""
        return [took - model for took, (model, _) in zip(self.timeline.rounds, self.served, strict=False)]


async def race(racers: Collection[Racer], model: Answering, rounds: int, kib: int) -> dict[str, Lap]:
    """Let all go through their rounds in turns."""
    await model.ask("join", *(racer.name for racer in racers))
    async with asyncio.TaskGroup() as group:
        laps = {}
        for racer in racers:
            laps[racer.name] = group.create_task(_run(racer, model, rounds, kib))
            while not (laps[racer.name].done() or await model.ask("waits", racer.name)):  # noqa: ASYNC110 # elsewhere
                await asyncio.sleep(START_SECONDS)
    return {name: lap.result() for name, lap in laps.items()}


async def _run(racer: Racer, model: Answering, rounds: int, kib: int) -> Lap:
    cpu = await racer.worker.ask("cpu")
    handle = await racer.contender.start(racer.client, racer.queue, f"{racer.queue}-{uuid4()}", rounds, kib)
    death = await _end(handle)
    await model.ask("leave", racer.name)
    cpu = await racer.worker.ask("cpu") - cpu
    served = await model.ask("served", racer.name) or await racer.worker.ask("served")
    history = await handle.fetch_history()
    return Lap(timeline.read(history.events), cpu, [tuple(each) for each in served], death, history)


async def _end(handle: WorkflowHandle[Any, Any]) -> str | None:
    """Wait for the end of a run; return what killed it, if anything did."""
    result = asyncio.create_task(handle.result())
    while not (await asyncio.wait([result], timeout=LOOK_SECONDS))[0]:
        if (stuck := await _stuck(handle)) is not None:
            await handle.terminate("it will never go on")
            await asyncio.wait([result])
            result.exception()
            return stuck
    try:
        await result
    except WorkflowFailureError as error:
        return str(error.cause)
    return None


async def _stuck(handle: WorkflowHandle[Any, Any]) -> str | None:
    """Say why the run's next step fails, again and again, if it does."""
    described = await handle.describe()
    if described.raw_description.pending_workflow_task.attempt <= 2:
        return None
    failed = [
        event.workflow_task_failed_event_attributes
        async for event in handle.fetch_history_events()
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED
    ]
    if not failed:
        return None
    cause = WorkflowTaskFailedCause.Name(failed[-1].cause).removeprefix("WORKFLOW_TASK_FAILED_CAUSE_")
    return f"stuck for ever on {cause}: {failed[-1].failure.message}"
