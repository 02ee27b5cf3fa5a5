"""A contender on Temporal, ready to race: its client, its worker process, its queue."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

from temporalio.api.enums.v1 import EventType, WorkflowTaskFailedCause
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle, WorkflowHistory

from bench import timeline
from bench.contender import Contender
from bench.model import Served
from bench.process import Answering, spawned
from bench.timeline import Timeline

LOOK_SECONDS = 1.0
"""How often to look whether a run is stuck."""


@dataclass(frozen=True)
class DurableRun:
    """A run that is over."""

    death: str | None
    history: WorkflowHistory

    def timeline(self, served: list[Served]) -> Timeline:
        """Read it from the history: the server's clock, so the same one for all."""
        return timeline.read(self.history.events)


@dataclass(frozen=True)
class Durable:
    """A contender and what it takes to run it."""

    contender: Contender
    client: Client
    worker: Answering
    queue: str
    address: str
    model_url: str

    @property
    def name(self) -> str:
        """Name of the contender."""
        return self.contender.name

    async def run(self, rounds: int, kib: int, model: Answering) -> DurableRun:
        """Go through so many rounds, as far as it can."""
        handle = await self.start(rounds, kib)
        death = await _end(handle)
        await model.ask("leave", self.name)
        return DurableRun(death, await handle.fetch_history())

    async def start(self, rounds: int, kib: int) -> WorkflowHandle[Any, Any]:
        """Start a run."""
        return await self.contender.start(self.client, self.queue, f"{self.queue}-{uuid4()}", rounds, kib)

    def another_worker_alone(self) -> AbstractAsyncContextManager[Durable]:
        """Make the same contender ready once more, on a new worker with a queue of its own."""
        return durable(self.contender, self.address, self.model_url)

    @asynccontextmanager
    async def another_worker(self) -> AsyncIterator[Answering]:
        """Run one more worker on the same queue."""
        async with spawned("work", self.name, self.address, self.queue, self.model_url) as worker:
            await worker.heard()
            yield worker


@asynccontextmanager
async def durable(contender: Contender, address: str, model_url: str) -> AsyncIterator[Durable]:
    """Make a contender ready, with a worker on a queue of its own."""
    queue = f"bench-{contender.name}-{uuid4()}"
    async with spawned("work", contender.name, address, queue, model_url) as worker:
        await worker.heard()
        yield Durable(contender, await contender.connect(address), worker, queue, address, model_url)


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
