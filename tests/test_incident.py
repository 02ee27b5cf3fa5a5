"""The behaviours of a run, each on a real server; `make histories` records them for the replay tests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError

from tests.conftest import Record
from tests.stage import Run, Stage, staged
from watchkeeper.contracts import Decision, Extension, LimitChanges, RunResult, Stop, Tell, ToolChoice
from watchkeeper.demo.faults import fault, hang
from watchkeeper.demo.turns import always, calls, raw, says
from workflows.incident import IncidentWorkflow

LOOK = ("look", {"service": "checkout"})
REPORT = "**Status:** checkout is degraded, 18.2 % errors.\n\nRoll back."


async def failure(run: Run) -> tuple[str, str, RunResult]:
    """The type, the message and the hand-off of a run that must fail."""
    with pytest.raises(WorkflowFailureError) as failed:
        await run.result()
    error = failed.value.cause
    assert isinstance(error, ApplicationError)
    assert error.type is not None
    return error.type, error.message, RunResult.model_validate(error.details[0])


async def until_waiting(run: Run, key: str) -> None:
    """Return when a call waits for a decision."""
    while key not in [record.key for record in await run.query(IncidentWorkflow.waiting)]:
        await asyncio.sleep(0.05)


async def until_asked(stage: Stage, times: int) -> None:
    """Return when the model was asked so often."""
    while len(stage.model.requests) < times:
        await asyncio.sleep(0.02)


async def test_concludes_in_the_words_of_the_model(client: Client, record: Record) -> None:
    async with staged(client, [calls(LOOK, reasoning="look first"), says(REPORT)]) as stage:
        run = await stage.start(service="checkout", severity="critical")
        result = await run.result()
        await record(run, "concluded")
    assert (result.status, result.rounds, result.tool_calls) == ("concluded", 2, 1)
    assert result.report.summary == "Status: checkout is degraded, 18.2 % errors."
    assert result.report.body == REPORT
    assert [item.tool for item in result.report.evidence] == ["look"]
    assert stage.messages()[2]["reasoning_content"] == "look first"
    assert stage.model.prefix_violations() == []


async def test_parallel_calls_are_answered_in_call_order(client: Client, record: Record) -> None:
    asked = [("look", {"service": name}) for name in ("payments", "checkout", "payments")]
    async with staged(client, [calls(*asked), says(REPORT)]) as stage:
        run = await stage.start()
        await run.result()
        await record(run, "parallel-calls")
    found = [result.split('"')[3] for result in stage.results()]
    assert found == ["payments", "checkout", "payments"]


async def test_the_last_round_has_no_tools_and_the_cap_is_exact(client: Client, record: Record) -> None:
    stubborn = always(calls(LOOK), without_tools=says('{"name": "look", "arguments": {"service": "checkout"}}'))
    async with staged(client, stubborn) as stage:
        run = await stage.start(limits=LimitChanges(rounds=3))
        kind, message, hand_off = await failure(run)
        await record(run, "round-limit")
    asked = [request.json() for request in stage.model.requests]
    assert kind == "RoundLimitReached"
    assert message == "stopped after 3 rounds without a conclusion"
    assert (hand_off.status, hand_off.rounds, hand_off.tool_calls) == ("limit_reached", 3, 2)
    assert "look" in hand_off.report.body
    assert [len(request.get("tools", [])) for request in asked] == [5, 5] + [0] * (len(asked) - 2)
    assert "no tool calls left" in stage.messages()[-1]["content"]


async def test_a_model_that_concludes_in_its_last_round_has_concluded(client: Client) -> None:
    obedient = always(calls(LOOK), without_tools=says(REPORT))
    async with staged(client, obedient) as stage:
        result = await (await stage.start(limits=LimitChanges(rounds=2))).result()
    assert (result.status, result.rounds) == ("concluded", 2)


async def test_tool_calls_over_the_limit_are_not_run(client: Client) -> None:
    asked = [("look", {"service": name}) for name in ("payments", "checkout", "payments")]
    async with staged(client, always(calls(*asked), without_tools=says(" "))) as stage:
        run = await stage.start(limits=LimitChanges(tool_calls=2))
        kind, _, hand_off = await failure(run)
    assert kind == "ToolCallLimitReached"
    assert hand_off.tool_calls == 2
    assert "limit of tool calls" in stage.results()[2]


@pytest.mark.parametrize(
    ("limits", "kind"),
    [
        (LimitChanges(tokens=1_000), "TokenLimitReached"),
        (LimitChanges(cost=0.001), "CostLimitReached"),
        (LimitChanges(duration=1), "DurationLimitReached"),
    ],
)
async def test_each_limit_ends_a_run_with_its_own_error(client: Client, limits: LimitChanges, kind: str) -> None:
    priced = {"prices": {"input": 1.0, "output": 1.0}}
    async with staged(client, always(calls(LOOK), without_tools=says(REPORT)), model=priced) as stage:
        if limits.duration is not None:
            stage.model.faults.append(hang(20))
        got, _, hand_off = await failure(await stage.start(limits=limits))
    assert got == kind
    assert hand_off.report.body


async def test_failures_of_tools_are_results(client: Client, record: Record) -> None:
    async with staged(client, [calls(("unreachable", {}), ("refusing", {}), LOOK), says(REPORT)]) as stage:
        run = await stage.start()
        result = await run.result()
        progress = await run.query(IncidentWorkflow.progress)
        await record(run, "tool-failure")
    assert result.status == "concluded"
    unavailable, refused, found = stage.results()
    assert unavailable == '{"error":"GET http://backend/ answered 503: try later (after retries)"}'
    assert refused == '{"error":"no such index: logs-2026"}'
    assert "0.182" in found
    assert [call.status for call in progress.calls] == ["error", "error", "ok"]


async def test_bad_arguments_are_told_to_the_model(client: Client, record: Record) -> None:
    bad = calls(("look", '{"service": "checkout"'), ("look", {"service": "chekout"}), ("look", {"servce": "checkout"}))
    async with staged(client, [bad, says(REPORT)]) as stage:
        run = await stage.start()
        result = await run.result()
        await record(run, "bad-arguments")
    assert result.status == "concluded"
    broken, unknown, misspelt = stage.results()
    assert "JSON" in broken
    assert "checkout, payments" in unknown
    assert "servce" in misspelt
    assert stage.messages()[2]["tool_calls"][0]["function"]["arguments"] == "{}"


async def test_unknown_tools_are_told_to_the_model(client: Client, record: Record) -> None:
    async with staged(client, [calls(("reboot_everything", {})), says(REPORT)]) as stage:
        run = await stage.start()
        result = await run.result()
        await record(run, "unknown-tool")
    assert (result.status, result.tool_calls) == ("concluded", 0)
    assert "look, page, refusing, restart, unreachable" in stage.results()[0]


async def test_an_approved_call_runs(client: Client, record: Record) -> None:
    async with staged(client, [calls(("restart", {"service": "checkout"}), LOOK), says(REPORT)]) as stage:
        run = await stage.start()
        await until_waiting(run, "r1.0")
        with pytest.raises(WorkflowUpdateFailedError) as wrong:
            await run.execute_update(IncidentWorkflow.decide, Decision(call="r9.9", approved=True))
        assert stage.effects.restarts == []
        said = await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True, by="ada"))
        with pytest.raises(WorkflowUpdateFailedError) as second:
            await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=False, by="bob"))
        await run.result()
        await record(run, "approved")
    assert said == "r1.0 approved"
    assert "no call 'r9.9' waits for a decision; waiting: r1.0" in str(wrong.value.cause)
    assert "already approved by ada" in str(second.value.cause) or "the run is over" in str(second.value.cause)
    assert stage.effects.restarts == ["checkout"]
    assert "restarted" in stage.results()[0]


async def test_a_denied_call_is_a_result(client: Client, record: Record) -> None:
    async with staged(client, [calls(("restart", {"service": "checkout"})), says(REPORT)]) as stage:
        run = await stage.start()
        await until_waiting(run, "r1.0")
        denial = Decision(call="r1.0", approved=False, by="ada", note="not on a Friday")
        await run.execute_update(IncidentWorkflow.decide, denial)
        await run.result()
        await record(run, "denied")
    assert stage.effects.restarts == []
    assert stage.results() == ['{"error":"not run: denied by ada: not on a Friday"}']


async def test_an_approval_that_nobody_gives_expires(client: Client, record: Record) -> None:
    script = [calls(("restart", {"service": "checkout"})), says(REPORT)]
    async with staged(client, script, approval={"timeout": 0.3}) as stage:
        run = await stage.start()
        result = await run.result()
        await record(run, "approval-expired")
    assert result.status == "concluded"
    assert stage.effects.restarts == []
    assert "nobody decided" in stage.results()[0]


async def test_words_of_a_person_reach_the_next_round(client: Client, record: Record) -> None:
    script = [calls(("restart", {"service": "checkout"})), says("not yet"), says(REPORT)]
    async with staged(client, script) as stage:
        run = await stage.start()
        await until_waiting(run, "r1.0")
        await run.execute_update(IncidentWorkflow.tell, Tell(text="Payments was deployed too.", by="ada"))
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=False))
        await until_asked(stage, 2)
        await run.result()
        await record(run, "steered")
    assert stage.messages(1)[-1] == {"role": "user", "content": "ada: Payments was deployed too."}


async def test_words_that_come_with_the_conclusion_are_not_lost(client: Client) -> None:
    async with staged(client, [says("all is well"), says(REPORT)]) as stage:
        stage.model.faults.append(fault(503, headers={"retry-after": "1"}))
        run = await stage.start()
        await until_asked(stage, 1)
        await run.execute_update(IncidentWorkflow.tell, Tell(text="Look again."))
        result = await run.result()
    assert result.report.body == REPORT
    assert stage.messages()[-1]["content"] == "Look again."


async def test_a_stopped_run_hands_over(client: Client, record: Record) -> None:
    async with staged(client, [calls(LOOK), calls(("restart", {"service": "checkout"}))]) as stage:
        run = await stage.start()
        await until_waiting(run, "r2.0")
        await run.execute_update(IncidentWorkflow.stop, Stop(reason="false alarm", by="ada"))
        result = await run.result()
        await record(run, "stopped")
    assert (result.status, result.reason) == ("stopped", "stopped by ada: false alarm")
    assert stage.effects.restarts == []
    assert "false alarm" in result.report.body
    assert "look" in result.report.body


async def test_stopping_does_not_wait_for_the_model(client: Client) -> None:
    async with staged(client, [says(REPORT)]) as stage:
        stage.model.faults.append(hang(60))
        run = await stage.start()
        await until_asked(stage, 1)
        await run.execute_update(IncidentWorkflow.stop, Stop())
        result = await run.result()
    assert (result.status, result.rounds) == ("stopped", 0)


async def test_an_extended_run_goes_on(client: Client) -> None:
    script = [calls(("restart", {"service": "checkout"})), calls(LOOK), calls(LOOK), says(REPORT)]
    async with staged(client, script) as stage:
        run = await stage.start(limits=LimitChanges(rounds=2))
        await until_waiting(run, "r1.0")
        limits = await run.execute_update(IncidentWorkflow.extend, Extension(by=LimitChanges(rounds=5)))
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=False))
        result = await run.result()
    assert limits.rounds == 7
    assert (result.status, result.rounds) == ("concluded", 4)


async def test_a_cancelled_run_still_delivers_its_hand_off(client: Client, tmp_path: Any) -> None:
    script = [calls(("restart", {"service": "checkout"}))]
    async with staged(client, script, reports={"directory": tmp_path}) as stage:
        run = await stage.start()
        await until_waiting(run, "r1.0")
        await run.cancel()
        with pytest.raises(WorkflowFailureError):
            await run.result()
    assert "cancelled in Temporal" in (tmp_path / f"{run.id}.md").read_text()


async def test_an_empty_reply_is_resampled_then_nudged_then_ends_the_run(client: Client) -> None:
    empty = raw({"role": "assistant", "content": " "})
    async with staged(client, lambda request: empty) as stage:
        kind, _, hand_off = await failure(await stage.start())
    assert kind == "EmptyCompletion"
    assert hand_off.rounds == 2
    assert len(stage.model.requests) == 6
    assert "neither" not in hand_off.report.summary
    assert "neither text nor a usable tool call" in stage.messages()[-1]["content"]


async def test_identical_effects_in_one_message_happen_once(client: Client) -> None:
    page = ("page", {"team": "checkout", "summary": "18.2 % errors"})
    async with staged(client, [calls(page, page), says(REPORT)]) as stage:
        run = await stage.start()
        result = await run.result()
        first = run.first_execution_run_id
    assert stage.effects.pages == [f"{first}/page/checkout"]
    assert result.tool_calls == 1
    assert len(stage.results()) == 2


@pytest.mark.parametrize(
    ("choice", "sent"),
    [
        (ToolChoice(mode="required"), ["required", "auto"]),
        (
            ToolChoice(mode="named", function="look"),
            [{"type": "function", "function": {"name": "look"}}, "auto"],
        ),
        (ToolChoice(mode="auto"), ["auto", "auto"]),
    ],
)
async def test_a_forced_tool_is_forced_in_the_first_round(client: Client, choice: ToolChoice, sent: list[Any]) -> None:
    async with staged(client, [calls(LOOK), says(REPORT)]) as stage:
        await (await stage.start(tool_choice=choice)).result()
    assert [request.json()["tool_choice"] for request in stage.model.requests] == sent


async def test_without_tools_the_model_only_talks(client: Client) -> None:
    async with staged(client, [says(REPORT)]) as stage:
        result = await (await stage.start(tool_choice=ToolChoice(mode="none"))).result()
    assert result.status == "concluded"
    assert "tools" not in stage.model.requests[0].json()


async def test_an_unknown_service_fails_the_run_and_says_which_are_known(client: Client) -> None:
    async with staged(client, [says(REPORT)]) as stage:
        kind, message, _ = await failure(await stage.start(service="chekout"))
    assert kind == "UnknownService"
    assert "known: checkout, payments" in message


async def test_a_model_that_refuses_the_key_is_not_hammered(client: Client) -> None:
    async with staged(client, [says(REPORT)]) as stage:
        stage.model.faults.append(fault(401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}))
        kind, message, hand_off = await failure(await stage.start())
    assert kind == "ModelAuthentication"
    assert "Incorrect API key" in message
    assert len(stage.model.requests) == 1
    assert hand_off.status == "failed"


async def test_a_host_that_ignores_a_forced_tool_is_told_once(client: Client) -> None:
    async with staged(client, [says("I would look."), calls(LOOK), says(REPORT)]) as stage:
        result = await (await stage.start(tool_choice=ToolChoice(mode="named", function="look"))).result()
    assert (result.status, result.rounds) == ("concluded", 3)
    assert "You were to call look" in stage.messages(1)[-1]["content"]


async def test_an_input_that_is_no_incident_fails_at_once(client: Client) -> None:
    async with staged(client, [says(REPORT)]) as stage:
        run = await client.start_workflow(
            "IncidentWorkflow", {"text": ""}, id="incident-without-text", task_queue=stage.settings.worker.task_queue
        )
        with pytest.raises(WorkflowFailureError) as failed:
            await asyncio.wait_for(run.result(), 20)
    assert "text" in str(failed.value.cause)


async def test_a_limit_on_a_cost_that_nobody_can_count_is_refused(client: Client) -> None:
    async with staged(client, [says(REPORT)]) as stage:
        kind, message, _ = await failure(await stage.start(limits=LimitChanges(cost=1)))
    assert kind == "PricesUnknown"
    assert "[model.prices]" in message


async def test_words_told_in_the_last_round_do_not_cost_the_report(client: Client) -> None:
    async with staged(client, [says(REPORT)]) as stage:
        stage.model.faults.append(fault(503, headers={"retry-after": "1"}))
        run = await stage.start(limits=LimitChanges(rounds=1))
        await until_asked(stage, 1)
        await run.execute_update(IncidentWorkflow.tell, Tell(text="And payments?", by="ada"))
        result = await run.result()
    assert result.status == "concluded"
    assert result.report.body.startswith(REPORT)
    assert "> ada: And payments?" in result.report.body


async def test_an_answer_that_was_questioned_is_in_the_hand_off(client: Client) -> None:
    script = [says(REPORT), raw({"role": "assistant", "content": ""})]
    async with staged(client, lambda request: script[min(1, len(request["messages"]) - 2)]) as stage:
        stage.model.faults.append(fault(503, headers={"retry-after": "1"}))
        run = await stage.start()
        await until_asked(stage, 1)
        await run.execute_update(IncidentWorkflow.tell, Tell(text="And payments?"))
        kind, _, hand_off = await failure(run)
    assert kind == "EmptyCompletion"
    assert "> **Status:** checkout is degraded" in hand_off.report.body


async def test_more_time_reaches_what_is_running(client: Client) -> None:
    async with staged(client, [says(REPORT)]) as stage:
        stage.model.faults.append(hang(30))
        run = await stage.start(limits=LimitChanges(duration=3))
        await until_asked(stage, 1)
        await run.execute_update(IncidentWorkflow.extend, Extension(by=LimitChanges(duration=600)))
        result = await run.result()
    assert (result.status, result.rounds) == ("concluded", 1)


async def test_when_its_time_is_over_a_run_reports_what_it_knows(client: Client) -> None:
    script = [calls(("restart", {"service": "checkout"})), says(REPORT)]
    async with staged(client, script) as stage:
        result = await (await stage.start(limits=LimitChanges(duration=2))).result()
    assert (result.status, result.rounds, result.tool_calls) == ("concluded", 2, 0)
    assert "tools" not in stage.model.requests[-1].json()
    assert "nobody decided" in stage.results()[0]


async def test_a_stop_outruns_an_approval(client: Client) -> None:
    async with staged(client, [calls(("restart", {"service": "checkout"}))]) as stage:
        run = await stage.start()
        await until_waiting(run, "r1.0")
        approve = run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True))
        stop = run.execute_update(IncidentWorkflow.stop, Stop())
        await asyncio.gather(stop, approve, return_exceptions=True)
        result = await run.result()
    assert result.status == "stopped"
    assert stage.effects.restarts in ([], ["checkout"])
    assert ("not run" in result.report.body) == (stage.effects.restarts == [])


async def test_an_effect_is_the_same_however_its_arguments_are_spaced(client: Client) -> None:
    page = {"team": "checkout", "summary": "18.2 % errors"}
    spaced = '{ "summary": "18.2 % errors",  "team": "checkout" }'
    async with staged(client, [calls(("page", page), ("page", spaced)), says(REPORT)]) as stage:
        await (await stage.start()).result()
    assert len(stage.effects.pages) == 1
    assert len(stage.results()) == 2


async def test_a_call_that_nobody_let_run_costs_nothing(client: Client) -> None:
    script = [calls(("restart", {"service": "checkout"})), calls(LOOK), says(REPORT)]
    async with staged(client, script, approval={"timeout": 0.2}) as stage:
        result = await (await stage.start(limits=LimitChanges(tool_calls=1))).result()
    assert (result.status, result.tool_calls) == ("concluded", 1)
    assert "0.182" in stage.results()[1]


@pytest.mark.parametrize(
    ("act", "argument", "complaint"),
    [
        (IncidentWorkflow.tell, Tell(text="x", by="y" * 300), "by: 300 characters are too many"),
        (IncidentWorkflow.tell, Tell(text="x" * 9_000), "9,000 characters are too many to tell at once"),
        (IncidentWorkflow.tell, Tell(text=" "), "the text is empty"),
        (IncidentWorkflow.stop, Stop(reason="x" * 3_000), "reason: 3,000 characters are too many"),
        (IncidentWorkflow.extend, Extension(by=LimitChanges()), "nothing to extend"),
    ],
)
async def test_an_act_that_cannot_be_taken_is_rejected_to_its_author(
    client: Client, act: Any, argument: Any, complaint: str
) -> None:
    async with staged(client, [calls(("restart", {"service": "checkout"})), says(REPORT)]) as stage:
        run = await stage.start()
        await until_waiting(run, "r1.0")
        with pytest.raises(WorkflowUpdateFailedError) as rejected:
            await run.execute_update(act, argument)
        await run.execute_update(IncidentWorkflow.stop, Stop())
    assert complaint in str(rejected.value.cause)


async def test_words_beyond_what_a_request_can_carry_are_rejected(client: Client) -> None:
    async with staged(client, [calls(("restart", {"service": "checkout"})), says(REPORT)]) as stage:
        run = await stage.start()
        await until_waiting(run, "r1.0")
        with pytest.raises(WorkflowUpdateFailedError) as rejected:
            for _ in range(50):
                await run.execute_update(IncidentWorkflow.tell, Tell(text="\x1b" * 8_000))
        await run.execute_update(IncidentWorkflow.stop, Stop())
        result = await run.result()
    assert "already wait for the next round" in str(rejected.value.cause)
    assert result.status == "stopped"
