"""What the Temporal UI shows of runs that continue after their report, or that are cancelled in Temporal."""

from __future__ import annotations

import time
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.common import SearchAttributePair, TypedSearchAttributes

from tests.support.alert_sender import Sender, until_reported
from tests.support.harness import LOOK, Harness, Nothing, Run, concludes, run_harness, until_asked, until_waiting
from tests.workflows.test_status import REPORT, RESTART, begin, shown
from watchkeeper.contracts import (
    Briefing,
    BudgetUsed,
    CarriedConversation,
    CarriedState,
    FollowUpState,
    Report,
    RunInput,
    TellRequest,
)
from watchkeeper.llm.conversation import conversation_digest
from watchkeeper.temporal import search_attributes
from watchkeeper.temporal.history import decode_first
from watchkeeper.testing.faults import hang
from watchkeeper.testing.scripts import ScriptedReply, calls, says
from watchkeeper.tool import Tool, ToolContext, tool
from workflows.incident import IncidentWorkflow

LONG: list[ScriptedReply] = [*(calls(LOOK) for _ in range(4)), says(REPORT)]
"""More rounds than are recorded separately."""


async def start_open_run(harness: Harness) -> Run:
    """Start a run that stays open after its report."""
    sender = Sender.on(harness)
    run = sender.run(await sender.fire())
    await until_reported(run)
    return run


async def test_a_run_with_a_follow_up_is_shown_as_investigating(client: Client) -> None:
    async with run_harness(client, LONG) as harness:
        run = await start_open_run(harness)
        harness.model.faults.append(hang(60))
        await run.execute_update(IncidentWorkflow.tell, TellRequest(text="And the database?"))
        await until_asked(harness, len(LONG) + 1)
        indexed, glance = await shown(run)
    assert (indexed["Phase"], indexed.get("WaitingFor"), indexed["Outcome"]) == ("investigating", None, "concluded")
    assert glance.doing == "concluded: diagnosed, round 6 of 15: asking the model"


async def test_a_run_with_a_follow_up_is_shown_as_investigating_after_continue_as_new(client: Client) -> None:
    async with run_harness(client, concludes(REPORT)) as harness:
        carried = await _carried_state(client, await start_open_run(harness))
        harness.model.faults.append(hang(60))
        run = await client.start_workflow(
            IncidentWorkflow.run,
            RunInput(text="Checkout fails.", carried=carried),
            id=f"incident-{uuid4()}",
            task_queue=harness.settings.worker.task_queue,
            search_attributes=TypedSearchAttributes([SearchAttributePair(search_attributes.WAITING_FOR, "alerts")]),
        )
        await until_asked(harness, 3)
        indexed, _ = await shown(run)
    assert (indexed["Phase"], indexed.get("WaitingFor")) == ("investigating", None)


async def test_a_cancelled_run_asks_for_no_approval(client: Client) -> None:
    async with run_harness(client, [calls(RESTART)]) as harness:
        run = await begin(harness)
        await until_waiting(run, "r1.0")
        await run.cancel()
        with pytest.raises(WorkflowFailureError):
            await run.result()
        waiting = await run.query(IncidentWorkflow.waiting)
    indexed, glance = await shown(run)
    assert (indexed["Outcome"], indexed.get("WaitingFor")) == ("stopped", None)
    assert (waiting, glance.waits_for, glance.answer) == ([], None, None)
    assert glance.report is not None and "(was waiting for approval)" in glance.report


def _restarting(number: int) -> Tool[Any]:
    async def restart(args: Nothing, context: ToolContext) -> int:
        """Restart a service."""
        return number

    restart.__name__ = f"restart_{number}_{'x' * 50}"
    return tool(effect="once", approval=True)(restart)


async def test_the_description_of_a_round_is_short_for_any_tool_names(client: Client) -> None:
    tools = {made.name: made for made in map(_restarting, range(20))}
    async with run_harness(client, [calls(*((name, {}) for name in tools))], tools=tools) as harness:
        run = await begin(harness)
        await until_waiting(run, "r1.19")
        phase = (await run.query(IncidentWorkflow.progress)).phase
    assert phase.startswith("round 1 of 30: restart_0_xxx") and len(phase.encode()) < 200


async def _carried_state(client: Client, run: Run) -> CarriedState:
    """Return the state that a run with an unanswered follow-up carries into its next execution."""
    history = await run.fetch_history()
    completed = next(e for e in history.events if e.HasField("activity_task_completed_event_attributes"))
    payloads = completed.activity_task_completed_event_attributes.result.payloads
    briefing = await decode_first(client.data_converter, payloads, Briefing)
    digest = conversation_digest(briefing.opening)
    return CarriedState(
        briefing=briefing.model_copy(update={"opening": []}),
        conversation=CarriedConversation(messages=briefing.opening, digest=digest),
        limits=briefing.limits,
        spent=BudgetUsed(rounds=4),
        started_at=time.time(),
        reported=FollowUpState(report=Report(summary="A deploy.", body=REPORT), at=time.time(), question="And now?"),
    )
