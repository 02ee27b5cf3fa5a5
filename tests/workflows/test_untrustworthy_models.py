"""Who is woken, what the report says and the status of the run, for each model that cannot be trusted.

No alert ends green and silent: either a person is woken, or the report names what was read and the records agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal, NamedTuple, TypeAlias
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from tests.support.alert_sender import Sender, until_reported
from tests.support.settings import KEY
from tests.support.untrustworthy_models import MODELS
from watchkeeper.config.sections import ApprovalSettings, EpisodeSettings, ModelProfile, WorkerSettings
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Limits, Report, RunInput, RunResult, RunStatus
from watchkeeper.demo.demo_settings import settings_for
from watchkeeper.demo.world import World
from watchkeeper.temporal import activity_options
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import by_first_message
from worker import run_worker
from workflows.incident import IncidentWorkflow

Case: TypeAlias = Literal["critical", "warning", "question"]


class Cell(NamedTuple):
    """How a run ended."""

    status: RunStatus
    error: str | None
    pages: tuple[str, ...]
    """Team and severity of each page."""
    report: Report

    def __str__(self) -> str:
        marked = f", {len(self.report.unsupported)} unsupported" if self.report.unsupported else ""
        return f"{self.error or self.status}{marked}: {', '.join(self.pages) or '-'}"


@dataclass(frozen=True)
class Site:
    """A worker, its model host and its back ends."""

    client: Client
    settings: Settings
    world: World


@asynccontextmanager
async def running_site(client: Client) -> AsyncIterator[Site]:
    script = by_first_message({f"[{name}]": script for name, script in MODELS.items()})
    async with World.running() as world, ScriptedModel(script, key=KEY).serve() as url:
        profile = ModelProfile.model_validate({"base_url": url, "name": "scripted", "api_key": KEY})
        settings = settings_for(world, [profile]).model_copy(
            update={
                "limits": Limits(rounds=4, tool_calls=20, tokens=10_000_000, duration=60, failures=2),
                "approval": ApprovalSettings(timeout=0.5),
                "episodes": EpisodeSettings(investigations=100),
                "worker": WorkerSettings(task_queue=f"test-{uuid4().hex[:8]}", shutdown_seconds=2),
            }
        )
        async with run_worker(client, settings):
            yield Site(client, settings, world)


async def run_model(site: Site, name: str, case: Case) -> Cell:
    """Start a run for a model, and return how it ended, after its deliveries."""
    title, service = f"[{name}] orders fail", "search" if "search-healthy" in name else "checkout"
    if case == "question":
        run = await site.client.start_workflow(
            IncidentWorkflow.run,
            RunInput(text=title, service=service),
            id=f"incident-{uuid4()}",
            task_queue=site.settings.worker.task_queue,
            task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
        )
    else:
        sender = Sender(site.client, site.settings)
        facts = {"title": title, "severity": case, "service": service}
        run = sender.run(await sender.fire(**facts))
        await until_reported(run)
        await sender.tell(sender.alert(over=700, **facts))  # an open run closes after its deliveries
    try:
        result, error = await run.result(), None
    except WorkflowFailureError as failed:
        assert isinstance(failed.cause, ApplicationError)
        result, error = RunResult.model_validate(failed.cause.details[0]), failed.cause.type
    key = f"{run.first_execution_run_id or run.result_run_id}/"
    pages = {f"{event.team} {event.severity}" for event in site.world.pages.events if event.dedup_key.startswith(key)}
    return Cell(result.status, error, tuple(sorted(pages)), result.report)


async def run_all(client: Client, case: Case) -> dict[str, Cell]:
    async with running_site(client) as site:
        cells = await asyncio.gather(*(run_model(site, name, case) for name in MODELS))
    return dict(zip(MODELS, cells, strict=True))


CASES: list[Case] = ["critical", "warning", "question"]


@pytest.mark.parametrize("case", CASES)
async def test_each_model_ends_as_the_table_says(client: Client, case: Case) -> None:
    cells = await run_all(client, case)
    print("\n".join(f"{name:24} | {cell}" for name, cell in cells.items()))
