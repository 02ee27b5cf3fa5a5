"""Long investigations: history size, request size and cache hits of several workers."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
from pydantic import Field
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client

from tests.support.harness import Harness, Nothing, Run, run_harness, until_waiting
from tests.support.temporal import temporal_client
from watchkeeper.contracts import Decision, JsonObject
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.testing.scripts import Script, ScriptedReply, calls, says
from watchkeeper.tool import Arguments, Tool, ToolContext, tool
from worker import run_worker
from workflows.incident import IncidentWorkflow

AMPLE = {"rounds": 1_000, "tool_calls": 10_000, "tokens": 10**9, "duration": 3_600}
LARGE_WINDOW = {"context_tokens": 10**8}
"""A context window that no conversation fills, so that none is compacted."""

APPROVED = Decision(call="r30.0", approved=True)


class Read(Arguments):
    page: str = Field(description="Which page.")
    kib: int = Field(description="Its length.", ge=1, le=1_000)


@tool(effect="read", max_bytes=200_000)
async def read_page(args: Read, context: ToolContext) -> dict[str, Any]:
    """Read a page of this number of KiB."""
    return {"page": args.page, "text": "x" * (args.kib * 1024 - 40)}


@tool(effect="once", approval=True)
async def publish(args: Nothing, context: ToolContext) -> str:
    """Publish what was read."""
    return "published"


async def second_client(client: Client) -> Client:
    """Return a separate client for a second worker."""
    return await Client.connect(client.service_client.config.target_host, data_converter=client.data_converter)


def read_pages(rounds: int, kib: int) -> Any:
    """Request three pages in each round, then conclude. The last requested page determines the next ones."""

    def script(request: JsonObject) -> ScriptedReply:
        tool_calls = [call for message in request["messages"] for call in message.get("tool_calls", ())]
        pages_round = (
            int(json.loads(tool_calls[-1]["function"]["arguments"])["page"].split("-")[0]) + 1 if tool_calls else 0
        )
        if pages_round == rounds - 1:
            return says("**All read.**")
        return calls(*(("read_page", {"page": f"{pages_round}-{n}", "kib": kib}) for n in range(3)))

    return script


class CountingScript:
    """Counts the bytes of all messages that the model receives, each of them once."""

    def __init__(self, script: Script) -> None:
        self.bytes = 0
        self._script = script

    def __call__(self, request: JsonObject) -> ScriptedReply:
        messages = request["messages"]
        replies = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
        self.bytes += len(canonical_json(messages[replies[-1] if replies else 0 :]))
        return self._script(request)


def message_bytes(harness: Harness) -> int:
    return len(json.dumps(harness.messages(), ensure_ascii=False, separators=(",", ":")).encode())


async def history_bytes(run: Run) -> int:
    return int((await run.describe()).raw_description.workflow_execution_info.history_size_bytes)


async def chain_bytes(client: Client, run: Run) -> list[int]:
    """Return the history sizes of the executions of a run."""
    chain = [found.run_id async for found in client.list_workflows(f"WorkflowId = '{run.id}'")]
    return [await history_bytes(client.get_workflow_handle_for(IncidentWorkflow.run, run.id, run_id=i)) for i in chain]


@pytest.fixture(scope="module")
async def impatient() -> AsyncIterator[Client]:
    """A server that suggests to continue as new after about 15 rounds."""
    async with temporal_client("limit.historyCount.suggestContinueAsNew=300") as client:
        yield client


async def test_each_byte_of_the_conversation_is_recorded_once(client: Client) -> None:
    async with run_harness(
        client, read_pages(100, 4), tools={"read_page": read_page}, limits=AMPLE, model=LARGE_WINDOW
    ) as harness:
        run = await harness.start()
        result = await run.result()
        size, conversation_size = await history_bytes(run), message_bytes(harness)
    assert (result.status, result.rounds, result.tool_calls) == ("concluded", 100, 297)
    assert size <= 1.27 * conversation_size
    assert harness.model.prefix_violations() == []
    assert harness.running_worker.conversations.misses == 0


async def test_a_summary_of_older_rounds_is_not_recorded(client: Client) -> None:
    script = CountingScript(read_pages(100, 4))
    small = {"context_tokens": 60_000}
    async with run_harness(client, script, tools={"read_page": read_page}, limits=AMPLE, model=small) as harness:
        run = await harness.start()
        result = await run.result()
        size = await history_bytes(run)
        violations = harness.model.prefix_violations()
    assert (result.status, result.rounds) == ("concluded", 100)
    assert len(violations) > 5, "each is a compaction"
    assert size <= 1.28 * script.bytes


async def test_continue_as_new_does_not_record_the_conversation_again(impatient: Client) -> None:
    script = CountingScript(read_pages(50, 16))
    async with run_harness(
        impatient, script, tools={"read_page": read_page}, limits=AMPLE, model=LARGE_WINDOW
    ) as harness:
        run = await harness.start()
        result = await run.result()
        sizes = await chain_bytes(impatient, run)
        violations, misses = harness.model.prefix_violations(), harness.running_worker.conversations.misses
    assert (result.status, result.rounds, violations, misses) == ("concluded", 50, [], 0)
    assert len(sizes) >= 3
    assert sum(sizes) <= 1.15 * script.bytes


async def test_a_late_round_adds_as_much_to_the_history_as_an_early_one(client: Client) -> None:
    async with run_harness(
        client, read_pages(60, 1), tools={"read_page": read_page}, limits=AMPLE, model=LARGE_WINDOW
    ) as harness:
        run = await harness.start()
        await run.result()
        history = await run.fetch_history()
    input_sizes = [
        event.activity_task_scheduled_event_attributes.input.ByteSize()
        for event in history.events
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
        and event.activity_task_scheduled_event_attributes.activity_type.name == "ask"
    ]
    assert len(input_sizes) == 60
    assert max(input_sizes[10:]) - min(input_sizes[10:]) <= 8  # the number of digits differs


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_large_results_do_not_end_a_run(client: Client) -> None:
    async with run_harness(
        client, read_pages(60, 64), tools={"read_page": read_page}, limits=AMPLE, model=LARGE_WINDOW
    ) as harness:
        run = await harness.start()
        result = await run.result()
        size, conversation_size = await history_bytes(run), message_bytes(harness)
    assert (result.status, result.rounds, result.tool_calls) == ("concluded", 60, 177)
    assert size <= 1.05 * conversation_size
    assert harness.model.prefix_violations() == []


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_thousand_rounds_are_one_investigation(client: Client) -> None:
    script = CountingScript(read_pages(1_000, 4))
    async with run_harness(client, script, tools={"read_page": read_page}, limits=AMPLE) as harness:
        run = await harness.start()
        result = await run.result()
        chain = [found async for found in client.list_workflows(f"WorkflowId = '{run.id}'")]
        sizes = await chain_bytes(client, run)
    assert (result.status, result.rounds, result.tool_calls) == ("concluded", 1_000, 2_997)
    assert sum(sizes) <= 1.26 * script.bytes, "1.24 on an idle machine"
    assert len(chain) > 2
    assert "earlier rounds" in str(harness.messages()[:3]).lower()
    assert all(found.history_length < 9_000 for found in chain)


@pytest.mark.slow
@pytest.mark.timeout(900)
async def test_a_new_worker_continues_many_runs_at_once(client: Client) -> None:
    """All their histories together take longer to replay than the timeout of one workflow task."""
    tools: dict[str, Tool[Any]] = {"read_page": read_page, "publish": publish}

    def script(request: JsonObject) -> ScriptedReply:
        if any('"published"' in (message.get("content") or "") for message in request["messages"]):
            return says("**All read.**")
        turn = read_pages(30, 1)(request)
        return turn if "tool_calls" in turn.message else calls(("publish", {}))

    async with run_harness(client, script, tools=tools, limits=AMPLE) as harness:
        runs = [await harness.start(f"Question {number}") for number in range(40)]
        for run in runs:
            await until_waiting(run, "r30.0")
        await harness.running_worker.worker.shutdown()
        async with run_worker(await second_client(client), harness.settings, tools=tools):
            await asyncio.gather(*(run.execute_update(IncidentWorkflow.decide, APPROVED) for run in runs))
            results = await asyncio.gather(*(run.result() for run in runs))
    assert [result.status for result in results] == ["concluded"] * 40


async def test_two_workers_of_one_task_queue_rarely_miss_their_cache(client: Client) -> None:
    async with run_harness(client, read_pages(20, 4), tools={"read_page": read_page}, limits=AMPLE) as harness:
        async with run_worker(await second_client(client), harness.settings, tools={"read_page": read_page}) as other:
            runs = [await harness.start(f"Question {number}") for number in range(6)]
            for run in runs:
                assert (await run.result()).status == "concluded"
        workers = (harness.running_worker.conversations, other.conversations)
    hits, misses = sum(w.hits for w in workers), sum(w.misses for w in workers)
    assert hits + misses == 6 * (20 + 1), "each request to the model, and the review of the report"
    assert all(w.hits for w in workers), "one worker handled no request"
    assert hits / (hits + misses) > 0.9
    assert harness.model.prefix_violations() == []


async def test_a_conversation_lost_from_the_cache_is_read_from_the_history(client: Client) -> None:
    async with run_harness(client, read_pages(6, 4), tools={"read_page": read_page}, limits=AMPLE) as harness:
        harness.forget_everything()
        result = await (await harness.start()).result()
    assert result.status == "concluded"
    assert (harness.running_worker.conversations.hits, harness.running_worker.conversations.misses) == (0, 6 + 1)
    assert harness.model.prefix_violations() == []
