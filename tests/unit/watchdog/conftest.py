from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from httpx2 import AsyncClient
from temporalio.client import Client, WorkflowHandle

from tests.support.settings import build_settings, paging_tables
from tests.support.temporal import temporal_client
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import AlertOrigin, LimitChanges, RunInput
from watchkeeper.demo.world import World
from watchkeeper.runs.dispatch import DispatchResult
from watchkeeper.temporal import activity_options
from watchkeeper.temporal.client import DATA_CONVERTER
from watchkeeper.temporal.ports import HOST, free_port
from watchkeeper.tool_calling.catalogue import discover_tools
from watchkeeper.watchdog.watchdog import Watchdog

TOOLS = {"page_engineer": discover_tools()["page_engineer"]}
ONE_ROUND = LimitChanges(tokens=1)
"""Ends a run after its first round with a hand-off."""


def started_run(workflow_id: str, run_id: str | None, **fields: Any) -> DispatchResult:
    """Return the result of a dispatch that started a run."""
    defaults: dict[str, Any] = {"title": "Checkout fails", "service": "checkout", "severity": "critical"}
    return DispatchResult("started", 1, "group", workflow_id=workflow_id, run_id=run_id, **(defaults | fields))


@dataclass
class Setup:
    """What a watchdog test needs. The task queue has no worker until the test starts one."""

    client: Client
    world: World
    settings: Settings
    http: AsyncClient
    queue: str = field(init=False)

    def __post_init__(self) -> None:
        self.queue = self.settings.worker.task_queue

    @property
    def titles(self) -> list[str]:
        """Titles of the incidents in PagerDuty."""
        return [incident.title for incident in self.world.pages.incidents]

    def set(self, **tables: Any) -> None:
        """Update keys in tables of the settings."""
        old = self.settings
        changed = {name: getattr(old, name).model_copy(update=keys) for name, keys in tables.items()}
        self.settings = old.model_copy(update=changed)

    async def start(self, workflow_id: str = "", **fields: Any) -> tuple[WorkflowHandle[Any, Any], DispatchResult]:
        """Start the run of a group of alerts, as the intake does."""
        group = uuid4().hex
        origin = AlertOrigin(source="test", kind="alertmanager", group=group, team=fields.pop("team", None))
        fields = {"text": "Checkout fails", "service": "checkout", "limits": ONE_ROUND, "origin": origin} | fields
        handle = await self.client.start_workflow(
            "IncidentWorkflow",
            RunInput(**fields),
            id=workflow_id or f"alert-test-{group}",
            task_queue=self.queue,
            task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
        )
        return handle, started_run(handle.id, handle.first_execution_run_id)

    @contextmanager
    def watchdog(self, client: Client | None = None) -> Iterator[Watchdog]:
        """Return a watchdog that polls only when the test calls it."""
        watchdog = Watchdog(client or self.client, self.settings, self.http, interval=0.1)
        try:
            yield watchdog
        finally:
            watchdog.close()

    @asynccontextmanager
    async def running_watchdog(self, client: Client | None = None) -> AsyncIterator[Watchdog]:
        """Run a watchdog as in the intake."""
        with self.watchdog(client) as watchdog:
            task = asyncio.create_task(watchdog.poll_forever())
            try:
                yield watchdog
            finally:
                task.cancel()
                (ended,) = await asyncio.gather(task, return_exceptions=True)
                assert isinstance(ended, asyncio.CancelledError), ended


async def until(condition: Callable[[], object], seconds: float = 20) -> None:
    """Wait until a condition is true."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


async def nowhere() -> Client:
    """Return a client of a Temporal server that does not exist."""
    return await Client.connect(f"{HOST}:{free_port()}", data_converter=DATA_CONVERTER, lazy=True)


@pytest.fixture(scope="session")
async def own_temporal() -> AsyncIterator[Client]:
    """A server without runs of other tests. The watchdog would adopt those."""
    async with temporal_client() as client:
        yield client


@pytest.fixture
async def setup(own_temporal: Client, tmp_path: Path) -> AsyncIterator[Setup]:
    async with World.running() as world, AsyncClient(timeout=5) as http:
        watchdog = {"outage": 1, "journal": tmp_path / "journal.db"}
        settings = build_settings(watchdog=watchdog, **paging_tables(world))
        yield Setup(own_temporal, world, settings, http)
        async for run in own_temporal.list_workflows("ExecutionStatus = 'Running'"):
            await own_temporal.get_workflow_handle(run.id, run_id=run.run_id).terminate("the test is over")
