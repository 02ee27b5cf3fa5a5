"""Playing a scripted incident: its run, the person who attends it, and the workers that are started for it."""

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
from tests.end_to_end.chaos.incidents import Incident, Run, opening
from tests.end_to_end.chaos.run_follower import Following
from tests.end_to_end.chaos.temporal_server import Server
from tests.end_to_end.chaos.workers import Told, Worker
from watchkeeper.contracts import RunInput
from watchkeeper.temporal import activity_options
from workflows.incident import IncidentWorkflow

SAFETY_SECONDS = 120.0
"""After this a run counts as lost."""


@dataclass(frozen=True)
class Ground:
    """What runs are played on."""

    server: Server
    hosts: Hosts


@dataclass
class Play:
    """One run, and what is known of it."""

    ground: Ground
    incident: Incident
    name: str
    """The workflow id, and its own task queue."""
    run: Run = field(init=False)
    following: Following = field(init=False)
    tasks: list[asyncio.Task[None]] = field(default_factory=list)
    workers: list[Worker] = field(default_factory=list)
    pondering: float = 0.0
    """Seconds that its person takes to act."""
    killed_at: float = 0.0
    fault_event: int = 0
    """How many events the history had when the fault was injected."""

    async def work(self, name: str, *, hold: str = "", address: str | None = None, collector: str = "") -> Worker:
        """Start a worker for this run alone."""
        hosts = self.ground.hosts
        where = address or self.ground.server.address
        told = Told(name, where, self.name, hosts.model.url, hosts.back_ends.url, hold, collector)
        self.workers.append(worker := await workers.start(told))
        return worker

    async def begin(self) -> None:
        """Start the run, attended by its person."""
        client = self.ground.server.client
        self.run = await client.start_workflow(
            IncidentWorkflow.run,
            RunInput(text=opening(self.incident, self.name)),
            id=self.name,
            task_queue=self.name,
            task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
        )
        self.following = Following(client, self.name, self.run.first_execution_run_id or "")
        self.tasks += [asyncio.create_task(self.following.follow()), asyncio.create_task(_attend(self))]

    def holder(self) -> Worker:
        """Return the worker that made the last step of the run, if there was one."""
        for event in reversed(self.following.events):
            identity = event.workflow_task_started_event_attributes.identity
            for worker in self.workers:
                if identity.startswith(f"{worker.pid}@"):
                    return worker
        return self.workers[0]

    async def until_event(self, number: int) -> None:
        """Return when so many events are recorded, or the run is over."""
        following = self.following
        await following.until(lambda: len(following.events) >= number)

    async def until_over(self) -> bool:
        """Wait for the end; False if it does not come."""
        try:
            async with asyncio.timeout(SAFETY_SECONDS):
                await self.following.until(lambda: False)
        except TimeoutError:
            return False
        return True

    def scheduled(self, call: str) -> int:
        """Return how many events there were when a call was scheduled; 0 if it was not yet."""
        for number, event in enumerate(self.following.events, 1):
            if event.activity_task_scheduled_event_attributes.activity_id == call:
                return number
        return 0

    @property
    def arrivals(self) -> list[Arrival]:
        """What arrived at the hosts for this run."""
        names = (self.name, self.following.run_id)
        return [arrival for arrival in self.ground.hosts.arrivals if arrival.run in names]

    async def until_arrival(self, call: str) -> None:
        """Return when a call has arrived at its host."""
        async with asyncio.timeout(SAFETY_SECONDS):
            while call not in [arrival.call for arrival in self.arrivals] and not self.following.closed:
                await asyncio.sleep(0.005)

    def mark_fault(self) -> None:
        """Note that the fault has been injected now."""
        self.killed_at = time.time()
        self.fault_event = sum(
            event.event_time.ToDatetime().timestamp() < self.killed_at for event in self.following.events
        )


@asynccontextmanager
async def playing(ground: Ground, incident: Incident) -> AsyncIterator[Play]:
    """Prepare a run; in the end its workers are killed."""
    play = Play(ground, incident, f"chaos-{incident.name}-{uuid4().hex[:8]}")
    try:
        yield play
    finally:
        for task in play.tasks:
            task.cancel()
        await asyncio.gather(*play.tasks, return_exceptions=True)
        await asyncio.gather(*(worker.end() for worker in play.workers))
        if play.tasks and not play.following.closed:
            with suppress(RPCError):
                await play.run.terminate("lost")


async def _attend(play: Play) -> None:
    """Act whenever the run begins to wait for a person, and again until that was taken."""
    following = play.following

    def waits() -> int:
        return sum(event.event_type == EventType.EVENT_TYPE_TIMER_STARTED for event in following.events)

    for number, act in enumerate(play.incident.acts, 1):
        await following.until(lambda number=number: waits() >= number)  # type: ignore[misc]
        await asyncio.sleep(play.pondering)
        while not following.closed:
            with suppress(RPCError, WorkflowUpdateRPCTimeoutOrCancelledError):
                with suppress(WorkflowUpdateFailedError):  # it was taken, and its answer was lost
                    await act(play.run)
                break
            await asyncio.sleep(0.2)
