"""The limits of a run: each ends the run at exactly its value, with its own error type."""

from __future__ import annotations

import pytest
from temporalio.client import Client

from tests.conftest import Record
from tests.support.harness import Harness, failure, run_harness, until_asked
from watchkeeper.contracts import ExtendRequest, JsonObject, LimitChanges
from watchkeeper.testing.faults import fault, hang
from watchkeeper.testing.scripts import ScriptedReply, allows_calls, always, calls, count_replies, raw, says
from watchkeeper.tool import Arguments, ToolContext, ToolError, tool
from workflows.incident import IncidentWorkflow

LOOK = ("look", {"service": "checkout"})
REPORT = "**Status:** checkout is degraded.\n\nRoll back."
PRICED = {"prices": {"input": 1.0, "output": 1.0}}


def forbidden(harness: Harness) -> list[bool]:
    """Return for each model request whether it allowed no tool calls."""
    return [not allows_calls(request.json()) for request in harness.model.requests]


async def test_the_last_round_allows_no_calls_and_the_round_limit_is_exact(client: Client, record: Record) -> None:
    script = always(calls(LOOK), without_tools=says('{"name": "look", "arguments": {"service": "checkout"}}'))
    async with run_harness(client, script) as harness:
        run = await harness.start(limits=LimitChanges(rounds=3))
        kind, message, hand_off = await failure(run)
        await record(run, "round-limit")
    assert kind == "RoundLimitReached"
    assert message == "stopped after 3 rounds without a conclusion"
    assert (hand_off.status, hand_off.rounds, hand_off.tool_calls) == ("limit_reached", 3, 2)
    assert "look" in hand_off.report.body
    last = forbidden(harness)
    assert last == [False, False] + [True] * (len(last) - 2)
    assert "no tool calls left" in harness.messages()[-1]["content"]


async def test_a_model_that_concludes_in_its_last_round_has_concluded(client: Client) -> None:
    script = always(calls(LOOK), without_tools=says(REPORT))
    async with run_harness(client, script) as harness:
        result = await (await harness.start(limits=LimitChanges(rounds=2))).result()
    assert (result.status, result.rounds) == ("concluded", 2)


async def test_tool_calls_over_the_limit_are_not_run(client: Client, record: Record) -> None:
    requested = [("look", {"service": name}) for name in ("payments", "checkout", "payments")]
    async with run_harness(client, always(calls(*requested), without_tools=says(" "))) as harness:
        run = await harness.start(limits=LimitChanges(tool_calls=2))
        kind, _, hand_off = await failure(run)
        await record(run, "tool-call-limit")
    assert kind == "ToolCallLimitReached"
    assert hand_off.tool_calls == 2
    assert "limit of tool calls" in harness.results()[2]


@pytest.mark.parametrize(
    ("limits", "kind", "name"),
    [
        (LimitChanges(tokens=1_000), "TokenLimitReached", "token-limit"),
        (LimitChanges(cost=0.001), "CostLimitReached", "cost-limit"),
    ],
)
async def test_the_limits_of_tokens_and_cost_end_a_run(
    client: Client, record: Record, limits: LimitChanges, kind: str, name: str
) -> None:
    async with run_harness(client, always(calls(LOOK), without_tools=says(REPORT)), model=PRICED) as harness:
        run = await harness.start(limits=limits)
        error_type, message, hand_off = await failure(run)
        await record(run, name)
    assert error_type == kind
    assert "without a conclusion" in message
    assert "0.182" in hand_off.report.body


async def test_the_duration_limit_ends_a_run_whose_model_never_answers(client: Client, record: Record) -> None:
    async with run_harness(client, always(calls(LOOK), without_tools=says(REPORT))) as harness:
        harness.model.faults.append(hang(20))
        run = await harness.start(limits=LimitChanges(duration=1))
        kind, message, hand_off = await failure(run)
        await record(run, "duration-limit")
    assert (kind, message) == ("DurationLimitReached", "stopped after 1 seconds without a conclusion")
    assert hand_off.report.body


async def test_a_duration_limit_reached_in_an_outage_names_the_outage(client: Client) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        harness.model.faults += [fault(503, "Loading model"), hang(20)]
        kind, message, _ = await failure(await harness.start(limits=LimitChanges(duration=3)))
    assert kind == "DurationLimitReached"
    assert message == "stopped after 3 seconds without a conclusion; ask failed: HTTP 503: 'Loading model'"


async def test_a_call_that_fails_repeatedly_ends_a_run(client: Client, record: Record) -> None:
    spellings = ['{"service":"chekout"}', '{ "service": "chekout" }']

    def repeat_call(request: JsonObject) -> ScriptedReply:
        return calls(("look", spellings[count_replies(request) % 2]), LOOK) if allows_calls(request) else says(" ")

    async with run_harness(client, repeat_call) as harness:
        run = await harness.start(limits=LimitChanges(failures=3))
        kind, message, hand_off = await failure(run)
        await record(run, "failure-limit")
    assert kind == "FailureLimitReached"
    assert message == "stopped after the same call failed 3 times in a row without a conclusion"
    assert hand_off.rounds == 4
    assert forbidden(harness)[:4] == [False, False, False, True]


async def test_a_success_between_two_failures_starts_the_count_again(client: Client) -> None:
    answers = iter([False, False, True, False, False, True])

    @tool(effect="read")
    async def flaky(args: Arguments, context: ToolContext) -> str:
        """Fail twice, then succeed."""
        if next(answers):
            return "fine"
        raise ToolError("not now")

    script = [*(calls(("flaky", {})) for _ in range(6)), says(REPORT)]
    async with run_harness(client, script, tools={"flaky": flaky}) as harness:
        result = await (await harness.start(limits=LimitChanges(failures=3))).result()
    assert (result.status, result.rounds) == ("concluded", 7)


async def test_a_person_can_extend_the_failure_limit(client: Client) -> None:
    async with run_harness(client, always(calls(("refusing", {})), without_tools=says(REPORT))) as harness:
        harness.model.faults.append(fault(503, headers={"retry-after": "2"}))
        run = await harness.start(limits=LimitChanges(failures=2, rounds=9))
        await until_asked(harness, 1)
        limits = await run.execute_update(IncidentWorkflow.extend, ExtendRequest(by=LimitChanges(failures=3)))
        result = await run.result()
    assert limits.failures == 5
    assert (result.status, result.rounds) == ("concluded", 6)


async def test_an_attempt_without_a_completion_costs_no_round(client: Client) -> None:
    async with run_harness(client, [calls(LOOK), says(REPORT)]) as harness:
        harness.model.faults += [fault(503), fault(429, headers={"retry-after": "0"})]
        result = await (await harness.start(limits=LimitChanges(rounds=2))).result()
    assert (result.status, result.rounds) == ("concluded", 2)
    assert len(harness.model.requests) == 4


async def test_an_empty_reply_is_resampled_then_nudged_then_ends_the_run(client: Client, record: Record) -> None:
    empty = raw({"role": "assistant", "content": " "})
    async with run_harness(client, lambda request: empty) as harness:
        run = await harness.start()
        kind, _, hand_off = await failure(run)
        await record(run, "empty")
    assert kind == "EmptyCompletion"
    assert hand_off.rounds == 2
    assert len(harness.model.requests) == 6
    assert "neither text nor a usable tool call" in harness.messages()[-1]["content"]


async def test_a_run_at_its_duration_limit_reports_its_findings(client: Client) -> None:
    script = [calls(("restart", {"service": "checkout"})), says(REPORT)]
    async with run_harness(client, script) as harness:
        result = await (await harness.start(limits=LimitChanges(duration=2))).result()
    assert (result.status, result.rounds, result.tool_calls) == ("concluded", 2, 0)
    assert forbidden(harness) == [False, True]
    assert "no one decided" in harness.results()[0]


async def test_a_cost_limit_without_prices_is_refused(client: Client) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        kind, message, _ = await failure(await harness.start(limits=LimitChanges(cost=1)))
    assert kind == "PricesUnknown"
    assert "[model.prices]" in message
