"""Runs started by alerts across continue-as-new: alerts, messages and settings are carried over."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC

from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from tests.conftest import Record
from tests.support.alert_sender import Sender, is_open, until_reported
from tests.support.harness import HEALTHY, LOOK, Harness, concludes, run_harness, until_asked
from tests.workflows.test_continue_as_new import ROUNDS, SCRIPT, executions, impatient
from watchkeeper.contracts import CarryRequest, CompactRequest, EpisodeMemo, JsonObject, RunInput, TellRequest
from watchkeeper.llm.conversation import ConversationRequest
from watchkeeper.run_view.follow import read_run
from watchkeeper.run_view.json_view import run_json
from watchkeeper.runs import client as runs_client
from watchkeeper.temporal.history import decode_first
from watchkeeper.testing.scripts import ScriptedReply, calls, count_replies, says
from workflows.incident import IncidentWorkflow

__all__ = ["impatient"]

SILENCE = "https://alertmanager.example.com/#/silences/new?filter=%7Balertname%3D%22HighErrorRate%22%7D"


async def carried_silence(harness: Harness, workflow_id: str) -> str | None:
    """Return the silence link that the last execution of a chain received."""
    run_id = (await executions(harness, workflow_id))[-1]
    started_event = await anext(
        aiter(harness.client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history_events())
    )
    payloads = started_event.workflow_execution_started_event_attributes.input.payloads
    carried = (await decode_first(harness.client.data_converter, payloads, RunInput)).carried
    assert carried is not None
    return carried.silence


async def test_each_alert_is_sent_to_the_model_once_across_continue_as_new(impatient: Client) -> None:
    async with run_harness(impatient, [*SCRIPT, says(HEALTHY), says(HEALTHY)]) as harness:
        sender = Sender.on(harness)
        run = sender.run(await sender.fire())
        await until_asked(harness, 2)
        await sender.fire("Latency", at=10)
        await until_asked(harness, ROUNDS - 1)
        for _ in range(3):
            await sender.tell(sender.alert(), sender.alert("Latency", 10))
        await until_reported(run)
        await sender.tell(sender.alert(over=300), sender.alert("Latency", 10, over=310))
        result = await run.result()
        chain = await executions(harness, run.id)
    assert len(chain) >= 2
    user_messages = [message["content"] for message in harness.messages() if message["role"] == "user"]
    assert sum("Latency: checkout fails" in text for text in user_messages) == 1
    assert (result.status, result.rounds) == ("concluded", ROUNDS)
    assert harness.model.prefix_violations() == []


async def test_an_open_run_continues_as_new_and_answers(impatient: Client, record: Record) -> None:
    async with run_harness(impatient, [*concludes(), calls(LOOK), says("Still fine.")]) as harness:
        sender = Sender.on(harness)
        run = sender.run(await sender.fire(links={"silence": SILENCE}))
        await until_reported(run)
        await asyncio.sleep(0.5)
        while len(await executions(harness, run.id)) < 2:
            await sender.fire()
            await asyncio.sleep(0.05)
        assert (await sender.fire()).run_id == run.first_execution_run_id
        await run.execute_update(IncidentWorkflow.tell, TellRequest(text="And now?"))
        while not (await read_run(impatient, run.id)).follow_ups:
            await asyncio.sleep(0.05)
        await sender.resolve()
        result = await run.result()
        assert await carried_silence(harness, run.id) == SILENCE
        run_facts = await read_run(impatient, run.id)
        info = (await runs_client.describe_run(impatient, run.id)).workflow_execution_info
        memo = await runs_client.read_memo(impatient, info, "episode", EpisodeMemo)
        first = impatient.get_workflow_handle(run.id, run_id=run.first_execution_run_id)
        first_started = (await first.describe()).start_time
        for number, run_id in enumerate((await executions(harness, run.id))[:2], 1):
            await record(impatient.get_workflow_handle(run.id, run_id=run_id), f"open-run-continue-as-new-{number}")
    assert (result.report.summary, result.rounds) == ("Fine.", 4)
    assert harness.model.prefix_violations() == []
    assert memo is not None
    assert memo.began[0] == first_started.timestamp(), "the start time is not that of the first execution"
    assert memo.began[0] < info.start_time.ToDatetime(tzinfo=UTC).timestamp()
    run_view = run_json(run_facts)
    assert [follow_up["report"]["summary"] for follow_up in run_view["follow_ups"]] == ["Still fine."]
    assert run_view["follow_ups"][0]["question"] == "And now?"
    assert [alert["status"] for alert in run_view["alerts"]] == ["resolved"]


def lose_conversations(harness: Harness, kind: type[ConversationRequest]) -> None:
    """Make every conversation request of this type fail."""
    read_messages = harness.running_worker.conversations.messages

    async def fail(request: ConversationRequest) -> bytes:
        if isinstance(request, kind):
            raise ApplicationError("no conversation", type="ConversationLost", non_retryable=True)
        return await read_messages(request)

    harness.running_worker.conversations.messages = fail  # type: ignore[method-assign]


def look_once(request: JsonObject) -> ScriptedReply:
    """Look, then report; the call stands in the summary of a compacted conversation, too."""
    has_looked = "r1.0" in json.dumps(request["messages"][2:]) or count_replies(request)
    return says("**Cause:** a deploy.") if has_looked else calls(LOOK)


async def test_a_question_that_cannot_be_sent_to_the_model_is_answered_once(client: Client) -> None:
    async with run_harness(client, look_once, model={"context_tokens": 1024}) as harness:
        sender = Sender.on(harness)
        run = sender.run(await sender.fire())
        await until_reported(run)
        lose_conversations(harness, CompactRequest)
        await run.execute_update(IncidentWorkflow.tell, TellRequest(text="And now?"))
        while not (await read_run(client, run.id)).follow_ups:
            await asyncio.sleep(0.05)
        assert await is_open(run)
        await sender.resolve()
        assert (await run.result()).status == "concluded"
        (follow_up,) = run_json(await read_run(client, run.id))["follow_ups"]
    assert follow_up["question"] == "And now?"
    assert "**Messages that came too late for the model:**" in follow_up["report"]["body"]


async def test_an_open_run_that_cannot_continue_as_new_ends_with_its_conclusion(impatient: Client) -> None:
    async with run_harness(impatient, concludes()) as harness:
        lose_conversations(harness, CarryRequest)
        sender = Sender.on(harness)
        run = sender.run(await sender.fire())
        await until_reported(run)
        while await is_open(run):
            await sender.fire()
            await asyncio.sleep(0.05)
        assert (await run.result()).status == "concluded"
        assert (await sender.fire()).outcome == "repeated"


async def test_300_notifications_of_one_group_are_one_run(client: Client) -> None:
    async with run_harness(client, concludes()) as harness:
        sender = Sender.on(harness)
        results = await asyncio.gather(*(sender.fire() for _ in range(300)))
        run = sender.run(results[0])
        await until_reported(run)
        assert await is_open(run)
        await sender.resolve()
        await run.result()
    assert {result.run_id for result in results} == {run.first_execution_run_id}
    assert len(harness.model.requests) == 2
