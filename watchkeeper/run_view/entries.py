"""The parts of a run view: rounds, calls, approvals, people's actions, alert changes and follow-ups."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from watchkeeper.contracts import Alert, CallStatus, LimitChanges, ModelReply, Report, RunStatus

ApprovalStatus = Literal["waiting", "approved", "denied", "expired"]
PersonActionKind = Literal["tell", "stop", "extend", "decide"]

UNFINISHED = ("waiting", "running")
"""Call statuses of calls without a result."""


@dataclass
class Approval:
    """A person's decision on a call."""

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
    """None if the call needs no approval."""
    result: str | None = None
    """JSON text that the model reads; None until it is known."""
    cut: int = 0
    """Bytes that were cut from the result."""
    same_as: str | None = None
    """Key of an identical call of the same round with a side effect. It was run once, and answers both."""
    started_at: datetime | None = None
    """None for a call that was never run."""
    ended_at: datetime | None = None
    attempts: int = 0
    last_failure: str = ""
    """Why the attempt before the last one failed; empty after one attempt."""


@dataclass
class Round:
    """One request to the model and its reply."""

    number: int
    asked_at: datetime
    answered_at: datetime | None = None
    attempts: int = 0
    last_failure: str = ""
    """Why the attempt before the last one failed; empty after one attempt."""
    reply: ModelReply | None = None
    failure: str | None = None
    """Why the request failed after its last attempt; None if it did not."""


@dataclass
class CompactedMessages:
    """Older messages of the conversation that a summary replaced."""

    replaced: int
    """Number of messages."""


@dataclass
class QueueWait:
    """The wait for a slot of a queue, before the investigation."""

    queue: str
    started_at: datetime
    admitted_at: datetime | None = None
    """None while the run waits."""


@dataclass(frozen=True)
class RunReset:
    """The run was reset in Temporal: the events after this point no longer count."""

    reason: str


@dataclass
class PersonAction:
    """What a person did to the run, by an update."""

    kind: PersonActionKind
    at: datetime
    by: str = ""
    text: str = ""
    """The message, the reason to stop, or the note to a decision."""
    call: str | None = None
    approved: bool | None = None
    extended: LimitChanges | None = None


@dataclass(frozen=True)
class AlertsChanged:
    """Alerts of the group that fired or were resolved, from one notification."""

    alerts: list[Alert]
    at: datetime


@dataclass
class Undelivered:
    """A destination that did not receive a report or an answer."""

    destination: str
    reason: str


@dataclass
class FollowUp:
    """A question asked after the report, and its answer."""

    number: int
    question: str
    status: RunStatus
    report: Report
    at: datetime
