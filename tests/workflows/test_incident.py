"""The behaviour of a run on a real server; `make histories` records it for the replay tests."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError

from tests.conftest import Record
from tests.support.harness import failure, model_text, run_harness
from watchkeeper.contracts import ToolChoice
from watchkeeper.testing.faults import fault
from watchkeeper.testing.scripts import calls, says
from workflows.incident import IncidentWorkflow

LOOK = ("look", {"service": "checkout"})
REPORT = "**Status:** checkout is degraded.\n\nRoll back."


async def test_the_report_is_the_text_of_the_model(client: Client, record: Record) -> None:
    async with run_harness(client, [calls(LOOK, reasoning="look first"), says(REPORT)]) as harness:
        run = await harness.start(service="checkout", severity="critical")
        result = await run.result()
        await record(run, "concluded")
    assert (result.status, result.rounds, result.tool_calls) == ("concluded", 2, 1)
    assert result.report.summary == "Status: checkout is degraded."
    assert model_text(result.report) == REPORT
    assert [item.tool for item in result.report.evidence] == ["look"]
    assert harness.messages()[2]["reasoning_content"] == "look first"
    assert harness.model.prefix_violations() == []


async def test_parallel_calls_are_answered_in_call_order(client: Client, record: Record) -> None:
    requested = [("look", {"service": name}) for name in ("payments", "checkout", "payments")]
    async with run_harness(client, [calls(*requested), says(REPORT)]) as harness:
        run = await harness.start()
        await run.result()
        await record(run, "parallel-calls")
    found = [result.split('"')[3] for result in harness.results()]
    assert found == ["payments", "checkout", "payments"]


async def test_tool_failures_are_results(client: Client, record: Record) -> None:
    async with run_harness(client, [calls(("unreachable", {}), ("refusing", {}), LOOK), says(REPORT)]) as harness:
        run = await harness.start()
        result = await run.result()
        progress = await run.query(IncidentWorkflow.progress)
        await record(run, "tool-failure")
    assert result.status == "concluded"
    unavailable, refused, found = harness.results()
    assert unavailable == '{"error":"GET http://backend/ answered 503: try later (after retries)"}'
    assert refused == '{"error":"no such index: logs-2026"}'
    assert "0.182" in found
    assert [call.status for call in progress.calls] == ["error", "error", "ok"]


async def test_bad_arguments_are_reported_to_the_model(client: Client, record: Record) -> None:
    bad = calls(("look", '{"service": "checkout"'), ("look", {"service": "chekout"}), ("look", {"servce": "checkout"}))
    async with run_harness(client, [bad, says(REPORT)]) as harness:
        run = await harness.start()
        result = await run.result()
        await record(run, "bad-arguments")
    assert result.status == "concluded"
    broken, unknown, misspelt = harness.results()
    assert "JSON" in broken
    assert "checkout, payments" in unknown
    assert "servce" in misspelt
    assert harness.messages()[2]["tool_calls"][0]["function"]["arguments"] == "{}"


async def test_unknown_tools_are_reported_to_the_model(client: Client, record: Record) -> None:
    async with run_harness(client, [calls(("reboot_everything", {})), says(REPORT)]) as harness:
        run = await harness.start()
        result = await run.result()
        await record(run, "unknown-tool")
    assert (result.status, result.tool_calls) == ("concluded", 0)
    assert "look, page, refusing, restart, unreachable" in harness.results()[0]


async def test_identical_effects_in_one_message_happen_once(client: Client) -> None:
    page = ("page", {"team": "checkout", "summary": "Orders fail."})
    async with run_harness(client, [calls(page, page), says(REPORT)]) as harness:
        run = await harness.start()
        result = await run.result()
        first = run.first_execution_run_id
    assert harness.effects.pages == [f"{first}/page/checkout"]
    assert result.tool_calls == 1
    assert len(harness.results()) == 2


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (ToolChoice(mode="required"), ["required", "auto"]),
        (
            ToolChoice(mode="named", function="look"),
            [{"type": "function", "function": {"name": "look"}}, "auto"],
        ),
        (ToolChoice(mode="auto"), ["auto", "auto"]),
    ],
)
async def test_a_forced_tool_is_forced_in_the_first_round(
    client: Client, choice: ToolChoice, expected: list[Any]
) -> None:
    async with run_harness(client, [calls(LOOK), says(REPORT)]) as harness:
        await (await harness.start(tool_choice=choice)).result()
    assert [request.json()["tool_choice"] for request in harness.model.requests] == expected


async def test_without_tools_the_model_only_answers(client: Client) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        result = await (await harness.start(tool_choice=ToolChoice(mode="none"))).result()
    assert result.status == "concluded"
    assert [request.json()["tool_choice"] for request in harness.model.requests] == ["none"]


async def test_an_unknown_service_fails_the_run_and_names_the_known_ones(client: Client) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        kind, message, _ = await failure(await harness.start(service="chekout"))
    assert kind == "UnknownService"
    assert "known: checkout, payments" in message


async def test_a_model_that_refuses_the_key_is_asked_once(client: Client) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        harness.model.faults.append(fault(401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}}))
        kind, message, hand_off = await failure(await harness.start())
    assert kind == "ModelAuthentication"
    assert "Incorrect API key" in message
    assert len(harness.model.requests) == 1
    assert hand_off.status == "failed"


async def test_a_host_that_ignores_a_forced_tool_is_reminded_once(client: Client) -> None:
    async with run_harness(client, [says("I would look."), calls(LOOK), says(REPORT)]) as harness:
        result = await (await harness.start(tool_choice=ToolChoice(mode="named", function="look"))).result()
    assert (result.status, result.rounds) == ("concluded", 3)
    assert "You must call look" in harness.messages(1)[-1]["content"]


async def test_an_invalid_input_fails_at_once(client: Client) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        run = await client.start_workflow(
            "IncidentWorkflow", {"text": ""}, id="incident-without-text", task_queue=harness.settings.worker.task_queue
        )
        with pytest.raises(WorkflowFailureError) as failed:
            await asyncio.wait_for(run.result(), 20)
    assert "text" in str(failed.value.cause)


async def test_effects_that_differ_only_in_white_space_happen_once(client: Client) -> None:
    page = {"team": "checkout", "summary": "Orders fail."}
    spaced = '{ "summary": "Orders fail.",  "team": "checkout" }'
    async with run_harness(client, [calls(("page", page), ("page", spaced)), says(REPORT)]) as harness:
        await (await harness.start()).result()
    assert len(harness.effects.pages) == 1
    assert len(harness.results()) == 2
