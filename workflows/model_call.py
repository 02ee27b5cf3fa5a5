"""The model call of a round, repeated where an extended run or a smaller conversation can make it succeed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError

from workflows import compaction

with workflow.unsafe.imports_passed_through():
    from activities.ask import AskActivities
    from watchkeeper.contracts import Briefing, ModelReply, ModelRequest
    from watchkeeper.incident.budget import Budget, LimitName
    from watchkeeper.llm.conversation import Conversation
    from watchkeeper.temporal import activity_options


async def call_model(
    briefing: Briefing,
    conversation: Conversation,
    budget: Budget,
    request: ModelRequest,
    last_round: LimitName | None,
    stopped: Callable[[], bool],
) -> ModelReply | None:
    """Send a request to the model; None if the run was stopped before it replied, or no worker was there to send it.

    The request is sent again if it failed because the conversation is too long and can be made smaller, or because the
    run's time was used up and was extended meanwhile. Raises ActivityError if it fails for good.
    """
    overflows = 0
    while True:
        deadline = budget.deadline
        seconds = briefing.model_deadline if last_round == "duration" else deadline - workflow.time()
        asking = workflow.start_activity_method(
            AskActivities.ask,
            request,
            activity_id=f"r{request.round}",
            summary=f"round {request.round} of {budget.limits.rounds}",
            **activity_options.model_options(briefing, timedelta(seconds=max(1.0, seconds))),
        )
        if not await _is_done(asking, stopped):
            asking.cancel()
            return None
        try:
            return await asking
        except ActivityError as error:
            fallback = compaction.of_fallback(error)
            if compaction.overflowed(error) and (fallback or overflows < compaction.MAX_OVERFLOWS):
                can_shrink = overflows < compaction.MAX_OVERFLOWS
                if (shorter := await _shorten(conversation, request, fallback=fallback, can_shrink=can_shrink)) is None:
                    raise
                overflows += 1
                request = shorter
            elif _was_never_sent(error) and last_round != "duration":
                return None
            elif not deadline <= workflow.time() < budget.deadline:
                raise


async def _shorten(
    conversation: Conversation, request: ModelRequest, *, fallback: bool, can_shrink: bool
) -> ModelRequest | None:
    """Return the request to send after an overflow; None if no model can answer it.

    If only the context window of a fallback is too small, a request that cannot be made smaller is sent again: another
    model may still answer it.
    """
    shrunk = can_shrink and await compaction.compact(conversation, request.round)
    if not shrunk and not fallback:
        return None
    windows = {"fallback_windows": "fit" if shrunk else "ignore"} if fallback else {}
    return request.model_copy(update={"base": conversation.digest, "append": [], **windows})


async def _is_done(asking: workflow.ActivityHandle[ModelReply], stopped: Callable[[], bool]) -> bool:
    await workflow.wait_condition(lambda: asking.done() or stopped())
    return asking.done()


def _was_never_sent(error: ActivityError) -> bool:
    """Tell whether no worker got an answer: none was there, or every attempt was lost with its worker."""
    if error.started_event_id or not isinstance(error.cause, TimeoutError):
        return False
    last = error.cause.cause
    return not isinstance(last, ApplicationError) or last.type == "WorkerShutdown"
