"""More updates than Temporal allows at once, or for one execution: people can always decide and stop."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import pytest
from httpx2 import AsyncClient
from pydantic import Field
from temporalio.client import Client, WorkflowUpdateFailedError

from tests.support.harness import LOOK, Run, look, run_harness, until_asked, until_waiting
from tests.support.intake_harness import TOKEN, Dispatcher, bearer
from watchkeeper.contracts import Decision, ExtendRequest, JsonObject, LimitChanges, StopRequest, TellRequest
from watchkeeper.intake.app import create_app
from watchkeeper.intake.server import serve
from watchkeeper.run_view.follow import execution_ids
from watchkeeper.runs import update_client
from watchkeeper.runs.update_client import UpdateRejected
from watchkeeper.testing.scripts import ScriptedReply, calls, says
from watchkeeper.tool import Arguments, ToolContext, tool
from workflows.incident import IncidentWorkflow
from workflows.updates import UNREAD_MESSAGES

DECISIONS = 32
"""As many as a reply may hold calls."""

MESSAGES = 8


class Valve(Arguments):
    number: int = Field(description="Which valve.")


@tool(effect="once", approval=True)
async def turn(args: Valve, context: ToolContext) -> dict[str, Any]:
    """Turn a valve."""
    return {"turned": args.number}


async def tell(client: Client, run: Run, text: str) -> str:
    """Return the answer to a message, or why it is rejected."""
    try:
        return await update_client.tell(client, run.id, TellRequest(text=text))
    except UpdateRejected as error:
        return str(error)


async def test_forty_updates_at_once_are_all_accepted(client: Client) -> None:
    turns = [("turn", {"number": number}) for number in range(DECISIONS)]
    token = {"intake": {"tokens": {"ada": TOKEN}}}
    async with run_harness(client, [calls(*turns), says("Fine.")], tools={"turn": turn}, **token) as harness:
        run = await harness.start()
        await until_waiting(run, f"r1.{DECISIONS - 1}")
        app = create_app(client, harness.settings, Dispatcher().dispatch)
        async with serve(app, "127.0.0.1", 0) as address, AsyncClient(base_url=address, timeout=30) as http:
            sent = [("tell", {"text": f"message {number}"}) for number in range(MESSAGES)]
            sent += [("approve", {"call": f"r1.{number}"}) for number in range(DECISIONS)]
            answers = await asyncio.gather(
                *(http.post(f"/runs/{run.id}/{act}", json=body, headers=bearer(TOKEN)) for act, body in sent)
            )
        result = await run.result()
    assert Counter(answer.status_code for answer in answers) == {200: DECISIONS + MESSAGES}
    assert (result.status, result.tool_calls) == ("concluded", DECISIONS)


async def test_messages_leave_room_for_decisions(client: Client) -> None:
    async with run_harness(
        client, [calls(("restart", {"service": "checkout"})), says("Fine."), says("Yes.")]
    ) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        answers = Counter(await asyncio.gather(*(tell(client, run, f"{n}") for n in range(UNREAD_MESSAGES + 50))))
        with pytest.raises(UpdateRejected, match="dollars"):
            dear = ExtendRequest(by=LimitChanges(cost=1e300))
            await update_client.extend(client, run.id, dear)
        await update_client.decide(client, run.id, Decision(call="r1.0", approved=True))
        result = await run.result()
    assert result.status == "concluded"
    assert answers == {
        "the model reads it in its next round": UNREAD_MESSAGES,
        f"{UNREAD_MESSAGES} messages already wait for the next round; try again after it": 50,
    }


@pytest.mark.slow
async def test_a_run_that_takes_thousands_of_messages_continues_as_new_and_can_be_stopped(client: Client) -> None:
    def script(request: JsonObject) -> ScriptedReply:
        return calls(LOOK)

    limits = {"rounds": 5_000, "tool_calls": 50_000, "tokens": 10**11}
    async with run_harness(client, script, tools={"look": look}, limits=limits) as harness:
        run = await harness.start()
        await until_asked(harness, 1)
        accepted, slots = 0, asyncio.Semaphore(8)

        async def insist(number: int) -> None:
            nonlocal accepted
            async with slots:
                while "in its next round" not in await tell(client, run, f"message {number}"):
                    await asyncio.sleep(0.2)
                accepted += 1

        await asyncio.gather(*map(insist, range(2_500)))
        await update_client.stop(client, run.id, StopRequest())
        result = await run.result()
        executions = await execution_ids(client, run.id)
    assert (accepted, result.status) == (2_500, "stopped")
    assert len(executions) > 1


async def test_a_rejected_update_is_rejected_in_a_flood_too(client: Client) -> None:
    async with run_harness(client, [calls(("restart", {"service": "checkout"})), says("Fine.")]) as harness:
        run = await harness.start()
        await until_waiting(run, "r1.0")
        with pytest.raises(WorkflowUpdateFailedError):
            await run.execute_update(IncidentWorkflow.decide, Decision(call="r9.9", approved=True))
        decisions = [Decision(call="r1.0", approved=False, by=f"person {n}") for n in range(DECISIONS)]
        answers = await asyncio.gather(
            *(update_client.decide(client, run.id, decision) for decision in decisions), return_exceptions=True
        )
        await run.result()
    assert sum(isinstance(answer, str) for answer in answers) == 1, "the first decision counts"
    assert all(isinstance(answer, str | UpdateRejected) for answer in answers)
