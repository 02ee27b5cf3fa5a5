"""The queue in which the runs of one team wait to investigate."""

from __future__ import annotations

from pydantic import Field

from watchkeeper.contracts.base import Contract


class QueueSettings(Contract):
    """How runs of one team take turns: so many investigate at once, the others wait."""

    queue: str = Field(description="Name of the queue, after its team.")
    places: int = Field(ge=1, description="Investigations at once.")
    patience: float = Field(gt=0, description="Seconds to wait; then people are told that nobody investigates.")
    priority: int = Field(ge=1, le=5, description="1 goes first.")


class QueueEntry(Contract):
    """The argument of the signal ``enter``: a run that wants to investigate. Sent again, it changes nothing."""

    queue: str = Field(description="Name of the queue.")
    run: str = Field(description="First execution run id.")
    workflow_id: str
    priority: int = Field(ge=1, le=5, description="1 goes first.")
    at: float = Field(description="Unix seconds since when it waits.")
    sent: float = Field(description="Unix seconds at which it said so, this time.")
    places: int = Field(ge=1, description="How many may investigate at once; the latest who enters counts.")


class QueueExit(Contract):
    """The argument of the signal ``leave``: a run that neither waits nor investigates any more."""

    queue: str = Field(description="Name of the queue.")
    run: str = Field(description="First execution run id.")
    at: float = Field(description="Unix seconds; what it sent before then is out of date.")


class QueueState(Contract):
    """The argument of ``QueueWorkflow``, and what its query ``queued`` answers: who takes turns at one queue."""

    name: str
    places: int = Field(default=0, description="Absent: nobody entered yet.")
    holding: list[QueueEntry] = Field(
        default_factory=list, description="Who may investigate, in the order of admission."
    )
    waiting: list[QueueEntry] = Field(default_factory=list, description="In the order in which they will be admitted.")
    left: list[QueueExit] = Field(default_factory=list, description="The latest who left, as signals can be overtaken.")
