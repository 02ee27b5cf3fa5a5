"""The queue in which the runs of one team wait to investigate."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from watchkeeper.contracts.base import Contract

Time = Annotated[float, Field(allow_inf_nan=False)]
RunId = Annotated[str, Field(min_length=1, max_length=100)]


class QueueSettings(Contract):
    """The queue of a team: a limited number of its runs investigate at the same time, the others wait."""

    queue: str = Field(description="Name of the queue, after its team.")
    places: int = Field(ge=1, description="Slots: investigations at the same time.")
    patience: float = Field(gt=0, description="Seconds to wait for a slot; then the run hands off to people.")
    priority: int = Field(ge=1, le=5, description="1 goes first.")


class QueueEntry(Contract):
    """The argument of the signal ``enter``: a run that waits for a slot. A repeated signal changes nothing."""

    queue: str = Field(description="Name of the queue.")
    run: RunId = Field(description="First execution run id.")
    workflow_id: str = Field(min_length=1, max_length=1_000)
    priority: int = Field(ge=1, le=5, description="1 goes first.")
    at: Time = Field(description="Unix seconds at which it began to wait.")
    sent: Time = Field(description="Unix seconds at which this signal was sent.")
    places: int = Field(ge=1, le=1_000_000, description="Slots of the queue; the latest entry decides.")


class QueueExit(Contract):
    """The argument of the signal ``leave``: a run that no longer waits or investigates."""

    queue: str = Field(description="Name of the queue.")
    run: RunId = Field(description="First execution run id.")
    at: Time = Field(description="Unix seconds; signals that it sent earlier are ignored.")


class QueueState(Contract):
    """The argument of ``QueueWorkflow`` and the answer of its query ``queued``: the runs in one queue."""

    name: str
    places: int = Field(default=0, description="Absent: no run has entered yet.")
    holding: list[QueueEntry] = Field(
        default_factory=list, description="Runs that hold a slot, in the order of admission."
    )
    waiting: list[QueueEntry] = Field(
        default_factory=list, description="Runs that wait, in the order in which they will be admitted."
    )
    left: list[QueueExit] = Field(
        default_factory=list, description="The latest runs that left: a late ``enter`` of theirs is ignored."
    )
