"""Continue-as-new: a run with a large history continues in a new execution after a round, and nothing is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest
from temporalio.client import Client, WorkflowUpdateFailedError
from temporalio.service import RPCError

from tests.conftest import Record
from tests.support.harness import HEALTHY, LOOK, Harness, Nothing, Run, failure, reset, run_harness, until_asked
from tests.support.temporal import temporal_client
from tests.workflows.test_payload_sizes import carried_state
from watchkeeper.contracts import (
    CarriedState,
    CarryRequest,
    ExtendRequest,
    JsonObject,
    LimitChanges,
    ModelRequest,
    RunInput,
    StopRequest,
    TellRequest,
)
from watchkeeper.llm.conversation import ConversationRequest
from watchkeeper.temporal.history import decode_first
from watchkeeper.testing.message_rules import check_messages
from watchkeeper.testing.scripts import ScriptedReply, calls, says
from watchkeeper.tool import ToolContext, tool
from watchkeeper.tool_calling.catalogue import build_catalogue
from workflows.incident import IncidentWorkflow

ROUNDS = 9
SCRIPT = [*(calls(LOOK) for _ in range(ROUNDS - 1)), says(HEALTHY)]

LONG_ROUNDS = 24


def look_long(request: JsonObject) -> ScriptedReply:
    """Look in each round, also after rounds were replaced by a summary: their number is in the results' keys."""
    keys = [json.loads(message["content"])["call"] for message in request["messages"] if message["role"] == "tool"]
    done = int(keys[-1][1:].split(".")[0]) if keys else 0
    return calls(LOOK) if done < LONG_ROUNDS - 1 else says(HEALTHY)


@pytest.fixture(scope="module")
async def impatient() -> AsyncIterator[Client]:
    """A server that suggests to continue as new after a few rounds."""
    async with temporal_client("limit.historyCount.suggestContinueAsNew=50") as client:
        yield client


async def executions(harness: Harness, workflow_id: str) -> list[str]:
    """Return the run ids of a chain in order."""
    found = [run async for run in harness.client.list_workflows(f"WorkflowId = '{workflow_id}'")]
    return [run.run_id for run in sorted(found, key=lambda run: run.start_time)]


async def started_with(client: Client, workflow_id: str, run_id: str) -> CarriedState | None:
    """Return what was carried into an execution."""
    async for event in client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history_events():
        payloads = event.workflow_execution_started_event_attributes.input.payloads
        return (await decode_first(client.data_converter, payloads, RunInput)).carried
    raise AssertionError("the history is empty")


def latest(client: Client, run: Run) -> Run:
    """Return a handle that does not name the first execution, whose history may be deleted."""
    return client.get_workflow_handle_for(IncidentWorkflow.run, run.id)


async def delete_execution(client: Client, workflow_id: str, run_id: str) -> None:
    """Delete the history of an execution, as the end of the retention does."""
    await client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        )
    )
    with pytest.raises(RPCError, match="not found"):
        while True:
            await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
            await asyncio.sleep(0.05)


class HoldModel:
    """Holds the first model request of a later execution, from a number of rounds on, until it may resume."""

    def __init__(self, harness: Harness, rounds: int) -> None:
        self.resume = asyncio.Event()
        self.first_messages: list[JsonObject] = []
        """The messages of that request."""
        self._reached = asyncio.Event()
        self._harness = harness
        self._rounds = rounds
        self._read = harness.running_worker.conversations.messages
        harness.running_worker.conversations.messages = self._hold  # type: ignore[method-assign]  # delays a request

    async def until_reached(self, workflow_id: str) -> list[str]:
        """Wait for the request; returns the run ids of the chain."""
        await asyncio.wait_for(self._reached.wait(), 60)
        return await executions(self._harness, workflow_id)

    async def _hold(self, request: ConversationRequest) -> bytes:
        is_held = isinstance(request, ModelRequest) and request.round >= self._rounds and not self._reached.is_set()
        if is_held:
            self._reached.set()
            await self.resume.wait()
        joined = await self._read(request)
        if is_held:
            self.first_messages = json.loads(b"[" + joined + b"]")
        return joined


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


async def test_messages_are_read_from_the_histories_of_all_executions_that_have_them(
    impatient: Client, record: Record
) -> None:
    async with run_harness(impatient, look_long) as harness:
        harness.forget_everything()
        run = await harness.start()
        result = await run.result()
        chain = await executions(harness, run.id)
        started = [await started_with(impatient, run.id, run_id) for run_id in chain]
        for number, run_id in enumerate(chain[:2], 1):
            await record(impatient.get_workflow_handle(run.id, run_id=run_id), f"carried-by-reference-{number}")
    assert (result.status, result.rounds) == ("concluded", LONG_ROUNDS)
    assert len(chain) >= 4
    assert harness.model.prefix_violations() == []
    assert len(harness.messages()) == 2 * LONG_ROUNDS
    assert [carried and carried.conversation.messages for carried in started] == [None, *[[]] * (len(chain) - 1)]
    assert [carried and carried.conversation.execution for carried in started] == [None, *chain[:-1]]


async def test_a_run_continues_although_the_histories_before_it_are_deleted(impatient: Client) -> None:
    """Retention deletes the history of an execution some days after the run continued as new."""
    async with run_harness(impatient, look_long, model={"context_tokens": 10**6}) as harness:
        harness.forget_everything()
        hold = HoldModel(harness, rounds=12)
        run = await harness.start(service="checkout")
        await run.execute_update(IncidentWorkflow.tell, TellRequest(text="Leave the database alone.", by="ada"))
        chain = await hold.until_reached(run.id)
        for run_id in chain[:-1]:
            await delete_execution(impatient, run.id, run_id)
        hold.resume.set()
        result = await latest(impatient, run).result()
        after = hold.first_messages
        whole = next(found for number in range(12) if len(found := harness.messages(number)) > 10)
        rest = await executions(harness, run.id)
    assert len(chain) >= 2
    assert len(rest) >= 2, "the run continues as new after the loss, too"
    assert (result.status, result.rounds) == ("concluded", LONG_ROUNDS)
    check_messages(after)
    assert after[:2] == whole[:2]
    heading, *lines = after[2]["content"].split("\n")
    assert "Earlier rounds of this investigation" in heading
    assert "- user: ada: Leave the database alone." in lines
    assert [f'-> {{"call":"r{number}.0","service":"checkout"' in lines[number + 1] for number in range(1, 6)] == [
        True
    ] * 5


@pytest.mark.slow  # the server deletes after up to a minute
async def test_of_several_histories_the_ones_that_remain_are_read(impatient: Client) -> None:
    async with run_harness(impatient, look_long) as harness:
        harness.forget_everything()
        hold = HoldModel(harness, rounds=18)
        run = await harness.start()
        chain = await hold.until_reached(run.id)
        await delete_execution(impatient, run.id, chain[0])
        hold.resume.set()
        result = await latest(impatient, run).result()
        before, after = harness.messages(16), hold.first_messages
    assert len(chain) >= 3
    assert (result.status, result.rounds) == ("concluded", LONG_ROUNDS)
    check_messages(after)
    assert after[:2] == before[:2]
    kept = after[2:-2]  # the last round came after ``before``
    assert 4 <= len(kept) < len(before) - 2
    assert kept == before[len(before) - len(kept) :]


async def test_a_run_that_was_reset_reads_the_history_of_the_execution_before_it(impatient: Client) -> None:
    async with run_harness(impatient, look_long) as harness:
        harness.forget_everything()
        run = await harness.start()
        await run.result()
        again = await reset(impatient, run, f"r{LONG_ROUNDS}")
        result = await again.result()
    assert (result.status, result.rounds) == ("concluded", LONG_ROUNDS)
    assert harness.messages() == harness.messages(LONG_ROUNDS - 1)


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
    # A message that came after the last request is in the report.
    read, unread = accepted[: len(user_messages)], accepted[len(user_messages) :]
    assert user_messages == read
    assert all(text in result.report.body for text in unread)


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
        state = carried_state([], tools=specs, conclude="x" * 1_995_000)
        bounds = state.briefing.history.model_copy(update={"events": 50})
        briefing = state.briefing.model_copy(update={"history": bounds})
        run = await harness.start(carried=state.model_copy(update={"briefing": briefing}))
        kind, message, result = await failure(run)
    assert (kind, result.status) == ("Bug", "failed")
    assert "PayloadsTooLarge: RunInput: 2," in message
    assert "PayloadsTooLarge" in (tmp_path / f"{run.id}.md").read_text()
