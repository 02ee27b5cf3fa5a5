"""What is compared: a way to run the loop on Temporal, its worker in a process of its own."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from temporalio.client import Client, WorkflowHandle
from temporalio.common import WorkerDeploymentVersion
from temporalio.converter import DataConverter
from temporalio.worker import Worker, WorkerDeploymentConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from watchkeeper.llm.tool_calls import MAX_CALLS

Answers = Mapping[str, Callable[[], Any]]
"""What a worker process can be asked."""

SDK_SANDBOX = SandboxedWorkflowRunner()

IDENTITY = "worker@bench"
"""The same for all, because every event repeats it."""


@dataclass(frozen=True)
class Contender:
    """One way to run the loop."""

    name: str
    workflow: type
    converter: DataConverter
    run_worker: Callable[[Client, str, str], AbstractAsyncContextManager[Answers]]
    """Runs a worker, given a client, a task queue and the URL of the model's process."""
    start: Callable[[Client, str, str, int, int], Awaitable[WorkflowHandle[Any, Any]]]
    """Starts a run, given a client, a task queue, a workflow id, the rounds and the KiB of a result."""
    runner: WorkflowRunner = SDK_SANDBOX
    """Runs its workflow code."""
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None
    """Makes the event loop of its worker process; Python's own unless given."""

    async def connect(self, address: str) -> Client:
        """Connect with this contender's encoding."""
        return await Client.connect(address, data_converter=self.converter, identity=IDENTITY)


def plain_worker(
    client: Client, queue: str, workflow: type, activities: Sequence[Callable[..., Any]]
) -> AbstractAsyncContextManager[object]:
    """Make a worker with the options that ours has."""
    return Worker(
        client,
        task_queue=queue,
        workflows=[workflow],
        activities=activities,
        deployment_config=WorkerDeploymentConfig(
            version=WorkerDeploymentVersion("bench", "1.0.0"), use_worker_versioning=False
        ),
        graceful_shutdown_timeout=timedelta(seconds=2),
        max_eager_activity_reservations_per_workflow_task=MAX_CALLS,
    )
