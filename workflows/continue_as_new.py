"""When a run goes on in a new execution, and what it takes along."""

from __future__ import annotations

from typing import NoReturn

from temporalio import workflow

with workflow.unsafe.imports_passed_through():
    from activities.carry import CarryActivities
    from watchkeeper.contracts import Briefing, CallRecord, CarriedState, CarryRequest, HistoryBounds, RunInput
    from watchkeeper.incident.budget import Budget
    from watchkeeper.llm.conversation import Conversation
    from watchkeeper.temporal import activity_options


def due(bounds: HistoryBounds) -> bool:
    """Tell whether to continue as new: when the server suggests it and nothing is lost by it, or when it must be."""
    info = workflow.info()
    if not info.is_continue_as_new_suggested():
        return False
    size, events = info.get_current_history_size(), info.get_current_history_length()
    carried_whole = size - events * bounds.event_bytes <= bounds.carried_bytes
    return carried_whole or size >= bounds.bytes or events >= bounds.events


async def carry(
    briefing: Briefing, talk: Conversation, budget: Budget, calls: list[CallRecord], *, nudged: bool
) -> CarriedState:
    """Gather what the next execution needs; what people do to the last moment comes on top."""
    base, new = talk.take()
    conversation = await workflow.execute_activity_method(
        CarryActivities.carry,
        CarryRequest(base=base, append=new),
        activity_id="carry",
        summary="the conversation, for the next execution",
        **activity_options.CARRY,
    )
    await workflow.wait_condition(workflow.all_handlers_finished)
    return CarriedState(
        briefing=briefing.model_copy(update={"opening": []}),
        conversation=conversation,
        limits=budget.limits,
        spent=budget.spent,
        started_at=budget.started_at,
        calls=calls,
        nudged=nudged,
    )


def renew(given: RunInput, carried: CarriedState) -> NoReturn:
    """Continue as new, with what is remembered of the run: what was added to a memo would be lost.

    Raises PayloadsTooLarge, which the SDK would raise where no code of ours can answer it.
    """
    going_on = given.model_copy(update={"carried": carried})
    workflow.payload_converter().to_payloads([going_on])
    workflow.continue_as_new(going_on, memo=workflow.memo())
