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

STARTS = 20
"""How many runs a client starts at the same time."""


@dataclass(frozen=True)
class TemporalRun:
    """A finished run on Temporal."""

    failure: str | None
    ask: str
    """Name of the activity that asks the model."""
    executions: list[WorkflowHistory]
    """The history of each execution: a run that continues as new has several."""

    @property
    def history(self) -> WorkflowHistory:
        """The longest history."""
        return max(self.executions, key=lambda execution: len(execution.events))

    def timeline(self, model_calls: list[ModelCall]) -> Timeline:
        """Read the timeline from the histories. Its times are the server's, so all contenders share a clock."""
        return timeline.read_timeline((event for execution in self.executions for event in execution.events), self.ask)


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
        return TemporalRun(failure, self.contender.ask, await self._executions(handle))

    async def start(self, rounds: int, kib: int, *, stays_open: bool = False) -> WorkflowHandle[Any, Any]:
        """Start a run. One that ``stays_open`` waits for alerts after its conclusion, until it is terminated."""
        name = f"{self.queue}-{uuid4()}"
        return await self.contender.start(self.client, self.queue, name, rounds, kib, stays_open)

    async def start_open(self, count: int, rounds: int, kib: int) -> list[WorkflowHandle[Any, Any]]:
        """Start a number of runs that stay open."""
        limit = asyncio.Semaphore(STARTS)

        async def start() -> WorkflowHandle[Any, Any]:
            async with limit:
                return await self.start(rounds, kib, stays_open=True)

        return await asyncio.gather(*(start() for _ in range(count)))

    def start_copy(self, address: str | None = None) -> AbstractAsyncContextManager[TemporalRunner]:
        """Prepare the same contender again, with a new worker on a new queue, by default on the same server."""
        return start_temporal_runner(self.contender, address or self.address, self.model_url)

    async def _executions(self, handle: WorkflowHandle[Any, Any]) -> list[WorkflowHistory]:
        """Read the histories of a run in order."""
        run, histories = handle.first_execution_run_id, list[WorkflowHistory]()
        while run:
            histories.append(await self.client.get_workflow_handle(handle.id, run_id=run).fetch_history())
            last = histories[-1].events[-1]
            run = last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
        return histories

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
        client = await contender.connect(address, model_url)
        yield TemporalRunner(contender, client, worker, queue, address, model_url)


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
