"""The story of a run, told from histories alone: recorded ones, and those of runs that just took place."""

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
from watchkeeper.run_view.phrases import current_step
from watchkeeper.run_view.projection import RunChange, RunProjection
from watchkeeper.temporal.client import DATA_CONVERTER
from watchkeeper.testing.faults import hang
from watchkeeper.testing.scripts import always, calls, says
from workflows.incident import IncidentWorkflow

RUNS = sorted(path.stem for path in HISTORIES.glob("*.json") if not path.stem.startswith("queue-"))
LOOK = ("look", {"service": "checkout"})
RESTART = ("restart", {"service": "checkout"})
RESET_BEFORE = "workflow_task_completed_event_attributes"
REPORT = "**Status:** checkout is degraded.\n\nRoll back."


def recorded(*names: str) -> list[HistoryEvent]:
    files = [(HISTORIES / f"{name}.json").read_text() for name in names]
    return [event for text in files for event in WorkflowHistory.from_json("recorded", text).events]


async def told(*names: str) -> tuple[RunView, list[RunChange]]:
    telling = RunProjection(DATA_CONVERTER)
    return telling.view, [thing for event in recorded(*names) for thing in await telling.add(event)]


def statuses(story: RunView) -> dict[str, str]:
    return {call.key: call.status for call in story.calls.values()}


def approval_of(story: RunView, key: str) -> str | None:
    approval = story.calls[key].approval
    return approval.status if approval else None


def error_of(story: RunView, key: str) -> str:
    return str(json.loads(story.calls[key].result or "{}").get("error"))


async def waiting_keys(run: Run) -> list[str]:
    return [record.key for record in await run.query(IncidentWorkflow.waiting)]


async def test_a_concluded_run_is_told_whole() -> None:
    story, things = await told("concluded")
    assert story.status == "concluded"
    assert story.workflow_id.startswith("incident-")
    assert story.run_id == story.first_run_id != ""
    assert [(r.number, len(r.reply.calls) if r.reply else None) for r in story.rounds] == [(1, 1), (2, 0)]
    call = story.calls["r1.0"]
    assert (call.name, call.arguments, call.status) == ("look", '{"service":"checkout"}', "ok")
    assert json.loads(call.result or "") == {"service": "checkout", "error_rate": 0.182}
    assert call.started_at and call.ended_at and story.started_at and story.closed_at
    assert story.started_at < call.started_at < call.ended_at < story.closed_at
    assert story.report is not None
    assert story.report.body.startswith("**Status:**")
    assert story.usage.tokens == sum(r.reply.usage.tokens for r in story.rounds if r.reply) > 0
    assert story.models == ["scripted"]
    assert [type(thing) for thing in things] == [RunView, RunView, Round, Call, Round, RunView]


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
async def test_every_call_has_its_end_and_its_result(name: str, expected: dict[str, str]) -> None:
    story, things = await told(name)
    assert statuses(story) == expected
    assert all(call.result for call in story.calls.values())
    ends = [thing.key for thing in things if isinstance(thing, Call) and thing.approval is None]
    assert len(ends) == len(set(ends)), "a call is told twice"


async def test_what_the_model_was_told_of_a_call_is_its_result() -> None:
    story, _ = await told("tool-failure")
    assert error_of(story, "r1.0") == "GET http://backend/ answered 503: try later (after retries)"
    assert story.calls["r1.0"].attempts == 2
    story, _ = await told("unknown-tool")
    assert "reboot_everything" in error_of(story, "r1.0")
    story, _ = await told("denied")
    assert error_of(story, "r1.0") == "not run: denied by ada: not on a Friday"
    story, _ = await told("approval-expired")
    assert error_of(story, "r1.0").startswith("not run: nobody decided within")


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
    story, _ = await told(name)
    assert approval_of(story, key) == expected


async def test_acts_of_people_say_who_did_what() -> None:
    story, _ = await told("steered")
    tell, deny = story.actions
    assert (tell.kind, tell.by, tell.text) == ("tell", "ada", "Payments was deployed too.")
    assert (deny.kind, deny.call, deny.approved) == ("decide", "r1.0", False)
    story, _ = await told("stopped")
    assert [(act.kind, act.by, act.text) for act in story.actions] == [("stop", "ada", "false alarm")]
    assert (story.status, story.reason) == ("stopped", "stopped by ada: false alarm")


async def test_a_run_that_a_limit_ended_has_its_hand_off() -> None:
    story, _ = await told("round-limit")
    assert (story.status, story.rounds_completed) == ("limit_reached", 3)
    assert story.reason == "stopped after 3 rounds without a conclusion"
    assert story.report is not None
    assert "No conclusion" in story.report.body
    assert story.limits is not None
    assert story.limits.rounds == 3


async def test_a_run_that_continued_as_new_is_one_story() -> None:
    story, things = await told("continue-as-new-1", "continue-as-new-2", "continue-as-new-3")
    assert (story.status, story.rounds_completed, len(story.calls)) == ("concluded", 9, 8)
    assert [thing.number for thing in things if isinstance(thing, Round)] == list(range(1, 10))
    assert story.run_id != story.first_run_id
    assert set(statuses(story).values()) == {"ok"}


async def test_executions_that_are_gone_count_all_the_same() -> None:
    whole, _ = await told("continue-as-new-1", "continue-as-new-2", "continue-as-new-3")
    late, _ = await told("continue-as-new-3")
    assert late.usage == whole.usage
    assert late.rounds_completed == whole.rounds_completed
    assert late.started_at and whole.started_at
    assert abs((late.started_at - whole.started_at).total_seconds()) < 1
    assert statuses(late) == statuses(whole)
    assert late.status == "concluded"


@pytest.mark.parametrize("name", RUNS)
async def test_a_story_is_sound_after_every_event(name: str) -> None:
    telling = RunProjection(DATA_CONVERTER)
    final: dict[str, str] = {}
    for event in recorded(name):
        await telling.add(event)
        shown = json.loads(json.dumps(run_json(telling.view)))
        for call in shown["tool_calls"]:
            if call["status"] not in ("waiting", "running"):
                assert final.setdefault(call["key"], call["status"]) == call["status"]
    assert current_step(telling.view)


async def test_no_worker_is_needed(client: Client) -> None:
    async with run_harness(client, [calls(LOOK), says(REPORT)]) as harness:
        run = await harness.start()
        await run.result()
    story = await read_run(client, run.id)
    assert (story.status, statuses(story)) == ("concluded", {"r1.0": "ok"})


async def test_a_run_in_flight_is_told_up_to_now(client: Client) -> None:
    async with run_harness(client, [calls(RESTART, LOOK), says(REPORT)]) as harness:
        run = await harness.start()
        while await waiting_keys(run) != ["r1.0"]:
            await asyncio.sleep(0.02)
        story = await read_run(client, run.id)
        assert (story.status, statuses(story)) == ("running", {"r1.0": "waiting", "r1.1": "ok"})
        assert (approval_of(story, "r1.0"), story.report, story.closed_at) == ("waiting", None, None)
        shown = run_json(story)["tool_calls"][0]["approval"]
        assert shown["expires_at"] > run_json(story)["started_at"]
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True, by="ada", note="do it"))
        await run.result()
        story = await read_run(client, run.id)
    approval = story.calls["r1.0"].approval
    assert approval is not None
    assert (approval.status, approval.by, approval.note) == ("approved", "ada", "do it")


async def test_a_summary_is_told_where_it_takes_the_place_of_older_rounds() -> None:
    story, things = await told("context-overflow")
    at = [position for position, thing in enumerate(things) if isinstance(thing, CompactedMessages)]
    assert at
    for position in at:
        refused, again = things[position - 1], things[position + 1]
        assert isinstance(refused, Round)
        assert "token limit" in (refused.failure or "")
        assert isinstance(again, Round)
        assert again.number == refused.number
    assert story.status == "concluded"
    assert story.rounds_completed == 12


async def test_identical_effects_are_one(client: Client) -> None:
    page, spaced = (
        ("page", {"team": "checkout", "summary": "down"}),
        ("page", '{"summary": "down", "team": "checkout"}'),
    )
    async with run_harness(client, [calls(page, LOOK, spaced), says(REPORT)]) as harness:
        run = await harness.start()
        await run.result()
    story = await read_run(client, run.id)
    assert statuses(story) == {"r1.0": "ok", "r1.1": "ok", "r1.2": "ok"}
    assert (story.calls["r1.2"].same_as, story.calls["r1.0"].same_as) == ("r1.0", None)
    assert story.calls["r1.2"].result == story.calls["r1.0"].result


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
    story = await read_run(client, run.id)
    assert story.limits is not None
    assert story.limits.rounds == 37
    assert [(act["act"], act["by"], act["extended"]) for act in run_json(story)["acts"]] == [
        ("tell", "ada", None),
        ("extend", "grace", {"rounds": 7, "cost": 1.5}),
        ("decide", None, None),
    ]


async def test_rejected_acts_are_no_part_of_the_story(client: Client) -> None:
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
        story = await read_run(client, run.id)
    assert story.status == "stopped"
    assert story.reason is not None
    assert ("maintenance" if how == "terminated" else "cancelled") in story.reason
    assert (story.report is None) == (how == "terminated")


async def test_a_model_that_gives_no_answer_is_told(client: Client) -> None:
    async with run_harness(client, always(calls(LOOK), without_tools=says("."))) as harness:
        harness.model.fail_next(401, {"error": {"message": "bad key", "code": "invalid_api_key"}})
        run = await harness.start()
        with pytest.raises(WorkflowFailureError):
            await run.result()
    story = await read_run(client, run.id)
    assert (story.status, story.rounds_completed, len(story.rounds)) == ("failed", 0, 1)
    assert "bad key" in (story.rounds[0].failure or "")
    assert "bad key" in (story.reason or "")


async def test_the_object_that_scripts_read(client: Client) -> None:
    story, _ = await told("concluded")
    shown: JsonObject = json.loads(json.dumps(run_json(story)))
    surface = {
        *("run", "workflow_id", "run_id", "status", "reason", "report", "rounds", "tool_calls"),
        *("usage", "limits", "alerts", "started_at", "closed_at"),
    }
    assert surface <= shown.keys()
    assert {"key", "round", "name", "arguments", "status", "approval", "result"} <= shown["tool_calls"][0].keys()
    assert {"summary", "body", "evidence"} == shown["report"].keys()
    assert {"prompt_tokens", "completion_tokens", "cached_tokens", "reasoning_tokens", "cost"} <= shown["usage"].keys()
    assert shown["tool_calls"][0]["arguments"] == {"service": "checkout"}
    assert shown["tool_calls"][0]["result"]["error_rate"] == 0.182
    assert shown["started_at"].endswith("Z")
    assert (shown["status"], shown["rounds"]) == ("concluded", 2)


async def test_a_reset_run_is_told_as_it_went_on(client: Client) -> None:
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
    story = await read_run(client, run.id)
    assert (story.status, statuses(story)) == ("concluded", {"r1.0": "ok", "r2.0": "ok"})
    assert story.run_id != undone
    assert story.first_run_id == undone
    assert [(act.kind, act.by) for act in story.actions] == [("tell", "ada"), ("decide", "grace")]
