"""Runs that a person terminates or cancels in Temporal, in any phase: a page follows unless people have the report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any, Literal

import pytest
from temporalio.client import WorkflowHandle

from tests.activities.test_deliver import Inbox
from tests.support.harness import LOOK, Effects, Harness, run_harness, until_asked, until_waiting
from tests.unit.watchdog.conftest import Setup
from watchkeeper.contracts import Alert, AlertNotification
from watchkeeper.runs.dispatch import DispatchResult
from watchkeeper.testing.faults import fault, hang
from watchkeeper.testing.scripts import calls, says
from watchkeeper.tool import Arguments, ToolContext, tool

pytestmark = pytest.mark.timeout(120)

Phase = Literal["briefing", "queued", "asking", "calling", "waiting", "delivering"]
REPORT = "Verdict: diagnosed\n\nThe error rate of checkout is 18.2 % [r1.0]."


class Nothing(Arguments):
    pass


@tool(effect="read")
async def linger(args: Nothing, context: ToolContext) -> None:
    """Take a minute."""
    await asyncio.sleep(60)


SCRIPTS = {
    "calling": [calls(("linger", {}))],
    "waiting": [calls(("restart", {"service": "checkout"}))],
    "delivering": [calls(LOOK), says(REPORT)],
}


@asynccontextmanager
async def worker(setup: Setup, phase: Phase, webhook: str = "") -> AsyncIterator[Harness]:
    """Run a worker whose runs stay in a phase."""
    tables = setup.settings.model_dump(include={"pagerduty", "teams", "reports"})
    tables["reports"]["webhook_url"] = webhook or None
    places = {"investigations": 1} if phase == "queued" else {}
    tools = {**Effects().tools, "linger": linger}
    queue = {"task_queue": setup.queue, "shutdown_seconds": 0}
    script = SCRIPTS.get(phase, [])
    async with run_harness(setup.client, script, tools=tools, worker=queue, episodes=places, **tables) as harness:
        if phase in ("queued", "asking"):
            harness.model.outage = hang(60)
        yield harness


async def until_in(phase: Phase, harness: Harness, handle: WorkflowHandle[Any, Any]) -> None:
    match phase:
        case "queued":
            while (await handle.query("progress")).get("phase", "").partition(":")[0] != "queued":
                await asyncio.sleep(0.05)
        case "asking":
            await until_asked(harness, 1)
        case "waiting":
            await until_waiting(handle, "r1.0")
        case "calling":
            while "linger" not in f"{await handle.query('progress')}":
                await asyncio.sleep(0.05)
        case "delivering":
            while await (await handle.describe()).memo_value("report", None) is None:
                await asyncio.sleep(0.05)


def alert(name: str) -> AlertNotification:
    fields = {"source": "test", "group": "g", "fingerprint": name, "status": "firing", "title": name}
    return AlertNotification(alerts=[Alert.model_validate({**fields, "severity": "warning"})], at=1.0)


async def start(setup: Setup) -> tuple[WorkflowHandle[Any, Any], DispatchResult]:
    handle, started = await setup.start(limits=None, severity="warning")
    await handle.signal("alert", alert("first"))
    return handle, started


async def until_paged(setup: Setup, started: DispatchResult) -> str:
    """Poll until people are paged; return the summary of the page."""
    with setup.watchdog() as watchdog:
        await watchdog.record_accepted(started)
        while not (pages := [e for e in setup.world.pages.events if e.dedup_key.startswith(f"{started.run_id}/")]):
            await watchdog.poll()
            await asyncio.sleep(0.1)
        await watchdog.poll()
    assert len({page.dedup_key for page in pages}) == 1, "one incident"
    return pages[0].summary or ""


@pytest.mark.parametrize("act", ["terminate", "cancel"])
@pytest.mark.parametrize("phase", ["briefing", "queued", "asking", "calling", "waiting"])
async def test_a_run_that_is_ended_by_hand_before_its_report_is_paged(setup: Setup, phase: Phase, act: str) -> None:
    setup.set(watchdog={"outage": 60.0})
    runs = [await start(setup)] if phase == "briefing" else []
    for handle, _ in runs:
        await getattr(handle, act)()
    async with worker(setup, phase) as harness:
        if phase == "queued":
            await start(setup)
            await until_asked(harness, 1)  # it has the only place
        if not runs:
            runs.append(await start(setup))
            await until_in(phase, harness, runs[0][0])
            await getattr(runs[0][0], act)()
        page = await until_paged(setup, runs[0][1])
    assert ("ended without a report" if act == "terminate" else "cancelled in Temporal") in page


async def test_a_run_that_is_terminated_during_its_delivery_is_paged(setup: Setup) -> None:
    setup.set(watchdog={"outage": 60.0})
    async with Inbox.open() as inbox:
        inbox.outage = fault(503)
        async with worker(setup, "delivering", inbox.url) as harness:
            handle, started = await start(setup)
            await until_in("delivering", harness, handle)
            await handle.terminate()
            page = await until_paged(setup, started)
    assert "no destination accepted it" in page


async def test_a_run_that_is_cancelled_during_its_delivery_delivers_it(setup: Setup) -> None:
    setup.set(watchdog={"outage": 60.0})
    async with Inbox.open() as inbox:
        inbox.outage = fault(503, headers={"retry-after": "1"})
        async with worker(setup, "delivering", inbox.url) as harness:
            handle, started = await start(setup)
            await until_in("delivering", harness, handle)
            await handle.cancel()
            while len(inbox.requests) < 3:
                await asyncio.sleep(0.05)
            inbox.requests.clear()
            inbox.outage = None
            await handle.result()
            with setup.watchdog() as watchdog:
                await watchdog.record_accepted(started)
                await watchdog.poll()
                assert watchdog.counts.watched == 0
    assert [request.json()["status"] for request in inbox.requests] == ["concluded"]
    assert setup.world.pages.events == []


async def test_a_run_that_is_terminated_with_an_alert_that_no_worker_has_read_is_paged(setup: Setup) -> None:
    setup.set(watchdog={"outage": 60.0})
    async with worker(setup, "delivering") as harness:
        handle, started = await start(setup)
        await until_in("delivering", harness, handle)
        while await (await handle.describe()).memo_value("delivered", None) is None:
            await asyncio.sleep(0.05)
    await handle.signal("alert", alert("second"))
    await handle.terminate()
    joined = replace(started, outcome="joined")
    assert "people have no follow-up about it" in await until_paged(setup, joined)
