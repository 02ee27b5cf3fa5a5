"""Outages of the workers, of Temporal and of the watchdog: people are paged, and only once."""

from __future__ import annotations

import asyncio
import re
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.end_to_end.chaos.temporal_server import run_server
from tests.support.alert_sender import Sender, until_reported
from tests.support.harness import concludes, look, run_harness
from tests.unit.watchdog.conftest import TOOLS, Setup, nowhere, until
from watchkeeper.temporal import task_queue
from watchkeeper.testing.faults import lose_reply
from watchkeeper.testing.scripts import calls
from watchkeeper.watchdog.journal import Journal
from watchkeeper.watchdog.models import RefusedGroup
from watchkeeper.watchdog.watchdog import Watchdog

HAND_OFF = [calls(("look", {"service": "checkout"}))]


async def test_an_incident_without_a_worker_pages_its_team_once(setup: Setup) -> None:
    handle, started = await setup.start()
    async with setup.running_watchdog() as watchdog:
        assert watchdog.counts.outage is False  # the first poll runs during the next await
        await watchdog.record_accepted(started)
        await until(lambda: watchdog.counts.pages)
        await asyncio.sleep(1)
        assert (watchdog.counts.pages, watchdog.counts.watched, watchdog.counts.outage) == (1, 0, True)
    (delivery,) = setup.world.pages.events
    assert (delivery.team, delivery.severity) == ("checkout", "critical")
    assert delivery.dedup_key == f"{started.run_id}/page_engineer/checkout"
    assert delivery.summary is not None
    assert delivery.summary.startswith("Checkout fails: accepted at ")
    reason = rf" UTC and no report: no worker has polled the task queue '{setup.queue}' for \d s\. "
    assert re.search(reason, delivery.summary)
    assert delivery.event["payload"]["custom_details"]["workflow"] == handle.id


@pytest.mark.parametrize("first_start", [0.0, 60.0])
async def test_a_missing_worker_is_logged_once_but_not_at_the_first_start(
    setup: Setup, caplog: pytest.LogCaptureFixture, first_start: float
) -> None:
    watchdog = Watchdog(setup.client, setup.settings, setup.http, first_start=first_start)
    try:
        for _ in range(3):
            await watchdog.poll()
            await asyncio.sleep(0.01)
    finally:
        watchdog.close()
    assert watchdog.counts.outage is True
    assert len([record for record in caplog.records if "no worker has polled" in record.message]) == (first_start == 0)


async def test_an_alert_that_joins_after_the_report_pages_the_team_if_no_worker_takes_it(
    setup: Setup, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables = setup.settings.model_dump(include={"pagerduty", "teams"})
    sender = Sender(setup.client, setup.settings)
    with setup.watchdog() as watchdog:
        async with run_harness(
            setup.client, concludes("**Cause:** a deploy."), worker={"task_queue": setup.queue}, **tables
        ):
            admitted = await sender.fire()
            await watchdog.record_accepted(admitted)
            await until_reported(sender.run(admitted))
            while watchdog.counts.watched:
                await watchdog.poll()
            await watchdog.record_accepted(await sender.fire())
            while watchdog.counts.watched:
                await watchdog.poll()
        # No worker polls any more: do not wait for the 70 s after which that is certain.
        monkeypatch.setattr(task_queue, "_POLL_INTERVAL", timedelta(seconds=1))
        await watchdog.record_accepted(await sender.fire("Database", at=10))
        async with asyncio.timeout(20):
            while not watchdog.counts.pages:
                await watchdog.poll()
                await asyncio.sleep(0.1)
    by_report, by_watchdog = [event.summary or "" for event in setup.world.pages.events]
    assert "alert still fires" in by_report
    assert by_watchdog.startswith("Database: checkout fails: joined at ")


async def test_a_later_hand_off_joins_the_incident_of_the_page(setup: Setup) -> None:
    handle, started = await setup.start()
    async with setup.running_watchdog() as watchdog:
        await watchdog.record_accepted(started)
        await until(lambda: watchdog.counts.pages)
        tables = setup.settings.model_dump(include={"pagerduty", "teams"})
        async with run_harness(
            setup.client, HAND_OFF, tools={**TOOLS, "look": look}, worker={"task_queue": setup.queue}, **tables
        ):
            await until(lambda: len(setup.world.pages.events) > 1)
            await asyncio.gather(handle.result(), return_exceptions=True)
        await until(lambda: not watchdog.counts.outage)
    (incident,) = setup.world.pages.incidents
    assert (incident.team, incident.alerts) == ("checkout", 2)


async def test_an_incident_that_was_accepted_before_temporal_died_is_paged(setup: Setup) -> None:
    async with run_server() as temporal:
        setup.client = temporal.client
        _, started = await setup.start()
        async with setup.running_watchdog() as watchdog:
            await watchdog.record_accepted(started)
            await temporal.kill()
            await until(lambda: watchdog.counts.pages)
            await temporal.start()
            tables = setup.settings.model_dump(include={"pagerduty", "teams"})
            async with run_harness(
                setup.client, HAND_OFF, tools={**TOOLS, "look": look}, worker={"task_queue": setup.queue}, **tables
            ):
                await until(lambda: len(setup.world.pages.events) > 1, 40)
    first, *_ = setup.world.pages.events
    assert first.summary is not None
    assert "no report: Temporal has been out of reach (" in first.summary
    assert len(setup.world.pages.incidents) == 1


async def test_an_accepted_incident_is_watched_after_a_restart(setup: Setup) -> None:
    _, started = await setup.start()
    with setup.watchdog() as watchdog:
        await watchdog.record_accepted(started)
        await watchdog.poll()
    assert setup.world.pages.events == []
    gone = await nowhere()  # so that nothing but the journal can tell of it
    async with setup.running_watchdog(gone) as watchdog:
        assert watchdog.counts.watched == 1
        await until(lambda: watchdog.counts.pages)
    async with setup.running_watchdog(gone) as watchdog:
        await asyncio.sleep(1.5)
        assert (watchdog.counts.watched, watchdog.counts.pages) == (0, 0)
    assert len(setup.world.pages.events) == 1


async def test_a_page_whose_response_is_lost_is_repeated_with_its_key(setup: Setup) -> None:
    setup.world.pagerduty_events.faults.append(lose_reply())
    _, started = await setup.start()
    async with setup.running_watchdog() as watchdog:
        await watchdog.record_accepted(started)
        await until(lambda: watchdog.counts.pages)
        assert (watchdog.counts.failed, watchdog.counts.pages) == (1, 1)
    assert [incident.alerts for incident in setup.world.pages.incidents] == [2]


async def test_a_report_in_time_pages_no_one(setup: Setup) -> None:
    setup.set(watchdog={"deadline": 2.0})
    async with (
        run_harness(setup.client, concludes(), worker={"task_queue": setup.queue}),
        setup.running_watchdog() as watchdog,
    ):
        _, started = await setup.start(limits=None)
        await watchdog.record_accepted(started)
        await until(lambda: not watchdog.counts.watched)
        await asyncio.sleep(2.5)
        assert (watchdog.counts.watched, watchdog.counts.outage) == (0, False)
    assert setup.world.pages.events == []


async def test_an_outage_that_ends_in_time_pages_no_one(setup: Setup) -> None:
    setup.set(watchdog={"outage": 30.0})
    _, started = await setup.start(limits=None)
    async with setup.running_watchdog() as watchdog:
        await watchdog.record_accepted(started)
        await until(lambda: watchdog.counts.outage)
        async with run_harness(setup.client, concludes(), worker={"task_queue": setup.queue}):
            await until(lambda: not watchdog.counts.watched)
            assert watchdog.counts.outage is False
    assert setup.world.pages.events == []


# --- refused ------------------------------------------------------------------------------------------------------


REFUSAL = RefusedGroup("alert-test-refused", "Payments fail", service="payments")


async def test_a_refused_group_that_is_not_sent_again_is_paged(setup: Setup) -> None:
    async with setup.running_watchdog(await nowhere()) as watchdog:
        await watchdog.record_refused(REFUSAL)
        await watchdog.record_refused(REFUSAL)
        assert watchdog.counts.refused == 1
        await until(lambda: watchdog.counts.pages)
        await watchdog.record_refused(REFUSAL)
        await asyncio.sleep(1.5)
        assert watchdog.counts.refused == 0
    (delivery,) = setup.world.pages.events
    assert delivery.team == "payments"
    assert delivery.dedup_key.startswith("refused/alert-test-refused/")
    assert delivery.summary is not None
    assert delivery.summary.startswith("Payments fail: refused at ")
    assert re.search(r"Temporal could not accept it, and no run has taken it for \d s", delivery.summary)


async def test_a_refused_body_is_paged_at_once_and_once_an_hour(setup: Setup) -> None:
    setup.set(reports={"team": "payments"})
    async with setup.running_watchdog(await nowhere()) as watchdog:
        await watchdog.record_refused_body("prom", "the body is too large; the limit is 16,777,216 bytes")
        await watchdog.record_refused_body("prom", "the body is too large; the limit is 16,777,216 bytes")
        await until(lambda: watchdog.counts.pages)
        await watchdog.record_refused_body("prom", "the body is too large; the limit is 16,777,216 bytes")
        await asyncio.sleep(1.5)
        assert (watchdog.counts.refused, watchdog.counts.pages) == (0, 1)
    (delivery,) = setup.world.pages.events
    assert delivery.summary is not None
    assert delivery.summary.startswith("Alerts of the source 'prom': the body is too large; the limit is 16,777,216")
    assert "its sender will not send it again" in delivery.summary


async def test_a_page_blames_temporal_only_if_it_was_away(setup: Setup) -> None:
    async with setup.running_watchdog() as watchdog:
        await watchdog.record_refused(REFUSAL)
        await watchdog.record_refused(replace(REFUSAL, closing=True))
        assert watchdog.counts.refused == 1, "the last reason counts"
        await until(lambda: watchdog.counts.pages)
    (delivery,) = setup.world.pages.events
    assert delivery.summary is not None
    assert "the last run of its group had not closed, and no run has taken it for " in delivery.summary
    assert "Temporal" not in delivery.summary


async def test_a_refused_group_that_is_accepted_later_is_not_paged(setup: Setup) -> None:
    handle, started = await setup.start()
    with setup.watchdog() as watchdog:
        await watchdog.record_refused(RefusedGroup(handle.id, "Checkout fails", "checkout"))
        assert (watchdog.counts.watched, watchdog.counts.refused) == (1, 1)
        await watchdog.record_accepted(started)
        assert (watchdog.counts.watched, watchdog.counts.refused) == (1, 0)
        await watchdog.record_refused(RefusedGroup(handle.id, "Checkout fails", "checkout"))
        await watchdog.record_accepted(replace(started, outcome="ignored", run_id=None))
        assert (watchdog.counts.watched, watchdog.counts.refused) == (1, 0)
    journal = Journal(setup.settings.watchdog.journal)
    assert [watched.key for watched in journal.incidents()] == [started.run_id]
    journal.close()


async def test_a_refused_group_that_another_intake_accepts_is_not_paged(setup: Setup) -> None:
    setup.set(watchdog={"outage": 30.0})
    handle, _ = await setup.start()
    refusal = RefusedGroup(handle.id, "Checkout fails", "checkout")
    with setup.watchdog() as watchdog:
        await watchdog.record_refused(refusal)
        await watchdog.poll()
        assert watchdog.counts.refused == 1  # its run began before
        await handle.signal("alert", {"alerts": [], "at": 0})
        await watchdog.poll()
        assert watchdog.counts.refused == 0
