"""Pagers that are down or refuse, people whom nobody can page, and storms."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import replace

import pytest
from pydantic import SecretStr

from tests.unit.watchdog.conftest import Post, Taken, nowhere, until
from watchkeeper.testing.faults import fault


async def test_a_pager_that_is_down_is_tried_until_it_is_up(post: Post) -> None:
    post.world.pagerduty_events.outage = fault(503, "busy")
    _, taken = await post.start()
    async with post.watching() as watchdog:
        await watchdog.accepted(taken)
        await until(lambda: watchdog.counts.failed >= 2)
        assert watchdog.counts.pages == 0
        post.world.pagerduty_events.outage = None
        await until(lambda: watchdog.counts.pages)
        assert len(post.world.pagerduty_events.requests) == watchdog.counts.failed + 1 <= 4, "with pauses"
    assert len(post.world.pages.incidents) == 1


async def test_a_pager_that_refuses_is_told_of_without_its_key_and_tried_again(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    key = post.world.routing_keys["checkout"]
    post.world.pagerduty_events.fail_next(400, {"message": f"Invalid routing key {key}"})
    _, taken = await post.start()
    async with post.watching() as watchdog:
        await watchdog.accepted(taken)
        await until(lambda: watchdog.counts.pages)
        assert watchdog.counts.failed == 1
    (told,) = [record.getMessage() for record in caplog.records if "could not be paged" in record.getMessage()]
    assert "Invalid routing key (secret)" in told
    assert key not in caplog.text


async def test_an_incident_for_which_nobody_can_be_paged_is_told_of_once(
    post: Post, caplog: pytest.LogCaptureFixture
) -> None:
    post.settings = post.settings.model_copy(update={"teams": {}})
    handle, taken = await post.start()
    async with post.watching() as watchdog:
        await watchdog.accepted(taken)
        await until(lambda: watchdog.counts.unpageable)
        await asyncio.sleep(0.5)
        assert (watchdog.counts.unpageable, watchdog.counts.watched) == (1, 1)
    (told,) = [record for record in caplog.records if "nobody can be paged" in record.getMessage()]
    assert told.levelno == logging.ERROR
    assert handle.id in told.getMessage()
    assert "WATCHKEEPER_PAGERDUTY__ROUTING_KEY" in told.getMessage()


# --- storms -------------------------------------------------------------------------------------------------------


def storm(number: int, first: int = 0) -> list[Taken]:
    severities = ("warning", "critical", "info")
    return [
        Taken(
            f"alert-test-{n}",
            f"run-{n}",
            title=f"alert {n}",
            service=("checkout", "payments")[n % 2],
            severity=severities[n % 3],
        )
        for n in range(first, first + number)
    ]


async def test_a_storm_wakes_each_team_for_its_worst_and_once_for_the_rest(post: Post) -> None:
    gone = await nowhere()
    async with post.watching(gone) as watchdog:
        await asyncio.gather(*(watchdog.accepted(taken) for taken in storm(300)))
        await until(lambda: watchdog.counts.pages >= 12)
        await asyncio.sleep(0.5)
        assert (watchdog.counts.pages, watchdog.counts.watched) == (12, 0)
    by_team = {team: [i for i in post.world.pages.incidents if i.team == team] for team in ("checkout", "payments")}
    for team, incidents in by_team.items():
        *singly, together = incidents
        numbers = [int(incident.title.split(":")[0].removeprefix("alert ")) for incident in singly]
        assert len(numbers) == 5
        assert all(number % 3 == 1 for number in numbers), "the critical ones"
        assert together.key.startswith(f"watchdog/{team}/")
        assert together.title.startswith("145 more incidents without a report: Temporal has been out of reach (")
        assert " and 142 more. " in together.title


async def test_a_storm_that_goes_on_over_a_restart_stays_one_incident(post: Post) -> None:
    gone = await nowhere()
    for first in (0, 40):
        async with post.watching(gone) as watchdog:
            await asyncio.gather(*(watchdog.accepted(taken) for taken in storm(40, first)))
            await until(lambda: watchdog.counts.watched == 0 and watchdog.counts.pages)
    together = [incident for incident in post.world.pages.incidents if incident.key.startswith("watchdog/")]
    assert len(post.world.pages.incidents) == 12
    assert [incident.alerts for incident in together] == [2, 2]


async def test_many_runs_that_end_without_a_report_are_few_pages(post: Post) -> None:
    post.set(watchdog={"outage": 60.0})
    started = [await post.start() for _ in range(12)]
    with post.watchdog() as watchdog:
        for handle, taken in started:
            await watchdog.accepted(taken)
            await handle.terminate("by mistake")
        while (await post.client.count_workflows("ExecutionStatus = 'Running'")).count:
            await asyncio.sleep(0.05)
        await watchdog.look()
        assert (watchdog.counts.pages, watchdog.counts.watched) == (6, 0)
    assert post.titles[-1].startswith("7 more incidents without a report: its run ended without one. Checkout fails; ")
    assert post.titles[-1].endswith(" and 4 more. See `watchkeeper list`")


def test_the_deadline_leaves_time_for_the_queue_and_the_limits(post: Post) -> None:
    with post.watchdog() as watchdog:
        assert watchdog.patience == 1_800 + 3_600 + 900
    post.set(watchdog={"deadline": 60.0})
    with post.watchdog() as watchdog:
        assert watchdog.patience == 60


def test_the_teams_are_those_that_a_hand_off_wakes(post: Post) -> None:
    on_call = post.settings.on_call
    assert on_call("checkout") == "checkout"
    assert on_call("checkout", "payments") == "payments"
    assert on_call(None, "search") == "search"
    assert on_call("checkout", "a stranger's word") == "checkout"
    assert on_call(None, "a stranger's word") is None


async def test_the_pages_of_one_team_do_not_wait_for_those_of_another(post: Post) -> None:
    wrong = post.settings.teams["payments"].model_copy(update={"routing_key": SecretStr("wrong")})
    post.settings = post.settings.model_copy(update={"teams": {**post.settings.teams, "payments": wrong}})
    _, checkout = await post.start()
    _, payments = await post.start(service="payments")
    async with post.watching() as watchdog:
        await watchdog.accepted(replace(payments, service="payments"))
        await watchdog.accepted(checkout)
        await until(lambda: watchdog.counts.pages)
        assert watchdog.counts.watched == 1
    assert [delivery.team for delivery in post.world.pages.events] == ["checkout"]
