"""Incidents without a report: ended runs, runs past their deadline, and runs that the watchdog did not know."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.client import Client
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from tests.support.harness import concludes, look, reset, run_harness, until_asked
from tests.unit.watchdog.conftest import TOOLS, Setup, started_run, until
from watchkeeper.contracts import RunInput
from watchkeeper.temporal import search_attributes
from watchkeeper.temporal.client import DATA_CONVERTER
from watchkeeper.testing.faults import fault, hang
from watchkeeper.testing.scripts import calls
from watchkeeper.watchdog.unreported_runs import UnreportedRun, adopt


async def test_a_run_that_is_terminated_without_a_report_is_paged_at_once(setup: Setup) -> None:
    setup.set(watchdog={"outage": 60.0})
    handle, started = await setup.start()
    with setup.watchdog() as watchdog:
        await watchdog.record_accepted(started)
        await watchdog.poll()
        assert setup.world.pages.events == []
        await handle.terminate("by mistake")
        await watchdog.poll()
        await watchdog.poll()
    (delivery,) = setup.world.pages.events
    assert delivery.summary is not None
    assert delivery.summary.endswith(f"no report: its run ended without a report. See `watchkeeper show {handle.id}`")


async def test_the_next_run_of_a_group_does_not_hide_that_the_last_one_ended_without_a_report(setup: Setup) -> None:
    setup.set(watchdog={"outage": 60.0})
    first, started = await setup.start()
    with setup.watchdog() as watchdog:
        await watchdog.record_accepted(started)
        await first.terminate("by mistake")
        _, again = await setup.start(first.id)
        await watchdog.record_accepted(again)
        await watchdog.poll()
        assert watchdog.counts.watched == 1
    assert [delivery.dedup_key for delivery in setup.world.pages.events] == [f"{started.run_id}/page_engineer/checkout"]


async def test_a_run_that_temporal_has_lost_is_paged(setup: Setup) -> None:
    with setup.watchdog() as watchdog:
        await watchdog.record_accepted(started_run("alert-test-lost", "01a210d4-0000-7193-a0dd-7988d27dd214"))
        await watchdog.poll()
    assert "Temporal no longer knows its run" in setup.titles[0]


async def test_a_listed_run_that_no_longer_exists_is_ignored(setup: Setup) -> None:
    info = WorkflowExecutionInfo()
    listed = UnreportedRun("alert-test-gone", "01a210d4-0000-7193-a0dd-7988d27dd214", info)
    assert await adopt(setup.client, listed, 60.0) is None


async def test_a_run_without_a_report_at_its_deadline_is_paged(setup: Setup) -> None:
    setup.set(watchdog={"outage": 60.0, "deadline": 1.0})
    async with (
        run_harness(setup.client, concludes(), worker={"task_queue": setup.queue}) as harness,
        setup.running_watchdog() as watchdog,
    ):
        harness.model.outage = hang(60)
        _, started = await setup.start(limits=None)
        await watchdog.record_accepted(started)
        await until(lambda: watchdog.counts.pages)
        assert watchdog.counts.outage is False
    assert "no report: its deadline has passed." in setup.titles[0]


async def test_a_report_that_no_destination_accepts_is_paged(setup: Setup) -> None:
    setup.set(watchdog={"outage": 60.0, "deadline": 2.0})
    reports = {"webhook_url": setup.world.urls.loki_url}
    setup.world.loki.outage = fault(503)
    async with (
        run_harness(setup.client, concludes(), worker={"task_queue": setup.queue}, reports=reports),
        setup.running_watchdog() as watchdog,
    ):
        _, started = await setup.start(limits=None)
        await watchdog.record_accepted(started)
        await until(lambda: watchdog.counts.pages)
    assert "its report is written, but a destination has not accepted it yet." in setup.titles[0]


async def test_a_run_that_is_terminated_while_it_reports_is_paged(setup: Setup) -> None:
    setup.set(watchdog={"outage": 60.0})
    setup.world.loki.outage = fault(503)
    reports = {"webhook_url": setup.world.urls.loki_url}
    async with (
        run_harness(setup.client, concludes(), worker={"task_queue": setup.queue}, reports=reports),
        setup.running_watchdog() as watchdog,
    ):
        handle, started = await setup.start(limits=None)
        await watchdog.record_accepted(started)
        await until(lambda: setup.world.loki.requests)
        await asyncio.sleep(0.5)
        assert watchdog.counts.watched == 1
        await handle.terminate("enough")
        await until(lambda: watchdog.counts.pages)
    assert "its report is written, but no destination accepted it." in setup.titles[0]


@pytest.mark.parametrize("may_page", [True, False], ids=["its page is refused", "only its last resort is refused"])
async def test_a_hand_off_that_reaches_no_one_is_paged(setup: Setup, may_page: bool) -> None:
    setup.set(watchdog={"outage": 60.0}, reports={"page_on_hand_off": may_page})
    setup.world.loki.outage = fault(404)
    setup.world.pagerduty_events.fail_next(400, "Invalid routing key")
    tables = setup.settings.model_dump(include={"pagerduty", "teams", "reports"})
    tables["reports"]["webhook_url"] = setup.world.urls.loki_url
    tools = {**TOOLS, "look": look}
    script = [calls(("look", {"service": "checkout"}))]
    async with run_harness(setup.client, script, tools=tools, worker={"task_queue": setup.queue}, **tables):
        handle, started = await setup.start()
        await asyncio.gather(handle.result(), return_exceptions=True)
        assert setup.world.pages.events == []
        with setup.watchdog() as watchdog:
            await watchdog.record_accepted(started)
            await watchdog.poll()
    assert "no destination accepted it." in setup.titles[0]


@pytest.mark.parametrize("may_page", [True, False], ids=["as it may", "as its last resort"])
async def test_a_hand_off_that_paged_is_not_paged_again(setup: Setup, may_page: bool) -> None:
    setup.set(watchdog={"outage": 60.0, "deadline": 1.0}, reports={"page_on_hand_off": may_page})
    setup.world.loki.outage = fault(404)
    tables = setup.settings.model_dump(include={"pagerduty", "teams", "reports"})
    tables["reports"]["webhook_url"] = setup.world.urls.loki_url
    script = [calls(("look", {"service": "checkout"}))]
    async with run_harness(
        setup.client, script, tools={**TOOLS, "look": look}, worker={"task_queue": setup.queue}, **tables
    ):
        handle, started = await setup.start()
        while (await handle.describe()).close_time is None:
            await asyncio.sleep(0.05)
        with setup.watchdog() as watchdog:
            await watchdog.record_accepted(started)
            await watchdog.poll()
            assert (watchdog.counts.watched, watchdog.counts.pages) == (0, 0)
    assert [incident.alerts for incident in setup.world.pages.incidents] == [1]


@workflow.defn(name="IncidentWorkflow", sandboxed=False)
class Continued:
    """Continues as new twice, the second time after its report if it writes one; then it stays open or ends."""

    @workflow.run
    async def run(self, run_input: RunInput) -> None:
        left = int(run_input.severity or 0)
        if run_input.text == "reports" and left == 1:
            workflow.upsert_search_attributes([search_attributes.OUTCOME.value_set("concluded")])
            workflow.upsert_memo({"report": "fine", "delivered": "log"})
        if left:
            workflow.continue_as_new(run_input.model_copy(update={"severity": str(left - 1)}), memo=workflow.memo())
        if run_input.text == "reports":
            await workflow.sleep(timedelta(minutes=1))


async def test_a_run_is_found_through_all_its_executions(setup: Setup) -> None:
    client = await Client.connect(setup.client.service_client.config.target_host, data_converter=DATA_CONVERTER)
    worker = Worker(client, task_queue=setup.queue, workflows=[Continued], workflow_runner=UnsandboxedWorkflowRunner())
    async with worker, setup.running_watchdog() as watchdog:
        reporting, reports = await setup.start(text="reports", severity="2")
        ending, ends = await setup.start(text="ends", severity="2")
        await watchdog.record_accepted(reports)
        await until(lambda: watchdog.counts.watched == 0)
        await client.get_workflow_handle(ending.id).result()
        await setup.start(ending.id, text="reports", severity="0")  # the next run of the group
        await watchdog.record_accepted(ends)
        await until(lambda: watchdog.counts.pages)
        assert reporting.id != ending.id
    assert [delivery.dedup_key for delivery in setup.world.pages.events] == [f"{ends.run_id}/page_engineer/checkout"]


async def test_unknown_runs_are_adopted(setup: Setup) -> None:
    _, started = await setup.start(service="payments", team="checkout")
    await setup.start("incident-by-a-person", origin=None)
    await setup.start("alert-by-a-person", origin=None)
    ours, setup.queue = setup.queue, "the queue of others"
    await setup.start()
    setup.queue = ours
    async with setup.running_watchdog() as watchdog:
        await until(lambda: watchdog.counts.watched)
        await until(lambda: watchdog.counts.pages)
        await asyncio.sleep(0.5)
    (delivery,) = setup.world.pages.events
    assert delivery.dedup_key == f"{started.run_id}/page_engineer/checkout", "the team that its alerts name"


async def test_a_run_that_is_reset_is_the_same_incident(setup: Setup) -> None:
    setup.set(watchdog={"outage": 60.0})
    async with run_harness(setup.client, concludes(), worker={"task_queue": setup.queue}) as harness:
        harness.model.outage = hang(60)
        handle, started = await setup.start(limits=None)
        await until_asked(harness, 1)
        with setup.watchdog() as watchdog:
            await watchdog.record_accepted(started)
            again = await reset(setup.client, handle, before="r1")
            await watchdog.poll()
            assert (watchdog.counts.watched, watchdog.counts.pages) == (1, 0)
            await again.terminate("by mistake")
            running = "WorkflowType = 'IncidentWorkflow' AND ExecutionStatus = 'Running'"
            while (await setup.client.count_workflows(running)).count:
                await asyncio.sleep(0.05)
            await watchdog.poll()
            assert (watchdog.counts.watched, watchdog.counts.pages) == (0, 1)
    assert [incident.key for incident in setup.world.pages.incidents] == [f"{started.run_id}/page_engineer/checkout"]
