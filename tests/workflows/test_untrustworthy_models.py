"""Who is woken, what the report says and the status of the run, for each model that cannot be trusted.

No alert ends green and silent: either a person is woken, or the report names what was read and the records agree.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from tests.support.alert_sender import Sender, until_reported
from tests.support.paths import GOLDEN
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

AT_ONCE = 12
"""Runs at once. They mostly wait."""

TABLE = GOLDEN / "untrustworthy_models.txt"
FACTS = "**Recorded by Watchkeeper, not by the model:**"

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
        sender = Sender(site.client, site.settings, severities=["critical", "warning"])
        facts: dict[str, Any] = {"title": title, "severity": case, "service": service}
        run = sender.run(await sender.fire(**facts))
        await until_reported(run)
        await sender.tell(sender.alert(over=300, **facts))  # an open run closes after its deliveries
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
        places = asyncio.Semaphore(AT_ONCE)

        async def run_one(name: str) -> Cell:
            async with places:
                return await run_model(site, name, case)

        cells = await asyncio.gather(*map(run_one, MODELS))
    return dict(zip(MODELS, cells, strict=True))


CASES: list[Case] = ["critical", "warning", "question"]


def expected() -> dict[str, dict[str, str]]:
    """Read the table: for each model, how a run ends in each case, and whom it pages with which severity."""
    header, _, *rows = [[cell.strip() for cell in line.split("|")] for line in TABLE.read_text().splitlines()]
    return {row[0]: dict(zip(header[1:], row[1:], strict=True)) for row in rows}


@pytest.mark.parametrize("case", CASES)
async def test_each_model_ends_as_the_table_states(client: Client, case: Case) -> None:
    cells = await run_all(client, case)
    assert {name: str(cell) for name, cell in cells.items()} == {name: row[case] for name, row in expected().items()}
    for name, cell in cells.items():
        assert FACTS in cell.report.body, name
        assert ("Paged:" in cell.report.body or "A page is sent with this report" in cell.report.body) == bool(
            cell.pages
        ), f"{name}: the facts and the pages disagree"
        for claim in cell.report.unsupported:
            assert f"{claim.text} [unsupported]" in cell.report.body.replace("**", "").replace("`", ""), name


def test_no_alert_ends_green_and_silent() -> None:
    """A critical alert that still fires wakes a person unless a read shows that nothing is wrong."""
    silent = {name for name, row in expected().items() if row["critical"].endswith(": -")}
    assert silent == {"finds-search-healthy"}
    assert all(
        not row["warning"].startswith("NoConclusion") or "checkout" in row["warning"] for row in expected().values()
    )


def test_the_table_has_forty_models() -> None:
    assert list(expected()) == list(MODELS)
    assert len(MODELS) >= 40
