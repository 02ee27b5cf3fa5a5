"""When the model's window is too small for a conversation, and what is done about it."""

from __future__ import annotations

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.compact import CompactActivities
    from watchkeeper.contracts import CompactRequest
    from watchkeeper.llm.conversation import Conversation
    from watchkeeper.temporal import activity_options

KEEP = 0.5
"""The part of a conversation that may remain; less would be forgotten needlessly, more would soon be too much again."""

OVERFLOWS = 4
"""How often one request may be made smaller: a sixteenth of it remains then, besides its opening."""


def overflowed(error: ActivityError) -> bool:
    """Tell whether the model refused a conversation for its length."""
    return isinstance(error.cause, ApplicationError) and error.cause.type == "ContextOverflow"


async def compact(talk: Conversation, number: int) -> bool:
    """Put a summary in the place of the older rounds before round ``number``; False if that makes nothing smaller."""
    base, new = talk.take()
    made = await workflow.execute_activity_method(
        CompactActivities.compact,
        CompactRequest(base=base, append=new, keep=KEEP),
        activity_id=f"compact-r{number}",
        summary=f"before round {number}",
        **activity_options.CARRY,
    )
    talk.replace(made.digest)
    return bool(made.replaced)
