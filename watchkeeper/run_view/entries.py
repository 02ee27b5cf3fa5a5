"""What a story tells of: rounds, calls, approvals and people's acts."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from watchkeeper.contracts import Alert, CallStatus, LimitChanges, ModelReply, Report, RunStatus

ApprovalStatus = Literal["waiting", "approved", "denied", "expired"]
PersonActionKind = Literal["tell", "stop", "extend", "decide"]

UNFINISHED = ("waiting", "running")


@dataclass
class Approval:
    """A person's decision that a call waits for, or waited for."""

    status: ApprovalStatus
    expires_at: datetime | None = None
    by: str = ""
    note: str = ""


@dataclass
class Call:
    """One tool call of the model."""

    key: str
    round: int
    name: str
    arguments: str
    """JSON text, as the model wrote it."""
    status: CallStatus = "running"
    approval: Approval | None = None
    """None when no person had to decide."""
    result: str | None = None
    """What the model reads, JSON text; None until that is known."""
    cut: int = 0
    """Bytes that were cut from the result."""
    same_as: str | None = None
    """Key of the identical side effect of the same round that answers this call too."""
    started_at: datetime | None = None
    """None for a call that was never run."""
    ended_at: datetime | None = None
    attempts: int = 0
    last_failure: str = ""
    """Why the attempt before the last one came to nothing; empty where there was none."""


@dataclass
class Round:
    """One question to the model and its answer."""

    number: int
    asked_at: datetime
    answered_at: datetime | None = None
    attempts: int = 0
    last_failure: str = ""
    """Why the attempt before the last one came to nothing; empty where there was none."""
    reply: ModelReply | None = None
    failure: str | None = None
    """Why the question was given up; None unless it was."""


@dataclass
class CompactedMessages:
    """What stands in the place of older rounds from now on."""

    replaced: int
    """Messages."""


@dataclass
class QueueWait:
    """The run's turn to investigate, for which it waits in a queue."""

    queue: str
    started_at: datetime
    admitted_at: datetime | None = None
    """None while it waits."""


@dataclass(frozen=True)
class RunReset:
    """The run was reset in Temporal: what had followed here is undone."""

    reason: str


@dataclass
class PersonAction:
    """What a person did to the run."""

    kind: PersonActionKind
    at: datetime
    by: str = ""
    text: str = ""
    """What was told, the reason to stop, or the note to a decision."""
    call: str | None = None
    approved: bool | None = None
    extended: LimitChanges | None = None


@dataclass(frozen=True)
class AlertsChanged:
    """Alerts of the group fire or are over, as a sender told at once."""

    alerts: list[Alert]
    at: datetime


@dataclass
class FollowUp:
    """What was asked after the report, and the answer."""

    number: int
    question: str
    status: RunStatus
    report: Report
    at: datetime
