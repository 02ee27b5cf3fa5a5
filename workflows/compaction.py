"""Compaction: a summary replaces the older rounds when the conversation is too long for the model's context window."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.compact import CompactActivities
    from watchkeeper.contracts import CompactRequest
    from watchkeeper.llm.conversation import Conversation
    from watchkeeper.temporal import activity_options

KEEP = 0.5
"""The share of a conversation's bytes that may remain. A smaller share loses rounds without need; with a larger one the
conversation is soon too long again."""

MAX_OVERFLOWS = 4
"""How often one request may be compacted: a sixteenth of it remains then, in addition to its opening."""


def overflowed(error: ActivityError) -> bool:
    """Tell whether the model refused a conversation for its length."""
    return isinstance(error.cause, ApplicationError) and error.cause.type == "ContextOverflow"


def of_fallback(error: ActivityError) -> bool:
    """Tell whether only a fallback needs a shorter conversation, and another model may still answer this one."""
    return isinstance(error.cause, ApplicationError) and bool(error.cause.details)


async def compact(conversation: Conversation, number: int) -> bool:
    """Replace the older rounds by a summary before round ``number``; False if that makes nothing smaller."""
    base, new = conversation.take()
    result = await workflow.execute_activity_method(
        CompactActivities.compact,
        CompactRequest(base=base, append=new, keep=KEEP),
        activity_id=f"compact-r{number}",
        summary=f"before round {number}",
        **activity_options.CARRY,
    )
    conversation.replace(result.digest)
    return bool(result.replaced)
