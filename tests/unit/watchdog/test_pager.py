"""Pagers that are down or refuse, incidents without a routing key, and storms."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest
from pydantic import SecretStr

from tests.unit.watchdog.conftest import Setup, nowhere, started_run, until
from watchkeeper.runs.dispatch import DispatchResult
from watchkeeper.testing.faults import fault


async def test_a_page_is_tried_again_until_the_pager_is_up(setup: Setup) -> None:
    setup.world.pagerduty_events.outage = fault(503, "busy")
    _, started = await setup.start()
    async with setup.running_watchdog() as watchdog:
        await watchdog.record_accepted(started)
        await until(lambda: watchdog.counts.failed >= 2)
        assert watchdog.counts.pages == 0
        setup.world.pagerduty_events.outage = None
        await until(lambda: watchdog.counts.pages)
        assert len(setup.world.pagerduty_events.requests) == watchdog.counts.failed + 1 <= 4, "with pauses"
    assert len(setup.world.pages.incidents) == 1


async def test_a_refused_page_is_logged_without_the_key_and_tried_again(
    setup: Setup, caplog: pytest.LogCaptureFixture
) -> None:
    key = setup.world.routing_keys["checkout"]
    setup.world.pagerduty_events.fail_next(400, {"message": f"Invalid routing key {key}"})
    _, started = await setup.start()
    async with setup.running_watchdog() as watchdog:
        await watchdog.record_accepted(started)
        await until(lambda: watchdog.counts.pages)
        assert watchdog.counts.failed == 1
    (logged,) = [record.getMessage() for record in caplog.records if "could not be paged" in record.getMessage()]
    assert "Invalid routing key (secret)" in logged
    assert key not in caplog.text


async def test_an_unpageable_incident_is_logged_once(setup: Setup, caplog: pytest.LogCaptureFixture) -> None:
    setup.settings = setup.settings.model_copy(update={"teams": {}})
    handle, started = await setup.start()
    async with setup.running_watchdog() as watchdog:
        await watchdog.record_accepted(started)
        await until(lambda: watchdog.counts.unpageable)
        await asyncio.sleep(0.5)
        assert (watchdog.counts.unpageable, watchdog.counts.watched) == (1, 1)
    (logged,) = [record for record in caplog.records if "no one can be paged" in record.getMessage()]
    assert logged.levelno == logging.ERROR
    assert handle.id in logged.getMessage()
    assert "WATCHKEEPER_PAGERDUTY__ROUTING_KEY" in logged.getMessage()


# --- storms -------------------------------------------------------------------------------------------------------


def storm(number: int, first: int = 0) -> list[DispatchResult]:
    severities = ("warning", "critical", "info")
    return [
        started_run(
            f"alert-test-{n}",
            f"run-{n}",
            title=f"alert {n}",
            service=("checkout", "payments")[n % 2],
            severity=severities[n % 3],
        )
        for n in range(first, first + number)
    ]


async def test_a_storm_pages_each_team_for_its_worst_incidents_and_once_for_the_rest(setup: Setup) -> None:
    gone = await nowhere()
    async with setup.running_watchdog(gone) as watchdog:
        await asyncio.gather(*(watchdog.record_accepted(started) for started in storm(300)))
        await until(lambda: watchdog.counts.pages >= 12)
        await asyncio.sleep(0.5)
        assert (watchdog.counts.pages, watchdog.counts.watched) == (12, 0)
    by_team = {team: [i for i in setup.world.pages.incidents if i.team == team] for team in ("checkout", "payments")}
    for team, incidents in by_team.items():
        *singly, together = incidents
        numbers = [int(incident.title.split(":")[0].removeprefix("alert ")) for incident in singly]
        assert len(numbers) == 5
        assert all(number % 3 == 1 for number in numbers), "the critical ones"
        assert together.key.startswith(f"watchdog/{team}/")
        assert together.title.startswith("145 more incidents without a report: Temporal has been out of reach (")
        assert " and 142 more. " in together.title


async def test_a_storm_that_continues_after_a_restart_stays_one_incident(setup: Setup) -> None:
    gone = await nowhere()
    for first in (0, 40):
        async with setup.running_watchdog(gone) as watchdog:
            await asyncio.gather(*(watchdog.record_accepted(started) for started in storm(40, first)))
            await until(lambda: watchdog.counts.watched == 0 and watchdog.counts.pages)
    together = [incident for incident in setup.world.pages.incidents if incident.key.startswith("watchdog/")]
    assert len(setup.world.pages.incidents) == 12
    assert len(together) == 2
    assert all(incident.alerts >= 2 for incident in together), "it was updated after the restart"


async def test_many_runs_that_end_without_a_report_are_few_pages(setup: Setup) -> None:
    setup.set(watchdog={"outage": 60.0})
    runs = [await setup.start() for _ in range(12)]
    with setup.watchdog() as watchdog:
        for handle, run in runs:
            await watchdog.record_accepted(run)
            await handle.terminate("by mistake")
        while (await setup.client.count_workflows("ExecutionStatus = 'Running'")).count:
            await asyncio.sleep(0.05)
        await watchdog.poll()
        assert (watchdog.counts.pages, watchdog.counts.watched) == (6, 0)
    assert setup.titles[-1].startswith(
        "7 more incidents without a report: its run ended without a report. Checkout fails; "
    )
    assert setup.titles[-1].endswith(" and 4 more. See `watchkeeper list`")


def test_the_deadline_leaves_time_for_the_queue_and_the_limits(setup: Setup) -> None:
    with setup.watchdog() as watchdog:
        assert watchdog.report_timeout == 1_800 + 3_600 + 900
    setup.set(watchdog={"deadline": 60.0})
    with setup.watchdog() as watchdog:
        assert watchdog.report_timeout == 60


def test_the_watchdog_pages_the_same_team_as_a_hand_off(setup: Setup) -> None:
    on_call = setup.settings.on_call
    assert on_call("checkout") == "checkout"
    assert on_call("checkout", "payments") == "payments"
    assert on_call(None, "search") == "search"
    assert on_call("checkout", "a stranger's word") == "checkout"
    assert on_call(None, "a stranger's word") is None


async def test_the_pages_of_one_team_do_not_wait_for_those_of_another(setup: Setup) -> None:
    wrong = setup.settings.teams["payments"].model_copy(update={"routing_key": SecretStr("wrong")})
    setup.settings = setup.settings.model_copy(update={"teams": {**setup.settings.teams, "payments": wrong}})
    _, checkout = await setup.start()
    _, payments = await setup.start(service="payments")
    async with setup.running_watchdog() as watchdog:
        await watchdog.record_accepted(replace(payments, service="payments"))
        await watchdog.record_accepted(checkout)
        await until(lambda: watchdog.counts.pages)
        assert watchdog.counts.watched == 1
    assert [delivery.team for delivery in setup.world.pages.events] == ["checkout"]
