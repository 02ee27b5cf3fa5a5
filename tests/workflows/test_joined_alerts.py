"""Alerts that join after the report: each ends in a delivered answer or in a page, whatever ends its follow-up."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.support.alert_sender import Run, Sender, until_reported
from tests.support.harness import Harness, look, run_harness, until_asked
from tests.support.settings import KEY, paging_tables
from watchkeeper.alerts.severity import page_severity
from watchkeeper.contracts import StopRequest, TellRequest
from watchkeeper.demo.pagerduty_state import PagerDutyEvent
from watchkeeper.demo.world import World
from watchkeeper.testing.faults import fault
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import ScriptedReply, calls, says
from watchkeeper.tool_calling.catalogue import discover_tools
from workflows.incident import IncidentWorkflow

LOOK = calls(("look", {"service": "checkout"}))
REPORT = says("**Cause:** the deploy.\n\nVerdict: diagnosed")
ANSWER = says("**Cause:** the same deploy.\n\nVerdict: diagnosed")
BAD_KEY = fault(401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}})
TOOLS = {"look": look, "page_engineer": discover_tools()["page_engineer"]}


@dataclass(frozen=True)
class Scene:
    """An open run of a group of alerts, and what people have received."""

    harness: Harness
    sender: Sender
    run: Run
    world: World
    reports: Path

    def answer(self, number: int) -> str | None:
        """Return the answer to a follow-up in the directory of reports, if it is there."""
        path = self.reports / f"{self.run.id}.{self.run.first_execution_run_id}.follow-up-{number}.md"
        return path.read_text() if path.exists() else None

    async def until_answered(self, number: int) -> str:
        while (answer := self.answer(number)) is None:
            await asyncio.sleep(0.05)
        return answer

    def pages(self, number: int) -> list[PagerDutyEvent]:
        key = f"{self.run.first_execution_run_id}/follow-up-{number}/page_engineer/checkout"
        return [page for page in self.world.pages.events if page.dedup_key == key]

    @property
    def follow_up_pages(self) -> list[PagerDutyEvent]:
        """Pages about follow-ups. The report of the critical alert pages, too, since the model has not paged."""
        key = f"{self.run.first_execution_run_id}/page_engineer/checkout"
        return [page for page in self.world.pages.events if page.dedup_key != key]

    async def until_paged(self, number: int) -> PagerDutyEvent:
        while not self.pages(number):
            await asyncio.sleep(0.05)
        (page,) = self.pages(number)
        return page

    async def waits(self) -> bool:
        """Tell whether the memo says that a joined alert waits for an answer."""
        return await (await self.run.describe()).memo_value("joined", None) is not None

    async def until_settled(self) -> None:
        while await self.waits():
            await asyncio.sleep(0.05)

    async def close(self) -> None:
        await self.run.execute_update(IncidentWorkflow.stop, StopRequest(by="ann"))
        await self.run.result()


@asynccontextmanager
async def open_run(
    client: Client,
    reports: Path,
    *later: ScriptedReply,
    pace: float = 0.0,
    episodes: dict[str, Any] | None = None,
    **tables: Any,
) -> AsyncIterator[Scene]:
    """Start a run of a group and wait for its report; ``later`` is what the model then replies."""
    model = ScriptedModel([LOOK, REPORT, *later], key=KEY, pace=pace)
    async with World.running() as world:
        settings: dict[str, Any] = {**paging_tables(world, directory=reports), "episodes": episodes or {}, **tables}
        async with run_harness(client, model, tools=TOOLS, **settings) as harness:
            sender = Sender.on(harness)
            run = sender.run(await sender.fire())
            await until_reported(run)
            yield Scene(harness, sender, run, world, reports)


@pytest.mark.parametrize("severity", ["critical", "error", "warning", "info", "odd", None])
@pytest.mark.parametrize("ending", ["concluded", "failed", "limit_reached"])
async def test_a_follow_up_about_joined_alerts_pages_unless_it_concludes(
    client: Client, tmp_path: Path, ending: str, severity: str | None
) -> None:
    later = {"concluded": [ANSWER], "failed": [], "limit_reached": [LOOK, LOOK]}[ending]
    async with open_run(client, tmp_path, *later, episodes={"follow_up_rounds": 2}) as scene:
        if ending == "failed":
            scene.harness.model.outage = BAD_KEY
        await scene.sender.fire("Latency", severity=severity)
        answer = await scene.until_answered(1)
        if ending != "concluded":
            page = await scene.until_paged(1)
            assert "Latency: checkout fails" in (page.summary or "")
            assert page.severity == page_severity(severity)
        await scene.until_settled()
        assert len(scene.follow_up_pages) == (ending != "concluded")
        await scene.close()
    assert f"- Status: {ending}" in answer
    assert "Latency: checkout fails" in answer


@pytest.mark.parametrize("ending", ["concluded", "failed", "limit_reached"])
async def test_a_follow_up_that_a_person_asked_pages_no_one(client: Client, tmp_path: Path, ending: str) -> None:
    later = {"concluded": [ANSWER], "failed": [], "limit_reached": [LOOK, LOOK]}[ending]
    async with open_run(client, tmp_path, *later, episodes={"follow_up_rounds": 2}) as scene:
        if ending == "failed":
            scene.harness.model.outage = BAD_KEY
        await scene.run.execute_update(IncidentWorkflow.tell, TellRequest(text="How bad is it?", by="ann"))
        answer = await scene.until_answered(1)
        assert not await scene.waits()
        await scene.close()
        assert scene.follow_up_pages == []
    assert f"- Status: {ending}" in answer
    assert ending == "concluded" or "No conclusion" in answer


async def test_an_alert_that_joins_while_a_question_is_answered_is_paged_if_that_fails(
    client: Client, tmp_path: Path
) -> None:
    async with open_run(client, tmp_path, LOOK, pace=0.3) as scene:
        await scene.run.execute_update(IncidentWorkflow.tell, TellRequest(text="How bad is it?", by="ann"))
        await until_asked(scene.harness, 3)
        await scene.sender.fire("Latency")
        scene.harness.model.outage = BAD_KEY
        page = await scene.until_paged(1)
        await scene.until_settled()
        await scene.close()
    assert "an alert joined: Latency: checkout fails" in (page.summary or "")


# --- more alerts than the run investigates ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("severities", "paged"),
    [
        (["critical"], True),
        (["error"], True),
        (["odd"], True),
        ([None], True),
        (["warning"], False),
        (["info", "warning"], False),
        (["info", "critical", "warning"], True),
    ],
)
@pytest.mark.parametrize("joining", [0, 1])
async def test_people_are_notified_of_alerts_over_the_limit(
    client: Client, tmp_path: Path, joining: int, severities: list[str | None], paged: bool
) -> None:
    async with open_run(client, tmp_path, *[ANSWER] * joining, episodes={"joining": joining}) as scene:
        if joining:
            await scene.sender.fire("First")
            await scene.until_answered(1)
        alerts = [scene.sender.alert(f"Late{n}", severity=severity) for n, severity in enumerate(severities)]
        await scene.sender.tell(*alerts)
        answer = await scene.until_answered(joining + 1)
        if paged:
            page = await scene.until_paged(joining + 1)
            assert "Late" in (page.summary or "")
        await scene.until_settled()
        assert len(scene.follow_up_pages) == paged
        await scene.close()
    assert "- Status: limit_reached" in answer
    assert f"the limit is {joining} times (episodes.joining)" in answer
    assert all(f"Late{number}: checkout fails" in answer for number in range(len(severities)))
    assert len(scene.harness.model.requests) == 2 + joining


async def test_alerts_soon_after_a_notice_wait_for_the_next_one(client: Client, tmp_path: Path) -> None:
    async with open_run(client, tmp_path, says("It looks related."), episodes={"joining": 0}) as scene:
        await scene.sender.fire("First")
        await scene.until_paged(1)
        await scene.until_settled()
        await scene.sender.fire("Second")
        while not await scene.waits():
            await asyncio.sleep(0.05)
        await scene.run.execute_update(IncidentWorkflow.tell, TellRequest(text="Are they related?", by="ann"))
        answer = await scene.until_answered(2)
        await scene.until_settled()
        assert len(scene.follow_up_pages) == 1
        await scene.close()
    news = next(message["content"] for message in scene.harness.messages() if "Second" in str(message["content"]))
    assert "First: checkout fails" in news, "the model can read about alerts that a notice was about"
    assert "It looks related." in answer


@pytest.mark.parametrize("severity", ["critical", "warning"])
@pytest.mark.parametrize("joining", [0, 1])
async def test_an_answer_about_alerts_that_no_destination_accepts_is_paged(
    client: Client, severity: str, joining: int
) -> None:
    model = ScriptedModel([LOOK, REPORT, ANSWER], key=KEY)
    async with World.running() as world:
        world.loki.outage = fault(200)
        tables = {**paging_tables(world, webhook_url=world.urls.loki_url), "episodes": {"joining": joining}}
        async with run_harness(client, model, tools=TOOLS, **tables) as harness:
            sender = Sender.on(harness)
            run = sender.run(await sender.fire())
            await until_reported(run)
            while await (await run.describe()).memo_value("delivered", None) is None:
                await asyncio.sleep(0.05)
            world.loki.outage = fault(404)
            await sender.fire("Latency", severity=severity)
            key = f"{run.first_execution_run_id}/follow-up-1/page_engineer/checkout"
            while key not in [page.dedup_key for page in world.pages.events]:
                await asyncio.sleep(0.05)
            while await (await run.describe()).memo_value("joined", None) is not None:
                await asyncio.sleep(0.05)
            await run.execute_update(IncidentWorkflow.stop, StopRequest(by="ann"))
            await run.result()


@pytest.mark.parametrize("how", ["resolved", "stopped", "cancelled"])
async def test_a_joined_alert_that_needs_no_answer_does_not_wait(client: Client, tmp_path: Path, how: str) -> None:
    async with open_run(client, tmp_path, LOOK, ANSWER, pace=0.3) as scene:
        await scene.sender.fire("Latency")
        await until_asked(scene.harness, 3)
        assert await scene.waits()
        match how:
            case "resolved":
                await scene.sender.tell(scene.sender.alert(over=300), scene.sender.alert("Latency", over=300))
            case "stopped":
                await scene.run.execute_update(IncidentWorkflow.stop, StopRequest(by="ann"))
            case _:
                await scene.run.cancel()
        await scene.run.result()
        assert not await scene.waits()
        assert scene.follow_up_pages == []
