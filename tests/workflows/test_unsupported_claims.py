"""What a run shows of claims that nothing supports: on the server, in lists, to scripts and in the metrics."""

from __future__ import annotations

import asyncio

import pytest
from temporalio.client import Client

from tests.support.alert_sender import Sender, until_reported
from tests.support.harness import Harness, run_harness
from tests.support.telemetry_harness import telemetry_harness
from tests.unit.telemetry.test_metrics import Exposition
from watchkeeper.cli.list_runs import short_status
from watchkeeper.contracts import RunMemo
from watchkeeper.run_view.follow import read_run
from watchkeeper.run_view.json_view import list_row_json
from watchkeeper.runs import client as runs_client
from watchkeeper.runs.list_filter import RunFilter
from watchkeeper.temporal import search_attributes
from watchkeeper.testing.scripts import calls, says

LOOK = ("look", {"service": "checkout"})
HONEST = "Verdict: diagnosed\n\nThe error rate of checkout is 18.2 % [r1.0]."
LIE = "Verdict: diagnosed\n\nThe error rate of checkout is 73.4 % since v9.9.9."

pytestmark = pytest.mark.timeout(120)


async def reported(harness: Harness) -> str:
    """Let an alert start a run, and wait for its report; return the workflow id."""
    sender = Sender.on(harness)
    run = sender.run(await sender.fire())
    await until_reported(run)
    return run.id


async def until_listed(client: Client, run: str) -> None:
    """Wait until the list shows the outcome of a run; it is updated with a short delay."""
    while not [found async for found in runs_client.list_runs(client, RunFilter(workflow_id=run, state="concluded"))]:
        await asyncio.sleep(0.1)


async def test_claims_that_remain_are_counted_once(client: Client) -> None:
    script = [calls(LOOK), says(LIE), says(LIE)]
    async with telemetry_harness(client, script, telemetry={"metrics_port": 0}) as (harness, process):
        run = await reported(harness)
        view = await read_run(client, run)
        while view.report is None or view.deliveries:
            view = await read_run(client, run)
        described = await client.get_workflow_handle(run).describe()
        memo = await described.memo_value("now", type_hint=RunMemo)
        assert process.metrics is not None
        metrics = Exposition(process.metrics.scrape().decode())
        await until_listed(client, run)
        found = [entry async for entry in runs_client.list_runs(client, RunFilter(unsupported=True))]
    claims = view.report.unsupported
    assert view.report.verdict == "diagnosed"
    assert {"73.4 %", "v9.9.9"} <= {claim.text for claim in claims}
    assert view.report.body.count("[unsupported]") >= len(claims)
    assert described.typed_search_attributes.get(search_attributes.UNSUPPORTED_CLAIMS) == len(claims)
    assert memo.doing.startswith("concluded: diagnosed")
    assert memo.unsupported is not None and "73.4 %" in memo.unsupported
    (listed,) = [entry for entry in found if entry.workflow_id == run]
    assert (list_row_json(listed)["status"], list_row_json(listed)["unsupported"]) == ("concluded", len(claims))
    assert short_status(listed).plain == f"concluded, open, {len(claims)} unsupported"
    kinds = {claim.kind for claim in claims}
    assert sum(metrics.value("watchkeeper_unsupported_claims_total", kind=kind) or 0 for kind in kinds) == len(claims)
    assert metrics.value("watchkeeper_unsupported_reports_total") == 1
    assert metrics.value("watchkeeper_reviews_total", result="unsupported") == 2


async def test_claims_that_the_model_corrects_are_not_counted(client: Client) -> None:
    script = [calls(LOOK), says(LIE), says(HONEST)]
    async with telemetry_harness(client, script, telemetry={"metrics_port": 0}) as (harness, process):
        run = await reported(harness)
        view = await read_run(client, run)
        while view.report is None or view.deliveries:
            view = await read_run(client, run)
        assert process.metrics is not None
        metrics = Exposition(process.metrics.scrape().decode())
        info = await runs_client.find_run(client, run)
        await until_listed(client, run)
        found = [entry async for entry in runs_client.list_runs(client, RunFilter(unsupported=True))]
    assert (view.report.unsupported, view.report.verdict, info.unsupported) == ([], "diagnosed", 0)
    assert run not in [entry.workflow_id for entry in found]
    assert metrics.value("watchkeeper_unsupported_claims_total", kind="figure") == 0
    assert metrics.value("watchkeeper_unsupported_reports_total") == 0
    results = {name: metrics.value("watchkeeper_reviews_total", result=name) for name in ("unsupported", "accepted")}
    assert results == {"unsupported": 1, "accepted": 1}


async def test_nothing_is_counted_before_the_report(client: Client) -> None:
    async with run_harness(client, [calls(("restart", {"service": "checkout"}))]) as harness:
        sender = Sender.on(harness)
        run = sender.run(await sender.fire())
        while (info := await runs_client.find_run(client, run.id)).waiting_for != "approval":
            await asyncio.sleep(0.05)
    assert (info.status, info.unsupported) == ("running", None)
