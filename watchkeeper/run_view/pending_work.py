"""What the server says of a run beside its history: attempts under way, work that no worker takes (pure).

A history tells of an attempt only when the call is over, so while a call hangs, or its worker is dead, this is all
there is to see. Looking costs the run nothing: no query, no signal, no event.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from watchkeeper.text import duration, excerpt

REASON_BYTES = 300
"""Of why an attempt failed."""

NO_WORKER_SECONDS = 3.0
"""Seconds for which work may lie there before people are told that no worker takes it: a busy one takes its time."""

_BY_WORKERS = (
    "workflow_task_started_event_attributes",
    "workflow_task_completed_event_attributes",
    "activity_task_started_event_attributes",
    "activity_task_completed_event_attributes",
    "activity_task_failed_event_attributes",
)
"""What cannot come about without a worker."""

_TAKEN = (
    PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
    PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED,
)


@dataclass(frozen=True)
class ActivityAttempt:
    """The present attempt at a question, a call or a delivery."""

    name: str
    """As people know it: ``r1.0 search_logs``."""
    number: int
    taken_at: datetime | None
    """When a worker took it; None while it waits for one."""
    due_at: datetime | None
    """When it may be taken, if that is a pause away after a failure."""
    worker: str
    """Identity of the one that has it or, while none has, of the one before."""
    failure: str
    """Why the attempt before came to nothing; empty for the first."""
    lost: bool
    """Whether the attempt before ended in its worker's silence."""
    sign_at: datetime | None
    """When its worker last gave a sign of life."""

    @property
    def lies_there(self) -> bool:
        """Whether any worker could take it now."""
        return self.taken_at is None and self.due_at is None


@dataclass
class PendingWork:
    """What was seen last. Moments without a date are seconds of the watcher's monotonic clock."""

    attempts: dict[str, ActivityAttempt] = field(default_factory=dict)
    """By activity id: ``r1`` for a question, ``r1.0`` for a call."""
    untaken_since: float | None = None
    """Since when work lies there that no worker takes."""
    polled: bool = True
    """Whether any worker polls the run's task queue."""
    told_at: float | None = None
    """When people were told that a worker is missing; None while none is."""
    unreached_since: float | None = None
    """Since when Temporal is out of reach."""

    def see(self, description: DescribeWorkflowExecutionResponse, now: float) -> list[str]:
        """Take what the server says; return what is news to people, a sentence each."""
        before = self.attempts
        self.attempts = {p.activity_id: _attempt(p, before.get(p.activity_id)) for p in description.pending_activities}
        task = description.pending_workflow_task
        lies_there = task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED or any(
            attempt.lies_there for attempt in self.attempts.values()
        )
        self.untaken_since = (self.untaken_since or now) if lies_there else None
        if any(attempt.taken_at for attempt in self.attempts.values() if attempt.number > 1):
            self.told_at = None  # who has taken it up is in the news
        news = (_news(before.get(key), attempt) for key, attempt in self.attempts.items())
        return [sentence for sentence in news if sentence]

    def hear(self, event: HistoryEvent, key: str, now: float) -> str:
        """Take the next event of the history; return who carries the run on, if that was in doubt.

        ``key`` is the activity that the event is of, if it is of one.
        """
        kind = event.WhichOneof("attributes") or ""
        if kind not in _BY_WORKERS:
            return ""
        missed, self.told_at, self.polled = self.told_at, None, True
        waited = now - (self.untaken_since or missed or now)
        self.untaken_since = None
        attempt, number = self.attempts.pop(key, None), event.activity_task_started_event_attributes.attempt
        if attempt is not None and attempt.lost and attempt.taken_at is None and number:
            at = event.event_time.ToDatetime(tzinfo=UTC)
            return f"{attempt.name}: another worker carries on{_since(attempt.sign_at, at)}: attempt {number}"
        return f"a worker carries on after {duration(waited)}" if missed is not None else ""

    def untaken(self, now: float) -> float:
        """Return for how many seconds work lies there; 0 while that is no cause for worry."""
        waited = now - self.untaken_since if self.untaken_since is not None else 0.0
        return waited if waited >= NO_WORKER_SECONDS else 0.0

    def unattended(self, now: float) -> bool:
        """Tell whether the run waits for a worker."""
        return not self.polled or self.untaken(now) > 0


def _attempt(pending: PendingActivityInfo, before: ActivityAttempt | None) -> ActivityAttempt:
    taken = pending.state in _TAKEN
    known = (before.sign_at or before.taken_at) if before else None
    timeout = pending.last_failure.HasField("timeout_failure_info")
    started, heard = pending.last_started_time, pending.last_heartbeat_time
    due = pending.HasField("next_attempt_schedule_time")
    return ActivityAttempt(
        name=f"{pending.activity_id} {pending.activity_type.name}",
        number=pending.attempt,
        taken_at=started.ToDatetime(tzinfo=UTC) if taken else None,
        due_at=pending.next_attempt_schedule_time.ToDatetime(tzinfo=UTC) if due and not taken else None,
        worker=pending.last_worker_identity,
        failure=excerpt(pending.last_failure.message, REASON_BYTES) if pending.attempt > 1 else "",
        lost=timeout and pending.attempt > 1,
        sign_at=heard.ToDatetime(tzinfo=UTC) if pending.HasField("last_heartbeat_time") else known,
    )


def _news(before: ActivityAttempt | None, now: ActivityAttempt) -> str:
    """Say what has changed between two looks at one activity; nothing while its first attempt goes on."""
    another = before is None or before.number < now.number
    if now.number == 1 or not (another or (now.taken_at and before and not before.taken_at)):
        return ""
    if not now.lost:
        return f"{now.name}: attempt {now.number}, the last one failed: {now.failure}" if another else ""
    if now.taken_at is None:
        return f"{now.name}: its worker fell silent; attempt {now.number} waits for a worker"
    silent = "its worker fell silent; " if another else ""
    who = "the same worker" if before is not None and before.worker == now.worker else "another worker"
    after = _since(before.sign_at if before else None, now.taken_at)
    return f"{now.name}: {silent}{who} carries on{after}: attempt {now.number}"


def _since(sign: datetime | None, at: datetime) -> str:
    return f" after {duration((at - sign).total_seconds())}" if sign and sign < at else ""
