"""A contender on Temporal: its client, its worker process and its queue."""

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
from bench.child_process import ChildProcess, spawn
from bench.contender import Contender
from bench.model_server import ModelCall
from bench.timeline import Timeline

POLL_SECONDS = 1.0
"""How often to check whether a run is stuck."""


@dataclass(frozen=True)
class TemporalRun:
    """A finished run on Temporal."""

    failure: str | None
    history: WorkflowHistory

    def timeline(self, model_calls: list[ModelCall]) -> Timeline:
        """Read the timeline from the history. Its times are the server's, so all contenders share a clock."""
        return timeline.read_timeline(self.history.events)


@dataclass(frozen=True)
class TemporalRunner:
    """A contender with everything that it needs to run."""

    contender: Contender
    client: Client
    worker: ChildProcess
    queue: str
    address: str
    model_url: str

    @property
    def name(self) -> str:
        """Name of the contender."""
        return self.contender.name

    async def run(self, rounds: int, kib: int, model: ChildProcess) -> TemporalRun:
        """Run a number of rounds, or as many as the contender can."""
        handle = await self.start(rounds, kib)
        failure = await _end(handle)
        await model.ask("leave", self.name)
        return TemporalRun(failure, await handle.fetch_history())

    async def start(self, rounds: int, kib: int) -> WorkflowHandle[Any, Any]:
        """Start a run."""
        return await self.contender.start(self.client, self.queue, f"{self.queue}-{uuid4()}", rounds, kib)

    def start_copy(self) -> AbstractAsyncContextManager[TemporalRunner]:
        """Prepare the same contender again, with a new worker on a new queue."""
        return start_temporal_runner(self.contender, self.address, self.model_url)

    @asynccontextmanager
    async def start_second_worker(self) -> AsyncIterator[ChildProcess]:
        """Run another worker on the same queue."""
        async with spawn("worker_process", self.name, self.address, self.queue, self.model_url) as worker:
            await worker.receive()
            yield worker


@asynccontextmanager
async def start_temporal_runner(contender: Contender, address: str, model_url: str) -> AsyncIterator[TemporalRunner]:
    """Prepare a contender with a worker on a new queue."""
    queue = f"bench-{contender.name}-{uuid4()}"
    async with spawn("worker_process", contender.name, address, queue, model_url) as worker:
        await worker.receive()
        yield TemporalRunner(contender, await contender.connect(address), worker, queue, address, model_url)


async def _end(handle: WorkflowHandle[Any, Any]) -> str | None:
    """Wait for the end of a run. Return why it failed, or None."""
    result = asyncio.create_task(handle.result())
    while not (await asyncio.wait([result], timeout=POLL_SECONDS))[0]:
        if (stuck := await _stuck(handle)) is not None:
            await handle.terminate("the run is stuck")
            await asyncio.wait([result])
            result.exception()
            return stuck
    try:
        await result
    except WorkflowFailureError as error:
        return str(error.cause)
    return None


async def _stuck(handle: WorkflowHandle[Any, Any]) -> str | None:
    """Return why the run's workflow task keeps failing, or None."""
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
    return f"stuck on {cause}: {failed[-1].failure.message}"
