"""A team with its own queue, its runs and their workers."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client, WorkflowHandle
from temporalio.worker import Worker

from activities.queue import QueueActivities
from tests.support.queue_runs import InvestigatingWorkflow, Investigations
from watchkeeper.contracts import QueueSettings, QueueState
from watchkeeper.incident.queue_state import queue_id
from watchkeeper.temporal import activity_options
from watchkeeper.temporal.current_details import CurrentDetailsInterceptor
from watchkeeper.temporal.sandbox import Sandbox
from workflows.queue import QueueWorkflow

PLACES = 3

Investigation = WorkflowHandle[InvestigatingWorkflow, bool]


class Team:
    """Runs that wait in one queue, and a counter of the runs that investigate."""

    def __init__(self, client: Client, *, places: int = PLACES, patience: float = 600) -> None:
        self.client = client
        self.name = f"team-{uuid4().hex[:8]}"
        self.task_queue = f"test-{self.name}"
        self.places = places
        self.patience = patience
        self.investigations = Investigations()

    @property
    def queue(self) -> WorkflowHandle[QueueWorkflow, None]:
        """Handle of the latest execution of the queue."""
        return self.client.get_workflow_handle_for(QueueWorkflow.run, queue_id(self.name, self.task_queue))

    @asynccontextmanager
    async def run_worker(self) -> AsyncIterator[QueueActivities]:
        """Run a worker until the context ends; yield its queue activities."""
        activities = QueueActivities(self.client, self.task_queue)
        async with Worker(
            self.client,
            task_queue=self.task_queue,
            workflows=[QueueWorkflow, InvestigatingWorkflow],
            workflow_runner=Sandbox(),
            interceptors=[CurrentDetailsInterceptor()],
            activities=[
                activities.enter,
                activities.leave,
                activities.find_gone,
                self.investigations.begin,
                self.investigations.end,
            ],
            sticky_queue_schedule_to_start_timeout=activity_options.STICKY_QUEUE_TIMEOUT,
        ):
            yield activities

    async def start(self, name: str, priority: int = 3) -> Investigation:
        """Start a run with the workflow id ``TEAM/NAME``."""
        return await self.client.start_workflow(
            InvestigatingWorkflow.run,
            QueueSettings(queue=self.name, places=self.places, patience=self.patience, priority=priority),
            id=self.run(name),
            task_queue=self.task_queue,
            task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
        )

    def run(self, name: str) -> str:
        return f"{self.name}/{name}"

    async def until_investigating(self, *names: str) -> None:
        """Wait until exactly these runs of the team investigate."""
        await self.investigations.until(*map(self.run, names))

    async def queued(self) -> QueueState:
        return await self.queue.query(QueueWorkflow.queued)

    async def until_waiting(self, *names: str) -> None:
        """Wait until exactly these runs wait in the queue, in this order."""
        while [run.workflow_id for run in (await self.queued()).waiting] != list(map(self.run, names)):
            await asyncio.sleep(0.05)

    async def details(self) -> str:
        """Return the details of the queue that the Temporal UI shows."""
        metadata = await self.queue.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
        return str(metadata.current_details)
