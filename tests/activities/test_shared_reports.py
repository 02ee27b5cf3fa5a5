"""A report for several destinations is recorded once; a delivery without it finds it."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from httpx2 import AsyncClient
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.deliver import DeliverActivities
from tests.activities.test_deliver import LOOK, REPORT, TOOLS, Inbox, inbox, names
from tests.support.harness import Run, run_harness
from tests.support.settings import build_settings
from watchkeeper.contracts import ReportDelivery
from watchkeeper.testing.scripts import calls, says

__all__ = ["inbox"]


async def recorded_deliveries(run: Run) -> dict[str, ReportDelivery]:
    """Return the arguments of the deliveries in the history of a run, by activity id, in order."""
    found: dict[str, ReportDelivery] = {}
    async for event in run.fetch_history_events():
        scheduled = event.activity_task_scheduled_event_attributes
        if scheduled.activity_type.name == "deliver":
            found[scheduled.activity_id] = ReportDelivery.model_validate_json(scheduled.input.payloads[0].data)
    return found


async def test_a_report_for_several_destinations_is_recorded_once(client: Client, inbox: Inbox, tmp_path: Path) -> None:
    reports = {"directory": tmp_path, "webhook_url": inbox.url}
    async with run_harness(client, [calls(LOOK), says(REPORT)], tools=TOOLS, reports=reports) as harness:
        run = await harness.start()
        result = await run.result()
        recorded = await recorded_deliveries(run)
    assert list(recorded) == ["deliver-log", "deliver-directory", "deliver-webhook"]
    first, *others = recorded.values()
    assert (first.report, first.report_in) == (result.report, None)
    assert all(delivery.model_fields_set.isdisjoint({"report"}) for delivery in others)
    assert [delivery.report_in for delivery in others] == ["deliver-log"] * 2
    (name,) = names(tmp_path)
    assert result.report.body in await asyncio.to_thread((tmp_path / name).read_text)
    assert inbox.requests[0].json()["report"]["body"] == result.report.body


async def test_a_worker_that_has_no_report_in_memory_reads_it_from_the_history(client: Client, tmp_path: Path) -> None:
    script = [calls(LOOK), calls(LOOK), says(REPORT)]
    async with run_harness(client, script, tools=TOOLS, reports={"directory": tmp_path / "once"}) as harness:
        run = await harness.start()
        result = await run.result()
        delivery = (await recorded_deliveries(run))["deliver-directory"]
    environment = ActivityEnvironment(client=client)
    environment.info = replace(environment.info, workflow_id=run.id, workflow_run_id=run.first_execution_run_id)
    async with AsyncClient(timeout=5) as http:
        deliver_again = DeliverActivities(build_settings(reports={"directory": tmp_path / "again"}), http).deliver
        assert await environment.run(deliver_again, delivery)
        with pytest.raises(ApplicationError, match="has no delivery deliver-pager") as lost:
            await environment.run(deliver_again, delivery.without_report("deliver-pager"))
    assert (lost.value.type, lost.value.non_retryable) == ("ReportRefused", True)
    once, again = (next((tmp_path / name).iterdir()) for name in ("once", "again"))
    assert result.report.body in once.read_text()
    assert again.read_text() == once.read_text()
