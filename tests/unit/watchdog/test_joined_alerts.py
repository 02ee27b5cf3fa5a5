"""Alerts that join after the report: watched until people have an answer or a page about them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import Any

import pytest
from temporalio.client import WorkflowHandle

from tests.support.harness import Harness, look, run_harness, until_asked
from tests.unit.watchdog.conftest import TOOLS, Setup, until
from watchkeeper.contracts import Alert, AlertNotification
from watchkeeper.runs.dispatch import DispatchResult
from watchkeeper.testing.faults import fault, hang
from watchkeeper.testing.scripts import calls, says
from watchkeeper.watchdog.watchdog import Watchdog

REPORT = says("**Cause:** the deploy.\n\nVerdict: diagnosed")
BAD_KEY = fault(401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}})


async def join(handle: WorkflowHandle[Any, Any], watchdog: Watchdog, started: DispatchResult, name: str) -> None:
    """Send an alert to an open run, as the intake does."""
    alert = Alert(source="test", group="g", fingerprint=name, status="firing", title=name, severity="critical")
    await handle.signal("alert", AlertNotification(alerts=[alert], at=1.0))
    await watchdog.record_accepted(replace(started, outcome="joined", title=name))


@asynccontextmanager
async def reported_run(
    setup: Setup, *later: Any, **episodes: Any
) -> AsyncIterator[tuple[Harness, WorkflowHandle[Any, Any], DispatchResult]]:
    """Run a worker and a run whose report is delivered; PagerDuty refuses every page of the worker."""
    tables = setup.settings.model_dump(include={"pagerduty", "teams", "reports"})
    tables["pagerduty"]["events_url"] = "http://127.0.0.1:9"
    script = [calls(("look", {"service": "checkout"})), REPORT, *later]
    async with run_harness(
        setup.client,
        script,
        tools={**TOOLS, "look": look},
        worker={"task_queue": setup.queue},
        episodes=episodes,
        **tables,
    ) as harness:
        handle, started = await setup.start(limits=None)
        alert = Alert(source="test", group="g", fingerprint="first", status="firing", title="first")
        await handle.signal("alert", AlertNotification(alerts=[alert], at=1.0))
        while await (await handle.describe()).memo_value("delivered", None) is None:
            await until_asked(harness, 1)
        yield harness, handle, started


def joined_pages(setup: Setup, started: DispatchResult) -> list[str]:
    """Return the summaries of pages about joined alerts, whose keys differ from that of the run."""
    start = f"{started.run_id}/joined-"
    return [page.summary or "" for page in setup.world.pages.events if page.dedup_key.startswith(start)]


async def test_an_alert_is_watched_until_its_follow_up_is_delivered(setup: Setup) -> None:
    setup.set(watchdog={"outage": 60.0})
    async with reported_run(setup, says("**Cause:** the same deploy.")) as (harness, handle, started):
        with setup.watchdog() as watchdog:
            await watchdog.record_accepted(started)
            await watchdog.poll()
            assert watchdog.counts.watched == 0
            harness.model.outage = fault(503, headers={"retry-after-ms": "50"})
            await join(handle, watchdog, started, "Latency")
            await until_asked(harness, 3)
            await watchdog.poll()
            assert (watchdog.counts.watched, watchdog.counts.pages) == (1, 0)
            harness.model.outage = None
            while watchdog.counts.watched:
                await asyncio.sleep(0.1)
                await watchdog.poll()
    assert joined_pages(setup, started) == []


@pytest.mark.parametrize("joining", [0, 1], ids=["not investigated", "its follow-up failed"])
async def test_a_joined_alert_without_an_answer_is_paged_at_its_deadline(setup: Setup, joining: int) -> None:
    setup.set(watchdog={"outage": 60.0, "deadline": 2.0})
    async with (
        reported_run(setup, joining=joining) as (harness, handle, started),
        setup.running_watchdog() as watchdog,
    ):
        await watchdog.record_accepted(started)
        await until(lambda: watchdog.counts.watched == 0)
        harness.model.outage = BAD_KEY
        await join(handle, watchdog, started, "Latency")
        await until(lambda: watchdog.counts.pages)
    (summary,) = joined_pages(setup, started)
    assert summary.startswith("Latency: joined at ")
    assert "no answer: its deadline has passed, and people have no follow-up about it." in summary


async def test_an_alert_that_joins_before_the_watchdog_has_seen_the_report_is_paged(setup: Setup) -> None:
    setup.set(watchdog={"outage": 60.0, "deadline": 2.0})
    async with reported_run(setup, joining=0) as (_, handle, started):
        with setup.watchdog() as watchdog:
            await watchdog.record_accepted(started)
            await join(handle, watchdog, started, "Latency")
            while await (await handle.describe()).memo_value("joined", None) is None:
                await asyncio.sleep(0.05)
            while not watchdog.counts.pages:
                await watchdog.poll()
                await asyncio.sleep(0.2)
        with setup.watchdog() as watchdog:
            await watchdog.poll()
            assert watchdog.counts.watched == 0
    assert len(joined_pages(setup, started)) == 1


async def test_a_run_that_ends_without_the_answer_is_paged_at_once(setup: Setup) -> None:
    setup.set(watchdog={"outage": 60.0})
    async with reported_run(setup) as (harness, handle, started), setup.running_watchdog() as watchdog:
        await watchdog.record_accepted(started)
        await until(lambda: watchdog.counts.watched == 0)
        harness.model.outage = hang(60)
        await join(handle, watchdog, started, "Latency")
        await until_asked(harness, 3)
        await handle.terminate("by mistake")
        await until(lambda: watchdog.counts.pages)
    (summary,) = joined_pages(setup, started)
    assert "no answer: its run ended, and people have no follow-up about it." in summary


async def test_a_paged_incident_that_is_joined_later_is_watched_again(setup: Setup) -> None:
    setup.set(watchdog={"outage": 1.0})
    handle, started = await setup.start(limits=None)
    async with setup.running_watchdog() as watchdog:
        await watchdog.record_accepted(started)
        await until(lambda: watchdog.counts.pages)
        await until(lambda: watchdog.counts.watched == 0)
        await join(handle, watchdog, started, "Latency")
        assert watchdog.counts.watched == 1
        await until(lambda: watchdog.counts.watched == 0)
    assert {page.dedup_key for page in setup.world.pages.events} == {f"{started.run_id}/page_engineer/checkout"}
