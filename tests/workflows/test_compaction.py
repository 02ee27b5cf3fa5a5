"""A conversation longer than the context window: a summary replaces older rounds, and the run continues."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import Client

from tests.conftest import Record
from tests.support.harness import Harness, Run, failure, run_harness
from tests.support.settings import KEY
from watchkeeper.contracts import JsonObject, RunResult, TellRequest
from watchkeeper.testing.faults import Fault, delay, fault, raw_body
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import ScriptedReply, calls, says
from watchkeeper.tool import Arguments, ToolContext, tool
from workflows.incident import IncidentWorkflow

ROUNDS = 12
KIB = 4
AMPLE = {"rounds": 100, "tool_calls": 1_000, "tokens": 10**9, "duration": 600}


class Page(Arguments):
    number: int


@tool(effect="read")
async def read_page(args: Page, context: ToolContext) -> dict[str, Any]:
    """Read a page."""
    return {"number": args.number, "text": "x" * (KIB * 1024)}


def read_all_pages(request: JsonObject) -> ScriptedReply:
    """Read the next two pages in each round, with reasoning, then conclude."""
    tool_calls = [call for message in request["messages"] for call in message.get("tool_calls", ())]
    last_page = int(tool_calls[-1]["function"]["arguments"].split(":")[1].rstrip("}")) if tool_calls else 0
    if last_page >= 2 * (ROUNDS - 1):
        return says("**All read.**")
    pages = [("read_page", {"number": last_page + 1}), ("read_page", {"number": last_page + 2})]
    return calls(*pages, reasoning=f"pages after {last_page}")


def model_with_window(window: int) -> ScriptedModel:
    return ScriptedModel(read_all_pages, key=KEY, context_window=window)


async def compactions(run: Run) -> int:
    history = await run.fetch_history()
    scheduled = [event.activity_task_scheduled_event_attributes.activity_type.name for event in history.events]
    return scheduled.count("compact")


def assert_all_read(result: RunResult, harness: Harness) -> None:
    assert (result.status, result.rounds, result.tool_calls) == ("concluded", ROUNDS, 2 * (ROUNDS - 1))
    assert "Earlier rounds of this investigation" in harness.messages()[2]["content"]
    assert "read_page" in harness.messages()[2]["content"]
    calling = [message for message in harness.messages() if message.get("tool_calls")]
    assert calling
    assert all(message["reasoning_content"] for message in calling)


async def test_a_request_refused_for_its_length_is_compacted(client: Client, record: Record) -> None:
    async with run_harness(client, model_with_window(8_000), tools={"read_page": read_page}, limits=AMPLE) as harness:
        run = await harness.start()
        result = await run.result()
        compaction_count = await compactions(run)
        await record(run, "context-overflow")
    assert_all_read(result, harness)
    assert 1 <= len(harness.model.prefix_violations()) <= compaction_count


async def test_a_conversation_is_compacted_before_the_model_refuses_it(client: Client, record: Record) -> None:
    small = {"context_tokens": 8_000, "max_completion_tokens": 2_000}  # the results of a round fit beside the reply
    async with run_harness(
        client, model_with_window(8_000), tools={"read_page": read_page}, limits=AMPLE, model=small
    ) as harness:
        run = await harness.start()
        result = await run.result()
        compaction_count = await compactions(run)
        await record(run, "compacted")
    assert_all_read(result, harness)
    assert compaction_count >= 2
    assert len(harness.model.requests) == ROUNDS, "the model refused a request"


async def test_a_worker_without_a_cache_reads_the_summary_from_the_history(client: Client) -> None:
    async with run_harness(client, model_with_window(8_000), tools={"read_page": read_page}, limits=AMPLE) as harness:
        harness.forget_everything()
        run = await harness.start()
        result = await run.result()
        compaction_count = await compactions(run)
    assert_all_read(result, harness)
    assert harness.running_worker.conversations.hits == 0
    assert len(harness.model.prefix_violations()) <= compaction_count


async def test_messages_from_people_are_kept_by_every_compaction(client: Client) -> None:
    text = "Leave the payments database alone: " + "it is being migrated. " * 20

    async with run_harness(client, model_with_window(8_000), tools={"read_page": read_page}, limits=AMPLE) as harness:
        harness.model.faults.append(fault(503, headers={"retry-after": "1"}))
        run = await harness.start()
        await run.execute_update(IncidentWorkflow.tell, TellRequest(text=text, by="ada"))
        result = await run.result()
        compaction_count = await compactions(run)
    assert compaction_count >= 2
    assert_all_read(result, harness)
    assert text.strip() in harness.messages()[2]["content"]


@pytest.mark.parametrize(
    "refusal",
    [
        fault(400, {"error": {"message": "too long", "code": "context_length_exceeded"}}),
        fault(400, {"message": "This model's maximum context length is 8192 tokens", "code": 400}),
        fault(
            400, {"error": {"type": "exceed_context_size_error", "message": "request exceeds available context size"}}
        ),
        fault(413, {"error": {"message": "Request too large for model: tokens per minute (TPM): Limit 6000"}}),
        fault(400, {"type": "error", "error": {"message": "prompt is too long: 210000 tokens > 200000"}}),
        raw_body(b'[{"error": {"message": "The input token count exceeds the maximum"}}]', "application/json", 400),
    ],
    ids=["openai", "vllm", "llama.cpp", "groq", "anthropic", "gemini"],
)
async def test_a_refusal_for_length_is_recognised_for_every_host(client: Client, refusal: Fault) -> None:
    async with run_harness(client, read_all_pages, tools={"read_page": read_page}, limits=AMPLE) as harness:
        harness.model.faults += [*[delay(0)] * 4, refusal]
        run = await harness.start()
        result = await run.result()
        compaction_count = await compactions(run)
    assert_all_read(result, harness)
    assert compaction_count == 1


async def test_a_conversation_that_cannot_be_compacted_ends_the_run_with_a_hand_off(client: Client) -> None:
    async with run_harness(client, model_with_window(300), tools={"read_page": read_page}, limits=AMPLE) as harness:
        run = await harness.start("Checkout fails. " * 500)
        kind, message, hand_off = await failure(run)
    assert kind == "ContextOverflow"
    assert "token limit: 300" in message
    assert "Checkout fails." in hand_off.report.body
    assert len(harness.model.requests) == 1


async def test_a_model_that_always_refuses_for_length_is_asked_a_few_times(client: Client) -> None:
    async with run_harness(client, read_all_pages, tools={"read_page": read_page}, limits=AMPLE) as harness:
        refusal = fault(400, {"error": {"code": "context_length_exceeded", "message": "no"}})
        harness.model.faults += [*[delay(0)] * 4, *[refusal] * 50]
        kind, _, hand_off = await failure(await harness.start())
    assert kind == "ContextOverflow"
    assert (hand_off.rounds, hand_off.tool_calls) == (4, 8)
    assert 5 < len(harness.model.requests) <= 9
