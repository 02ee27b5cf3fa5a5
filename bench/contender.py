"""A contender: one way to run the loop on Temporal, with its worker in a separate process."""

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

Commands = Mapping[str, Callable[[], Any]]
"""The questions that a worker process answers, by name."""

SDK_SANDBOX = SandboxedWorkflowRunner()

IDENTITY = "worker@bench"
"""The same for all contenders, because every event contains it."""


@dataclass(frozen=True)
class Contender:
    """One way to run the loop."""

    name: str
    workflow: type
    converter: DataConverter
    run_worker: Callable[[Client, str, str], AbstractAsyncContextManager[Commands]]
    """Runs a worker for a client, a task queue and the URL of the model process."""
    start: Callable[[Client, str, str, int, int], Awaitable[WorkflowHandle[Any, Any]]]
    """Starts a run for a client, a task queue, a workflow id, a number of rounds and the KiB of a result."""
    runner: WorkflowRunner = SDK_SANDBOX
    """Runs the workflow code."""
    loop: Callable[[], asyncio.AbstractEventLoop] | None = None
    """Creates the event loop of the worker process; None for Python's default."""

    async def connect(self, address: str) -> Client:
        """Connect with this contender's data converter."""
        return await Client.connect(address, data_converter=self.converter, identity=IDENTITY)


def build_worker(
    client: Client, queue: str, workflow: type, activities: Sequence[Callable[..., Any]]
) -> AbstractAsyncContextManager[object]:
    """Create a worker with the same options as ours."""
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
