"""Updates that people send to a run; `make histories` records them for the replay tests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError

from tests.conftest import Record
from tests.support.harness import failure, model_text, run_harness, until_asked, until_waiting
from watchkeeper.contracts import Decision, ExtendRequest, LimitChanges, StopRequest, TellRequest
from watchkeeper.testing.faults import fault, hang
from watchkeeper.testing.scripts import calls, raw, says
from workflows.incident import IncidentWorkflow

LOOK = ("look", {"service": "checkout"})
REPORT = "**Status:** checkout is degraded.\n\nRoll back."


async def test_an_approved_call_runs(client: Client, record: Record) -> None:
    async with run_harness(client, [calls(("restart", {"service": "checkout"}), LOOK), says(REPORT)]) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        with pytest.raises(WorkflowUpdateFailedError) as unknown_call:
            await run.execute_update(IncidentWorkflow.decide, Decision(call="r9.9", approved=True))
        assert harness.effects.restarts == []
        answer = await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True, by="ada"))
        with pytest.raises(WorkflowUpdateFailedError) as late_decision:
            await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=False, by="bob"))
        await run.result()
        await record(run, "approved")
    assert answer == "r1.0 approved"
    assert "no call 'r9.9' waits for a decision; waiting: r1.0" in str(unknown_call.value.cause)
    assert "already approved by ada" in str(late_decision.value.cause) or "the run has ended" in str(
        late_decision.value.cause
    )
    assert harness.effects.restarts == ["checkout"]
    assert "restarted" in harness.results()[0]


async def test_a_denied_call_is_a_result(client: Client, record: Record) -> None:
    async with run_harness(client, [calls(("restart", {"service": "checkout"})), says(REPORT)]) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        denial = Decision(call="r1.0", approved=False, by="ada", note="not on a Friday")
        await run.execute_update(IncidentWorkflow.decide, denial)
        await run.result()
        await record(run, "denied")
    assert harness.effects.restarts == []
    assert harness.results() == ['{"error":"not run: denied by ada: not on a Friday"}']


async def test_an_approval_request_without_an_answer_expires(client: Client, record: Record) -> None:
    script = [calls(("restart", {"service": "checkout"})), says(REPORT)]
    async with run_harness(client, script, approval={"timeout": 0.3}) as harness:
        run = await harness.start()
        result = await run.result()
        await record(run, "approval-expired")
    assert result.status == "concluded"
    assert harness.effects.restarts == []
    assert "no one decided" in harness.results()[0]


async def test_a_message_from_a_person_is_sent_in_the_next_round(client: Client, record: Record) -> None:
    script = [calls(("restart", {"service": "checkout"})), says("not yet"), says(REPORT)]
    async with run_harness(client, script) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        await run.execute_update(IncidentWorkflow.tell, TellRequest(text="Payments was deployed too.", by="ada"))
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=False))
        await until_asked(harness, 2)
        await run.result()
        await record(run, "steered")
    assert harness.messages(1)[-1] == {"role": "user", "content": "ada: Payments was deployed too."}


async def test_a_message_during_the_conclusion_is_not_lost(client: Client) -> None:
    async with run_harness(client, [says("all is well"), says(REPORT)]) as harness:
        harness.model.faults.append(fault(503, headers={"retry-after": "1"}))
        run = await harness.start()
        await until_asked(harness, 1)
        await run.execute_update(IncidentWorkflow.tell, TellRequest(text="Look again."))
        result = await run.result()
    assert model_text(result.report) == REPORT
    assert harness.messages()[-1]["content"] == "Look again."


async def test_a_stopped_run_ends_with_a_hand_off(client: Client, record: Record) -> None:
    async with run_harness(client, [calls(LOOK), calls(("restart", {"service": "checkout"}))]) as harness:
        run = await harness.start()
        await until_waiting(run, "r2.0")
        await run.execute_update(IncidentWorkflow.stop, StopRequest(reason="false alarm", by="ada"))
        result = await run.result()
        await record(run, "stopped")
    assert (result.status, result.reason) == ("stopped", "stopped by ada: false alarm")
    assert harness.effects.restarts == []
    assert "false alarm" in result.report.body
    assert "look" in result.report.body


async def test_stopping_does_not_wait_for_the_model(client: Client) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        harness.model.faults.append(hang(60))
        run = await harness.start()
        await until_asked(harness, 1)
        await run.execute_update(IncidentWorkflow.stop, StopRequest())
        result = await run.result()
    assert (result.status, result.rounds) == ("stopped", 0)


async def test_an_extended_run_continues(client: Client) -> None:
    script = [calls(("restart", {"service": "checkout"})), calls(LOOK), calls(LOOK), says(REPORT)]
    async with run_harness(client, script) as harness:
        run = await harness.start(limits=LimitChanges(rounds=2))
        await until_waiting(run, "r1.0")
        limits = await run.execute_update(IncidentWorkflow.extend, ExtendRequest(by=LimitChanges(rounds=5)))
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=False))
        result = await run.result()
    assert limits.rounds == 7
    assert (result.status, result.rounds) == ("concluded", 4)


async def test_a_cancelled_run_still_delivers_its_hand_off(client: Client, tmp_path: Any) -> None:
    script = [calls(("restart", {"service": "checkout"}))]
    async with run_harness(client, script, reports={"directory": tmp_path}) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        await run.cancel()
        with pytest.raises(WorkflowFailureError):
            await run.result()
    assert "cancelled in Temporal" in (tmp_path / f"{run.id}.md").read_text()


async def test_a_message_in_the_last_round_does_not_lose_the_report(client: Client) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        harness.model.faults.append(fault(503, headers={"retry-after": "1"}))
        run = await harness.start(limits=LimitChanges(rounds=1))
        await until_asked(harness, 1)
        await run.execute_update(IncidentWorkflow.tell, TellRequest(text="And payments?", by="ada"))
        result = await run.result()
    assert result.status == "concluded"
    assert result.report.body.startswith(REPORT)
    assert "> ada: And payments?" in result.report.body


async def test_an_answer_that_a_person_questioned_is_in_the_hand_off(client: Client) -> None:
    script = [says(REPORT), raw({"role": "assistant", "content": ""})]
    async with run_harness(client, lambda request: script[min(1, len(request["messages"]) - 2)]) as harness:
        harness.model.faults.append(fault(503, headers={"retry-after": "1"}))
        run = await harness.start()
        await until_asked(harness, 1)
        await run.execute_update(IncidentWorkflow.tell, TellRequest(text="And payments?"))
        kind, _, hand_off = await failure(run)
    assert kind == "EmptyCompletion"
    assert "> **Status:** checkout is degraded" in hand_off.report.body


async def test_a_longer_duration_applies_to_the_running_model_call(client: Client) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        harness.model.faults.append(hang(30))
        run = await harness.start(limits=LimitChanges(duration=3))
        await until_asked(harness, 1)
        await run.execute_update(IncidentWorkflow.extend, ExtendRequest(by=LimitChanges(duration=600)))
        result = await run.result()
    assert (result.status, result.rounds) == ("concluded", 1)


async def test_a_stop_wins_over_an_approval(client: Client) -> None:
    async with run_harness(client, [calls(("restart", {"service": "checkout"}))]) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        approve = run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True))
        stop = run.execute_update(IncidentWorkflow.stop, StopRequest())
        await asyncio.gather(stop, approve, return_exceptions=True)
        result = await run.result()
    assert result.status == "stopped"
    assert harness.effects.restarts in ([], ["checkout"])
    assert ("not run" in result.report.body) == (harness.effects.restarts == [])


async def test_a_call_without_approval_does_not_count(client: Client) -> None:
    script = [calls(("restart", {"service": "checkout"})), calls(LOOK), says(REPORT)]
    async with run_harness(client, script, approval={"timeout": 0.2}) as harness:
        result = await (await harness.start(limits=LimitChanges(tool_calls=1))).result()
    assert (result.status, result.tool_calls) == ("concluded", 1)
    assert "0.182" in harness.results()[1]


@pytest.mark.parametrize(
    ("update", "argument", "complaint"),
    [
        (IncidentWorkflow.tell, TellRequest(text="x", by="y" * 300), "by: 300 characters are too many"),
        (IncidentWorkflow.tell, TellRequest(text="x" * 9_000), "9,000 characters are too many to tell at once"),
        (IncidentWorkflow.tell, TellRequest(text=" "), "the text is empty"),
        (IncidentWorkflow.stop, StopRequest(reason="x" * 3_000), "reason: 3,000 characters are too many"),
        (IncidentWorkflow.extend, ExtendRequest(by=LimitChanges()), "nothing to extend"),
        (
            IncidentWorkflow.extend,
            ExtendRequest(by=LimitChanges(rounds=1), who="x" * 300),
            "who: 300 characters are too many",
        ),
    ],
)
async def test_an_invalid_update_is_rejected(client: Client, update: Any, argument: Any, complaint: str) -> None:
    async with run_harness(client, [calls(("restart", {"service": "checkout"})), says(REPORT)]) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        with pytest.raises(WorkflowUpdateFailedError) as rejected:
            await run.execute_update(update, argument)
        await run.execute_update(IncidentWorkflow.stop, StopRequest())
    assert complaint in str(rejected.value.cause)


async def test_messages_larger_than_a_request_are_rejected(client: Client) -> None:
    async with run_harness(client, [calls(("restart", {"service": "checkout"})), says(REPORT)]) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        with pytest.raises(WorkflowUpdateFailedError) as rejected:
            for _ in range(50):
                await run.execute_update(IncidentWorkflow.tell, TellRequest(text="\x1b" * 8_000))
        await run.execute_update(IncidentWorkflow.stop, StopRequest())
        result = await run.result()
    assert "already wait for the next round" in str(rejected.value.cause)
    assert result.status == "stopped"
