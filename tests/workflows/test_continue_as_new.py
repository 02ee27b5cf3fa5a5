"""Continue-as-new: a run with a large history continues in a new execution after a round, and nothing is lost."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError

from tests.conftest import Record
from tests.support.harness import HEALTHY, LOOK, Harness, Nothing, failure, run_harness, until_asked
from tests.support.temporal import temporal_client
from tests.workflows.test_payload_sizes import carried_state
from watchkeeper.contracts import CarryRequest, ExtendRequest, LimitChanges, StopRequest, TellRequest
from watchkeeper.llm.conversation import ConversationRequest
from watchkeeper.testing.scripts import calls, says
from watchkeeper.tool import ToolContext, tool
from watchkeeper.tool_calling.catalogue import build_catalogue
from workflows.incident import IncidentWorkflow

ROUNDS = 9
SCRIPT = [*(calls(LOOK) for _ in range(ROUNDS - 1)), says(HEALTHY)]


@pytest.fixture(scope="module")
async def impatient() -> AsyncIterator[Client]:
    """A server that suggests to continue as new after a few rounds."""
    async with temporal_client("limit.historyCount.suggestContinueAsNew=50") as client:
        yield client


async def executions(harness: Harness, workflow_id: str) -> list[str]:
    """Return the run ids of a chain in order."""
    found = [run async for run in harness.client.list_workflows(f"WorkflowId = '{workflow_id}'")]
    return [run.run_id for run in sorted(found, key=lambda run: run.start_time)]


async def test_a_chain_of_executions_is_one_investigation(impatient: Client, record: Record) -> None:
    async with run_harness(impatient, SCRIPT) as harness:
        run = await harness.start(service="checkout")
        result = await run.result()
        chain = await executions(harness, run.id)
        for number, run_id in enumerate(chain, 1):
            await record(impatient.get_workflow_handle(run.id, run_id=run_id), f"continue-as-new-{number}")
        keys = [item.call for item in result.report.evidence]
        misses = harness.running_worker.conversations.misses
    assert len(chain) >= 2
    assert (result.status, result.rounds, result.tool_calls) == ("concluded", ROUNDS, ROUNDS - 1)
    assert keys == [f"r{number}.0" for number in range(1, ROUNDS)]
    assert harness.model.prefix_violations() == []
    assert misses == 0


async def test_a_worker_without_a_cache_reads_the_carried_conversation(impatient: Client) -> None:
    async with run_harness(impatient, SCRIPT, worker={"conversation_bytes": 2**20}) as harness:
        harness.forget_everything()
        result = await (await harness.start()).result()
    assert result.status == "concluded"
    assert harness.running_worker.conversations.hits == 0
    assert harness.running_worker.conversations.misses >= ROUNDS
    assert harness.model.prefix_violations() == []


async def test_messages_from_people_are_carried_over_continue_as_new(impatient: Client) -> None:
    async with run_harness(impatient, [*SCRIPT, *[says(HEALTHY)] * 3]) as harness:
        run = await harness.start()
        accepted: list[str] = []
        with suppress(RPCError, WorkflowUpdateFailedError):  # the run may have ended before the last update
            while len(harness.model.requests) < ROUNDS - 1:
                text = f"word {len(accepted)}"
                await run.execute_update(IncidentWorkflow.tell, TellRequest(text=text))
                accepted.append(text)
        result = await run.result()
        user_messages = [message["content"] for message in harness.messages() if message["role"] == "user"][1:]
        chain = await executions(harness, run.id)
    assert result.status == "concluded"
    assert len(chain) >= 2
    assert len(accepted) > 5
    assert user_messages == accepted


async def test_an_update_sent_again_after_continue_as_new_is_applied_once(impatient: Client) -> None:
    async with run_harness(impatient, [*SCRIPT, *[says(HEALTHY)] * 3]) as harness:
        run = await harness.start()
        tell, extension = TellRequest(text="Mind the queue.", by="ada"), ExtendRequest(by=LimitChanges(rounds=5))
        limits = None
        await until_asked(harness, 1)
        with suppress(RPCError, WorkflowUpdateFailedError):  # the run may have ended before the last update
            while len(harness.model.requests) < ROUNDS - 1:
                await run.execute_update(IncidentWorkflow.tell, tell, id="tell-1")
                limits = await run.execute_update(IncidentWorkflow.extend, extension, id="extend-1")
        result = await run.result()
        user_messages = [message["content"] for message in harness.messages() if message["role"] == "user"][1:]
        chain = await executions(harness, run.id)
    assert len(chain) >= 2
    assert user_messages == ["ada: Mind the queue."]
    assert limits == result.limits
    assert result.limits is not None
    assert result.limits.rounds == harness.settings.limits.rounds + 5


async def test_a_stop_during_continue_as_new_is_not_lost(impatient: Client) -> None:
    async with run_harness(impatient, SCRIPT) as harness:
        read_messages = harness.running_worker.conversations.messages
        reached, resume = asyncio.Event(), asyncio.Event()

        async def wait_before_carry(request: ConversationRequest) -> bytes:
            if isinstance(request, CarryRequest):
                reached.set()
                await resume.wait()
            return await read_messages(request)

        harness.running_worker.conversations.messages = wait_before_carry  # type: ignore[method-assign]  # delays continue-as-new
        run = await harness.start()
        await asyncio.wait_for(reached.wait(), 30)
        stopping = asyncio.create_task(run.execute_update(IncidentWorkflow.stop, StopRequest(by="ada")))
        while (await run.query(IncidentWorkflow.progress)).phase != "continuing as new":
            await asyncio.sleep(0.05)
        await stopping
        resume.set()
        result = await run.result()
        request_count = len(harness.model.requests)
    assert (result.status, result.reason) == ("stopped", "stopped by ada")
    assert request_count < ROUNDS


async def test_a_state_too_large_to_carry_ends_the_run_with_a_report(impatient: Client, tmp_path: Path) -> None:
    @tool(effect="read")
    async def read_much(args: Nothing, context: ToolContext) -> str:
        """Read a lot."""
        return "x" * 60_000

    script = [calls(*[("read_much", {})] * 3) for _ in range(ROUNDS)]
    tools = {"read_much": read_much}
    async with run_harness(impatient, script, tools=tools, reports={"directory": tmp_path}) as harness:
        specs = build_catalogue(tools, harness.settings)
        state = carried_state([], tools=specs, conclude="x" * 1_700_000)
        bounds = state.briefing.history.model_copy(update={"events": 50})
        briefing = state.briefing.model_copy(update={"history": bounds})
        run = await harness.start(carried=state.model_copy(update={"briefing": briefing}))
        kind, message, result = await failure(run)
    assert (kind, result.status) == ("Bug", "failed")
    assert "PayloadsTooLarge: RunInput: 2," in message
    assert "PayloadsTooLarge" in (tmp_path / f"{run.id}.md").read_text()
