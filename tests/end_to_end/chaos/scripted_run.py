"""A run of a scripted incident, with its scripted person and its own workers."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from uuid import uuid4

from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowUpdateFailedError, WorkflowUpdateRPCTimeoutOrCancelledError
from temporalio.service import RPCError

from tests.end_to_end.chaos import workers
from tests.end_to_end.chaos.hosts import Arrival, Hosts
from tests.end_to_end.chaos.incidents import Incident, RunHandle, alert_text
from tests.end_to_end.chaos.run_follower import RunFollower
from tests.end_to_end.chaos.temporal_server import TemporalServer
from tests.end_to_end.chaos.workers import WorkerOptions, WorkerProcess
from watchkeeper.contracts import RunInput
from watchkeeper.temporal import activity_options
from workflows.incident import IncidentWorkflow

RUN_TIMEOUT_SECONDS = 120.0
"""A run that takes longer counts as lost."""


@dataclass(frozen=True)
class Environment:
    """The Temporal server and the hosts that runs share."""

    server: TemporalServer
    hosts: Hosts


@dataclass
class ScriptedRun:
    """One run, its history and the requests that its hosts received."""

    environment: Environment
    incident: Incident
    name: str
    """The workflow id, and also the name of the run's own task queue."""
    handle: RunHandle = field(init=False)
    follower: RunFollower = field(init=False)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    workers: list[WorkerProcess] = field(default_factory=list)
    response_delay: float = 0.0
    """Seconds that the person takes to respond."""
    killed_at: float = 0.0
    events_at_fault: int = 0
    """Number of events at the time of the fault."""

    async def start_worker(
        self, name: str, *, hold: str = "", address: str | None = None, collector: str = ""
    ) -> WorkerProcess:
        """Start a worker for this run only."""
        hosts = self.environment.hosts
        server_address = address or self.environment.server.address
        options = WorkerOptions(name, server_address, self.name, hosts.model.url, hosts.back_ends.url, hold, collector)
        self.workers.append(worker := await workers.start_worker(options))
        return worker

    async def start(self) -> None:
        """Start the run and its scripted person."""
        client = self.environment.server.client
        self.handle = await client.start_workflow(
            IncidentWorkflow.run,
            RunInput(text=alert_text(self.incident, self.name)),
            id=self.name,
            task_queue=self.name,
            task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
        )
        self.follower = RunFollower(client, self.name, self.handle.first_execution_run_id or "")
        self.tasks += [asyncio.create_task(self.follower.follow()), asyncio.create_task(_act_for_person(self))]

    def active_worker(self) -> WorkerProcess:
        """Return the worker that started the last workflow task; the first worker if none did."""
        for event in reversed(self.follower.events):
            identity = event.workflow_task_started_event_attributes.identity
            for worker in self.workers:
                if identity.startswith(f"{worker.pid}@"):
                    return worker
        return self.workers[0]

    async def wait_for_event(self, number: int) -> None:
        """Wait until the history has ``number`` events or the run has ended."""
        follower = self.follower
        await follower.wait_until(lambda: len(follower.events) >= number)

    async def wait_for_end(self) -> bool:
        """Wait until the run has ended; return False after ``RUN_TIMEOUT_SECONDS``."""
        try:
            async with asyncio.timeout(RUN_TIMEOUT_SECONDS):
                await self.follower.wait_until(lambda: False)
        except TimeoutError:
            return False
        return True

    def scheduled(self, call: str) -> int:
        """Return the number of the event that scheduled a call; 0 if the call is not scheduled yet."""
        for number, event in enumerate(self.follower.events, 1):
            if event.activity_task_scheduled_event_attributes.activity_id == call:
                return number
        return 0

    @property
    def arrivals(self) -> list[Arrival]:
        """The requests of this run that hosts received."""
        names = (self.name, self.follower.run_id)
        return [arrival for arrival in self.environment.hosts.arrivals if arrival.run in names]

    async def wait_for_arrival(self, call: str) -> None:
        """Wait until a call has arrived at its host or the run has ended."""
        async with asyncio.timeout(RUN_TIMEOUT_SECONDS):
            while call not in [arrival.call for arrival in self.arrivals] and not self.follower.closed:
                await asyncio.sleep(0.005)

    def mark_fault(self) -> None:
        """Record the time of the fault and the number of events before it."""
        self.killed_at = time.time()
        self.events_at_fault = sum(
            event.event_time.ToDatetime().timestamp() < self.killed_at for event in self.follower.events
        )


@asynccontextmanager
async def scripted_run(environment: Environment, incident: Incident) -> AsyncIterator[ScriptedRun]:
    """Prepare a run; kill its workers when the context ends."""
    run = ScriptedRun(environment, incident, f"chaos-{incident.name}-{uuid4().hex[:8]}")
    try:
        yield run
    finally:
        for task in run.tasks:
            task.cancel()
        await asyncio.gather(*run.tasks, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in run.workers))
        if run.tasks and not run.follower.closed:
            with suppress(RPCError):
                await run.handle.terminate("lost")


async def _act_for_person(run: ScriptedRun) -> None:
    """Take the next action each time the run starts to wait for a person; retry until the update is accepted."""
    follower = run.follower

    def timers_started() -> int:
        return sum(event.event_type == EventType.EVENT_TYPE_TIMER_STARTED for event in follower.events)

    for number, action in enumerate(run.incident.human_actions, 1):
        await follower.wait_until(lambda number=number: timers_started() >= number)  # type: ignore[misc]
        await asyncio.sleep(run.response_delay)
        while not follower.closed:
            with suppress(RPCError, WorkflowUpdateRPCTimeoutOrCancelledError):
                with suppress(WorkflowUpdateFailedError):  # an earlier attempt was accepted, its answer was lost
                    await action(run.handle)
                break
            await asyncio.sleep(0.2)
