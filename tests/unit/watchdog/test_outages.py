"""No worker, no Temporal, no watchdog for a while: people are paged all the same, and once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from tests.end_to_end.chaos.temporal_server import server
from tests.support.alert_sender import Sender, until_reported
from tests.support.harness import look, run_harness
from tests.unit.watchdog.conftest import TOOLS, Post, nowhere, until
from watchkeeper.paging import page_key
from watchkeeper.testing.faults import lose_reply
from watchkeeper.testing.scripts import calls, says
from watchkeeper.tool import ToolCall
from watchkeeper.watchdog.journal import Journal
from watchkeeper.watchdog.models import RefusedGroup

HAND_OFF = [calls(("look", {"service": "checkout"}))]


async def test_an_incident_that_no_worker_takes_wakes_its_team_once(post: Post) -> None:
    handle, taken = await post.start()
    async with post.watching() as watchdog:
        await watchdog.accepted(taken)
        assert watchdog.counts.outage is False
        await until(lambda: watchdog.counts.pages)
        await asyncio.sleep(1)
        assert (watchdog.counts.pages, watchdog.counts.watched, watchdog.counts.outage) == (1, 0, True)
    (delivery,) = post.world.pages.events
    assert (delivery.team, delivery.severity) == ("checkout", "critical")
    assert delivery.dedup_key == f"{taken.run_id}/page_engineer/checkout"
    assert delivery.summary is not None
    assert delivery.summary.startswith("Checkout fails: accepted at ")
    assert f" UTC and no report: no worker has polled the task queue '{post.queue}' for 1 s. " in delivery.summary
    assert delivery.event["payload"]["custom_details"]["workflow"] == handle.id


async def test_an_alert_that_joins_after_the_report_wakes_the_team_where_no_worker_takes_it(post: Post) -> None:
    tables = post.settings.model_dump(include={"pagerduty", "teams"})
    sender = Sender(post.client, post.settings)
    with post.watchdog() as watchdog:
        async with run_harness(post.client, [says("A deploy.")], worker={"task_queue": post.queue}, **tables):
            admitted = await sender.fire()
            await watchdog.accepted(admitted)
            await until_reported(sender.run(admitted))
            while watchdog.counts.watched:
                await watchdog.look()
            await watchdog.accepted(await sender.fire())
            while watchdog.counts.watched:
                await watchdog.look()
        await watchdog.accepted(await sender.fire("Database", at=10))
        async with asyncio.timeout(100):
            while not watchdog.counts.pages:
                await watchdog.look()
                await asyncio.sleep(0.5)
    assert post.titles[0].startswith("Database: checkout fails: accepted at ")


async def test_the_run_that_hands_over_later_joins_the_same_incident(post: Post) -> None:
    handle, taken = await post.start()
    async with post.watching() as watchdog:
        await watchdog.accepted(taken)
        await until(lambda: watchdog.counts.pages)
        tables = post.settings.model_dump(include={"pagerduty", "teams"})
        async with run_harness(
            post.client, HAND_OFF, tools={**TOOLS, "look": look}, worker={"task_queue": post.queue}, **tables
        ):
            await until(lambda: len(post.world.pages.events) > 1)
            await asyncio.gather(handle.result(), return_exceptions=True)
        await until(lambda: not watchdog.counts.outage)
    (incident,) = post.world.pages.incidents
    assert (incident.team, incident.alerts) == ("checkout", 2)


async def test_an_incident_that_was_accepted_before_temporal_died_is_paged(post: Post) -> None:
    async with server() as temporal:
        post.client = temporal.client
        _, taken = await post.start()
        async with post.watching() as watchdog:
            await watchdog.accepted(taken)
            await temporal.kill()
            await until(lambda: watchdog.counts.pages)
            await temporal.start()
            tables = post.settings.model_dump(include={"pagerduty", "teams"})
            async with run_harness(
                post.client, HAND_OFF, tools={**TOOLS, "look": look}, worker={"task_queue": post.queue}, **tables
            ):
                await until(lambda: len(post.world.pages.events) > 1, 40)
    first, *_ = post.world.pages.events
    assert first.summary is not None
    assert "no report: Temporal has been out of reach (" in first.summary
    assert len(post.world.pages.incidents) == 1


async def test_what_was_accepted_is_watched_over_a_restart_of_the_watchdog(post: Post) -> None:
    _, taken = await post.start()
    with post.watchdog() as watchdog:
        await watchdog.accepted(taken)
        await watchdog.look()
    assert post.world.pages.events == []
    gone = await nowhere()  # so that nothing but the journal can tell of it
    async with post.watching(gone) as watchdog:
        assert watchdog.counts.watched == 1
        await until(lambda: watchdog.counts.pages)
    async with post.watching(gone) as watchdog:
        await asyncio.sleep(1.5)
        assert (watchdog.counts.watched, watchdog.counts.pages) == (0, 0)
    assert len(post.world.pages.events) == 1


async def test_a_page_whose_answer_is_lost_is_repeated_under_its_key(post: Post) -> None:
    post.world.pagerduty_events.faults.append(lose_reply())
    _, taken = await post.start()
    async with post.watching() as watchdog:
        await watchdog.accepted(taken)
        await until(lambda: watchdog.counts.pages)
        assert (watchdog.counts.failed, watchdog.counts.pages) == (1, 1)
    assert [incident.alerts for incident in post.world.pages.incidents] == [2]


async def test_a_report_in_time_wakes_nobody(post: Post) -> None:
    post.set(watchdog={"deadline": 2.0})
    async with (
        run_harness(post.client, [says("Checkout is fine.")], worker={"task_queue": post.queue}),
        post.watching() as watchdog,
    ):
        _, taken = await post.start(limits=None)
        await watchdog.accepted(taken)
        await until(lambda: not watchdog.counts.watched)
        await asyncio.sleep(2.5)
        assert (watchdog.counts.watched, watchdog.counts.outage) == (0, False)
    assert post.world.pages.events == []


async def test_an_outage_that_ends_in_time_wakes_nobody(post: Post) -> None:
    post.set(watchdog={"outage": 30.0})
    _, taken = await post.start(limits=None)
    async with post.watching() as watchdog:
        await watchdog.accepted(taken)
        await until(lambda: watchdog.counts.outage)
        async with run_harness(post.client, [says("Checkout is fine.")], worker={"task_queue": post.queue}):
            await until(lambda: not watchdog.counts.watched)
            assert watchdog.counts.outage is False
    assert post.world.pages.events == []


def test_a_page_of_the_watchdog_has_the_key_of_the_tool() -> None:
    tool = TOOLS["page_engineer"]
    for team in ("checkout", "on call / nights", "é" * 100):
        arguments = tool.arguments.model_construct(team=team)
        assert tool.idempotency_key(ToolCall(run="run-1", arguments="{}", key="r1.0"), arguments) == page_key(
            "run-1", team
        )


# --- refused ------------------------------------------------------------------------------------------------------


REFUSAL = RefusedGroup("alert-test-refused", "Payments fail", service="payments")


async def test_a_group_that_temporal_could_not_take_and_that_does_not_come_again_is_paged(post: Post) -> None:
    async with post.watching(await nowhere()) as watchdog:
        await watchdog.refused(REFUSAL)
        await watchdog.refused(REFUSAL)
        assert watchdog.counts.refused == 1
        await until(lambda: watchdog.counts.pages)
        await watchdog.refused(REFUSAL)
        await asyncio.sleep(1.5)
        assert watchdog.counts.refused == 0
    (delivery,) = post.world.pages.events
    assert delivery.team == "payments"
    assert delivery.dedup_key.startswith("refused/alert-test-refused/")
    assert delivery.summary is not None
    assert delivery.summary.startswith("Payments fail: refused at ")
    assert "Temporal could not take it, and it did not come again for 1 s" in delivery.summary


async def test_a_group_that_comes_again_and_is_accepted_is_not_paged(post: Post) -> None:
    handle, taken = await post.start()
    with post.watchdog() as watchdog:
        await watchdog.refused(RefusedGroup(handle.id, "Checkout fails", "checkout"))
        assert (watchdog.counts.watched, watchdog.counts.refused) == (1, 1)
        await watchdog.accepted(taken)
        assert (watchdog.counts.watched, watchdog.counts.refused) == (1, 0)
        await watchdog.refused(RefusedGroup(handle.id, "Checkout fails", "checkout"))
        await watchdog.accepted(replace(taken, outcome="ignored", run_id=None))
        assert (watchdog.counts.watched, watchdog.counts.refused) == (1, 0)
    journal = Journal(post.settings.watchdog.journal)
    assert [watched.key for watched in journal.watched()] == [taken.run_id]
    journal.close()


async def test_a_group_that_another_intake_accepts_is_not_paged(post: Post) -> None:
    post.set(watchdog={"outage": 30.0})
    handle, _ = await post.start()
    refusal = RefusedGroup(handle.id, "Checkout fails", "checkout")
    with post.watchdog() as watchdog:
        await watchdog.refused(refusal)
        await watchdog.look()
        assert watchdog.counts.refused == 1  # its run began before
        await handle.signal("alert", {"alerts": [], "at": 0})
        await watchdog.look()
        assert watchdog.counts.refused == 0
