"""Asking the model: one round's request, put again where a changed run or a smaller conversation can help."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError

from workflows import compaction

with workflow.unsafe.imports_passed_through():
    from activities.ask import AskActivities
    from watchkeeper.contracts import Briefing, ModelReply, ModelRequest
    from watchkeeper.incident.budget import Budget, Limit
    from watchkeeper.llm.conversation import Conversation
    from watchkeeper.temporal import activity_options


async def ask(
    briefing: Briefing,
    talk: Conversation,
    budget: Budget,
    request: ModelRequest,
    cornered: Limit | None,
    stopped: Callable[[], bool],
) -> ModelReply | None:
    """Put a request to the model; None if the run was stopped before it answered, or had no worker to ask it.

    It is asked again if it failed because the conversation is too long, and can be made smaller, or because the run's
    time was over, and was extended meanwhile. Raises ActivityError when it failed for good.
    """
    overflows = 0
    while True:
        deadline = budget.deadline
        seconds = briefing.model_deadline if cornered == "duration" else deadline - workflow.time()
        asking = workflow.start_activity_method(
            AskActivities.ask,
            request,
            activity_id=f"r{request.round}",
            summary=f"round {request.round} of {budget.limits.rounds}",
            **activity_options.model(briefing, timedelta(seconds=max(1.0, seconds))),
        )
        if not await _answered(asking, stopped):
            asking.cancel()
            return None
        try:
            return await asking
        except ActivityError as error:
            if compaction.overflowed(error) and overflows < compaction.OVERFLOWS:
                overflows += 1
                if not await compaction.compact(talk, request.round):
                    raise
                request = request.model_copy(update={"base": talk.digest, "append": []})
            elif _unasked(error) and cornered != "duration":
                return None
            elif not deadline <= workflow.time() < budget.deadline:
                raise


async def _answered(asking: workflow.ActivityHandle[ModelReply], stopped: Callable[[], bool]) -> bool:
    await workflow.wait_condition(lambda: asking.done() or stopped())
    return asking.done()


def _unasked(error: ActivityError) -> bool:
    """Tell whether no worker was asking, and none had got an answer before: each attempt was lost, if there was one."""
    if error.started_event_id or not isinstance(error.cause, TimeoutError):
        return False
    last = error.cause.cause
    return not isinstance(last, ApplicationError) or last.type == "WorkerShutdown"
