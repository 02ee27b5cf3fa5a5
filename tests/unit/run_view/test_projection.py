"""The view of a run, built from recorded histories and from histories of new runs."""

from __future__ import annotations

import asyncio
import json

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHistory

from tests.support.harness import Run, run_harness
from tests.support.paths import HISTORIES
from watchkeeper.contracts import Decision, ExtendRequest, JsonObject, LimitChanges, TellRequest
from watchkeeper.run_view.entries import Call, CompactedMessages, Round
from watchkeeper.run_view.follow import read_run
from watchkeeper.run_view.json_view import run_json
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.projection import RunChange, RunProjection
from watchkeeper.run_view.run_phrases import current_step
from watchkeeper.temporal.client import DATA_CONVERTER
from watchkeeper.testing.faults import hang
from watchkeeper.testing.scripts import always, calls, says
from workflows.incident import IncidentWorkflow

OTHERS = ("queue-", "late-delivery-workflow")
RUNS = sorted(path.stem for path in HISTORIES.glob("*.json") if not path.stem.startswith(OTHERS))
LOOK = ("look", {"service": "checkout"})
RESTART = ("restart", {"service": "checkout"})
RESET_BEFORE = "workflow_task_completed_event_attributes"
REPORT = "**Status:** checkout is degraded.\n\nRoll back."


def recorded(*names: str) -> list[HistoryEvent]:
    files = [(HISTORIES / f"{name}.json").read_text() for name in names]
    return [event for text in files for event in WorkflowHistory.from_json("recorded", text).events]


async def told(*names: str) -> tuple[RunView, list[RunChange]]:
    projection = RunProjection(DATA_CONVERTER)
    return projection.view, [thing for event in recorded(*names) for thing in await projection.add(event)]


def statuses(view: RunView) -> dict[str, str]:
    return {call.key: call.status for call in view.calls.values()}


def approval_of(view: RunView, key: str) -> str | None:
    approval = view.calls[key].approval
    return approval.status if approval else None


def error_of(view: RunView, key: str) -> str:
    return str(json.loads(view.calls[key].result or "{}").get("error"))


async def waiting_keys(run: Run) -> list[str]:
    return [record.key for record in await run.query(IncidentWorkflow.waiting)]


async def test_the_view_of_a_concluded_run_is_complete() -> None:
    view, things = await told("concluded")
    assert view.status == "concluded"
    assert view.workflow_id.startswith("incident-")
    assert view.run_id == view.first_run_id != ""
    assert [(r.number, len(r.reply.calls) if r.reply else None) for r in view.rounds] == [(1, 1), (2, 0)]
    call = view.calls["r1.0"]
    assert (call.name, call.arguments, call.status) == ("look", '{"service":"checkout"}', "ok")
    assert json.loads(call.result or "") == {"service": "checkout", "error_rate": 0.182}
    assert call.started_at and call.ended_at and view.started_at and view.closed_at
    assert view.started_at < call.started_at < call.ended_at < view.closed_at
    assert view.report is not None
    assert view.report.body.startswith("**Status:**")
    assert view.usage.tokens == sum(r.reply.usage.tokens for r in view.rounds if r.reply) > 0
    assert view.models == ["scripted"]
    assert [type(thing) for thing in things] == [RunView, RunView, Round, Call, Round, RunView, RunView]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("parallel-calls", {"r1.0": "ok", "r1.1": "ok", "r1.2": "ok"}),
        ("tool-failure", {"r1.0": "error", "r1.1": "error", "r1.2": "ok"}),
        ("bad-arguments", {"r1.0": "rejected", "r1.1": "rejected", "r1.2": "rejected"}),
        ("unknown-tool", {"r1.0": "rejected"}),
        ("approved", {"r1.0": "ok", "r1.1": "ok"}),
        ("denied", {"r1.0": "denied"}),
        ("approval-expired", {"r1.0": "expired"}),
        ("stopped", {"r1.0": "ok", "r2.0": "denied"}),
    ],
)
async def test_every_call_has_a_status_and_a_result(name: str, expected: dict[str, str]) -> None:
    view, things = await told(name)
    assert statuses(view) == expected
    assert all(call.result for call in view.calls.values())
    ends = [thing.key for thing in things if isinstance(thing, Call) and thing.approval is None]
    assert len(ends) == len(set(ends)), "a call is told twice"


async def test_the_result_of_a_call_is_the_one_that_the_model_read() -> None:
    view, _ = await told("tool-failure")
    assert error_of(view, "r1.0") == "GET http://backend/ answered 503: try later (after retries)"
    assert view.calls["r1.0"].attempts == 2
    view, _ = await told("unknown-tool")
    assert "reboot_everything" in error_of(view, "r1.0")
    view, _ = await told("denied")
    assert error_of(view, "r1.0") == "not run: denied by ada: not on a Friday"
    view, _ = await told("approval-expired")
    assert error_of(view, "r1.0").startswith("not run: nobody decided within")


@pytest.mark.parametrize(
    ("name", "key", "expected"),
    [
        ("approved", "r1.0", "approved"),
        ("approved", "r1.1", None),
        ("denied", "r1.0", "denied"),
        ("approval-expired", "r1.0", "expired"),
        ("stopped", "r2.0", "denied"),
    ],
)
async def test_approvals(name: str, key: str, expected: str | None) -> None:
    view, _ = await told(name)
    assert approval_of(view, key) == expected


async def test_people_s_actions_say_who_did_what() -> None:
    view, _ = await told("steered")
    tell, deny = view.actions
    assert (tell.kind, tell.by, tell.text) == ("tell", "ada", "Payments was deployed too.")
    assert (deny.kind, deny.call, deny.approved) == ("decide", "r1.0", False)
    view, _ = await told("stopped")
    assert [(act.kind, act.by, act.text) for act in view.actions] == [("stop", "ada", "false alarm")]
    assert (view.status, view.reason) == ("stopped", "stopped by ada: false alarm")


async def test_a_run_ended_by_a_limit_has_its_hand_off() -> None:
    view, _ = await told("round-limit")
    assert (view.status, view.rounds_completed) == ("limit_reached", 3)
    assert view.reason == "stopped after 3 rounds without a conclusion"
    assert view.report is not None
    assert "No conclusion" in view.report.body
    assert view.limits is not None
    assert view.limits.rounds == 3


async def test_a_run_that_continued_as_new_is_one_view() -> None:
    view, things = await told("continue-as-new-1", "continue-as-new-2", "continue-as-new-3")
    assert (view.status, view.rounds_completed, len(view.calls)) == ("concluded", 9, 8)
    assert [thing.number for thing in things if isinstance(thing, Round)] == list(range(1, 10))
    assert view.run_id != view.first_run_id
    assert set(statuses(view).values()) == {"ok"}


async def test_executions_without_history_still_count() -> None:
    whole, _ = await told("continue-as-new-1", "continue-as-new-2", "continue-as-new-3")
    late, _ = await told("continue-as-new-3")
    assert late.usage == whole.usage
    assert late.rounds_completed == whole.rounds_completed
    assert late.started_at and whole.started_at
    assert abs((late.started_at - whole.started_at).total_seconds()) < 1
    assert statuses(late) == statuses(whole)
    assert late.status == "concluded"


@pytest.mark.parametrize("name", RUNS)
async def test_a_view_is_valid_after_every_event(name: str) -> None:
    projection = RunProjection(DATA_CONVERTER)
    final: dict[str, str] = {}
    for event in recorded(name):
        await projection.add(event)
        shown = json.loads(json.dumps(run_json(projection.view)))
        for call in shown["tool_calls"]:
            if call["status"] not in ("waiting", "running"):
                assert final.setdefault(call["key"], call["status"]) == call["status"]
    assert current_step(projection.view)


async def test_no_worker_is_needed(client: Client) -> None:
    async with run_harness(client, [calls(LOOK), says(REPORT)]) as harness:
        run = await harness.start()
        await run.result()
    view = await read_run(client, run.id)
    assert (view.status, statuses(view)) == ("concluded", {"r1.0": "ok"})


async def test_a_running_run_is_read_up_to_now(client: Client) -> None:
    async with run_harness(client, [calls(RESTART, LOOK), says(REPORT)]) as harness:
        run = await harness.start()
        while await waiting_keys(run) != ["r1.0"]:
            await asyncio.sleep(0.02)
        view = await read_run(client, run.id)
        assert (view.status, statuses(view)) == ("running", {"r1.0": "waiting", "r1.1": "ok"})
        assert (approval_of(view, "r1.0"), view.report, view.closed_at) == ("waiting", None, None)
        shown = run_json(view)["tool_calls"][0]["approval"]
        assert shown["expires_at"] > run_json(view)["started_at"]
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True, by="ada", note="do it"))
        await run.result()
        view = await read_run(client, run.id)
    approval = view.calls["r1.0"].approval
    assert approval is not None
    assert (approval.status, approval.by, approval.note) == ("approved", "ada", "do it")


async def test_a_compaction_is_a_change() -> None:
    view, things = await told("context-overflow")
    at = [position for position, thing in enumerate(things) if isinstance(thing, CompactedMessages)]
    assert at
    for position in at:
        refused, again = things[position - 1], things[position + 1]
        assert isinstance(refused, Round)
        assert "token limit" in (refused.failure or "")
        assert isinstance(again, Round)
        assert again.number == refused.number
    assert view.status == "concluded"
    assert view.rounds_completed == 12


async def test_an_identical_side_effect_is_run_once(client: Client) -> None:
    page, spaced = (
        ("page", {"team": "checkout", "summary": "down"}),
        ("page", '{"summary": "down", "team": "checkout"}'),
    )
    async with run_harness(client, [calls(page, LOOK, spaced), says(REPORT)]) as harness:
        run = await harness.start()
        await run.result()
    view = await read_run(client, run.id)
    assert statuses(view) == {"r1.0": "ok", "r1.1": "ok", "r1.2": "ok"}
    assert (view.calls["r1.2"].same_as, view.calls["r1.0"].same_as) == ("r1.0", None)
    assert view.calls["r1.2"].result == view.calls["r1.0"].result


async def test_extensions_change_the_limits(client: Client) -> None:
    async with run_harness(client, [calls(RESTART), says(REPORT)]) as harness:
        run = await harness.start()
        while not await waiting_keys(run):
            await asyncio.sleep(0.02)
        await run.execute_update(IncidentWorkflow.tell, TellRequest(text="hurry", by="ada"))
        await run.execute_update(
            IncidentWorkflow.extend, ExtendRequest(by=LimitChanges(rounds=7, cost=1.5), who="grace")
        )
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=False))
        await run.result()
    view = await read_run(client, run.id)
    assert view.limits is not None
    assert view.limits.rounds == 37
    assert [(act["act"], act["by"], act["extended"]) for act in run_json(view)["acts"]] == [
        ("tell", "ada", None),
        ("extend", "grace", {"rounds": 7, "cost": 1.5}),
        ("decide", None, None),
    ]


async def test_rejected_updates_are_not_in_the_view(client: Client) -> None:
    async with run_harness(client, [calls(RESTART), says(REPORT)]) as harness:
        run = await harness.start()
        while not await waiting_keys(run):
            await asyncio.sleep(0.02)
        for wrong in (Decision(call="r9.9", approved=True), Decision(call="", approved=True)):
            with pytest.raises(Exception, match="update"):
                await run.execute_update(IncidentWorkflow.decide, wrong)
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=False, by="ada"))
        await run.result()
    assert [(act.call, act.by) for act in (await read_run(client, run.id)).actions] == [("r1.0", "ada")]


@pytest.mark.parametrize("how", ["terminated", "cancelled"])
async def test_runs_that_temporal_ended_are_stopped(client: Client, how: str) -> None:
    async with run_harness(client, [calls(LOOK), says(REPORT)]) as harness:
        harness.model.outage = hang(30)
        run = await harness.start()
        while not harness.model.requests:
            await asyncio.sleep(0.02)
        if how == "terminated":
            await run.terminate(reason="maintenance")
        else:
            await run.cancel()
        with pytest.raises(WorkflowFailureError):
            await run.result()
        view = await read_run(client, run.id)
    assert view.status == "stopped"
    assert view.reason is not None
    assert ("maintenance" if how == "terminated" else "cancelled") in view.reason
    assert (view.report is None) == (how == "terminated")


async def test_a_model_without_an_answer_is_a_failed_round(client: Client) -> None:
    async with run_harness(client, always(calls(LOOK), without_tools=says("."))) as harness:
        harness.model.fail_next(401, {"error": {"message": "bad key", "code": "invalid_api_key"}})
        run = await harness.start()
        with pytest.raises(WorkflowFailureError):
            await run.result()
    view = await read_run(client, run.id)
    assert (view.status, view.rounds_completed, len(view.rounds)) == ("failed", 0, 1)
    assert "bad key" in (view.rounds[0].failure or "")
    assert "bad key" in (view.reason or "")


async def test_the_json_object_of_a_run(client: Client) -> None:
    view, _ = await told("concluded")
    shown: JsonObject = json.loads(json.dumps(run_json(view)))
    surface = {
        *("run", "workflow_id", "run_id", "status", "reason", "report", "rounds", "tool_calls"),
        *("usage", "limits", "alerts", "started_at", "closed_at"),
    }
    assert surface <= shown.keys()
    assert {"key", "round", "name", "arguments", "status", "approval", "result"} <= shown["tool_calls"][0].keys()
    assert {"summary", "body", "evidence", "verdict", "unsupported"} == shown["report"].keys()
    assert {"prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "cost"} <= shown["usage"].keys()
    assert shown["tool_calls"][0]["arguments"] == {"service": "checkout"}
    assert shown["tool_calls"][0]["result"]["error_rate"] == 0.182
    assert shown["started_at"].endswith("Z")
    assert (shown["status"], shown["rounds"]) == ("concluded", 2)


async def test_a_reset_run_is_read_as_it_continued(client: Client) -> None:
    async with run_harness(client, [calls(LOOK), calls(RESTART), says(REPORT)]) as harness:
        run = await harness.start()
        while await waiting_keys(run) != ["r2.0"]:
            await asyncio.sleep(0.02)
        await run.execute_update(IncidentWorkflow.tell, TellRequest(text="hurry", by="ada"))
        undone = (await run.describe()).run_id
        asked = [e.event_id async for e in run.fetch_history_events() if e.WhichOneof("attributes") == RESET_BEFORE]
        await client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=undone),
                workflow_task_finish_event_id=asked[2],
                request_id="again",
                reason="try again",
            )
        )
        again: Run = client.get_workflow_handle(run.id)
        while await waiting_keys(again) != ["r2.0"]:
            await asyncio.sleep(0.02)
        await again.execute_update(IncidentWorkflow.decide, Decision(call="r2.0", approved=True, by="grace"))
        await again.result()
    view = await read_run(client, run.id)
    assert (view.status, statuses(view)) == ("concluded", {"r1.0": "ok", "r2.0": "ok"})
    assert view.run_id != undone
    assert view.first_run_id == undone
    assert [(act.kind, act.by) for act in view.actions] == [("tell", "ada"), ("decide", "grace")]
