"""The review of an answer: an activity checks it, so that its rules may change while runs are open."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows.state import RunState

with workflow.unsafe.imports_passed_through():
    from activities.review import ReviewActivities
    from watchkeeper.contracts import ConclusionRules, Review, ReviewRequest
    from watchkeeper.llm.conversation import Conversation
    from watchkeeper.temporal import activity_options


async def review_answer(
    state: RunState, rules: ConclusionRules, conversation: Conversation, round_number: int
) -> Review:
    """Return what code found in the last reply of a conversation.

    An answer that cannot be checked is no conclusion. Raises ActivityError if the run is cancelled meanwhile.
    """
    base, new = conversation.take()
    request = ReviewRequest(base=base, append=new)
    optional = {
        "by_alert": rules.by_alert and (state.follow_up is None or state.follow_up.by_alerts),
        "corrected": state.corrected,
        "service": state.input.service,
        "calls": [call.model_copy(update={"finding": ""}) for call in state.tool_calls.records],
    }
    try:
        return await workflow.execute_activity_method(
            ReviewActivities.review,
            request.model_copy(update={name: value for name, value in optional.items() if value}),
            activity_id=f"r{round_number}.review",
            summary=f"is the answer of round {round_number} a conclusion?",
            **activity_options.REVIEW,
        )
    except ActivityError as error:
        if is_cancelled_exception(error):
            raise
        workflow.logger.error("the answer could not be checked: %s", error.cause)
        return Review(problems=["It could not be checked against what was read."])
