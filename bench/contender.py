"""A contender: one way to run the loop on Temporal, with its worker in a separate process."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Protocol

from temporalio.client import Client, Plugin, WorkflowHandle
from temporalio.common import WorkerDeploymentVersion
from temporalio.converter import DataConverter
from temporalio.worker import Replayer, Worker, WorkerDeploymentConfig, WorkflowRunner
from temporalio.worker.workflow_sandbox import SandboxedWorkflowRunner

from watchkeeper.llm.tool_calls import MAX_CALLS

Commands = Mapping[str, Callable[[], Any]]
"""The questions that a worker process answers, by name."""

SDK_SANDBOX = SandboxedWorkflowRunner()

IDENTITY = "worker@bench"
"""The same for all contenders, because every event contains it."""

NO_MODEL = "http://127.0.0.1"
"""For a replay, which asks no model."""


class Start(Protocol):
    """Starts a run."""

    def __call__(
        self, client: Client, queue: str, name: str, rounds: int, kib: int, stays_open: bool = False
    ) -> Awaitable[WorkflowHandle[Any, Any]]:
        """Start a run with a workflow id, a number of rounds and the KiB of a result.

        A run that ``stays_open`` waits for alerts after its conclusion, until it is terminated.
        """
        ...


async def send_text(handle: WorkflowHandle[Any, Any], number: int) -> None:
    """Send an alert to a run that takes texts. Alerts with different numbers are different alerts."""
    await handle.signal("alert", f"checkout answers slowly on host {number}.")


@dataclass(frozen=True)
class Contender:
    """One way to run the loop."""

    name: str
    workflow: type
    run_worker: Callable[[Client, str, str], AbstractAsyncContextManager[Commands]]
    """Runs a worker for a client, a task queue and the URL of the model process."""
    start: Start
    alert: Callable[[WorkflowHandle[Any, Any], int], Awaitable[None]] = send_text
    """Sends the alert with a number to an open run."""
    converter: DataConverter = DataConverter.default
    plugins: Callable[[str], Sequence[Plugin]] = lambda model_url: ()
    """Plugins of its client, for the URL of the model process."""
    runner: WorkflowRunner = SDK_SANDBOX
    """Runs the workflow code."""
    ask: str = "ask"
    """Name of the activity that asks the model."""

    async def connect(self, address: str, model_url: str) -> Client:
        """Connect with this contender's data converter."""
        return await Client.connect(
            address, data_converter=self.converter, plugins=self.plugins(model_url), identity=IDENTITY
        )

    def replayer(self) -> Replayer:
        """Create a replayer of its runs."""
        plugins: Any = self.plugins(NO_MODEL)
        return Replayer(
            workflows=[self.workflow], workflow_runner=self.runner, data_converter=self.converter, plugins=plugins
        )


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
