"""What the server knows of a run beside its history: running attempts, and tasks that no worker takes (pure).

A history shows an activity attempt only after the activity ends. While a call hangs, or its worker is dead, only
``DescribeWorkflowExecution`` shows it. That request adds nothing to the run's history.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import PendingActivityInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse

from watchkeeper.temporal.heartbeat_detail import written_characters
from watchkeeper.text import duration, excerpt

WORKER_LOST = "its worker stopped responding"

REASON_BYTES = 300
"""Limit for the failure message of an attempt."""

NO_WORKER_SECONDS = 3.0
"""Seconds for which a task may wait before it counts as not taken: a busy worker needs some time."""

STUCK_ATTEMPT = 3
"""Attempt of a workflow task from which on its run counts as stuck: one failure may be a worker that was killed."""

_WORKER_EVENTS = (
    "workflow_task_started_event_attributes",
    "workflow_task_completed_event_attributes",
    "activity_task_started_event_attributes",
    "activity_task_completed_event_attributes",
    "activity_task_failed_event_attributes",
)
"""Events that only a worker can cause."""

_TAKEN = (
    PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
    PendingActivityState.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED,
)


@dataclass(frozen=True)
class ActivityAttempt:
    """The current attempt of a pending activity."""

    name: str
    """Activity id and type: ``r1.0 search_logs``."""
    number: int
    taken_at: datetime | None
    """When a worker took it; None while it waits for one."""
    due_at: datetime | None
    """When the next attempt may start; None unless it waits after a failure."""
    worker: str
    """Identity of the worker that runs it, or of the last one that ran it."""
    failure: str
    """Why the attempt before failed; empty for the first attempt."""
    lost: bool
    """Whether the attempt before timed out because its worker stopped responding."""
    heartbeat_at: datetime | None
    """When its worker last sent a heartbeat."""
    written: int = 0
    """Characters that the model has written so far; 0 if its host does not stream."""

    @property
    def waits_for_worker(self) -> bool:
        """Whether any worker could take it now."""
        return self.taken_at is None and self.due_at is None


@dataclass
class PendingWork:
    """What was seen last. Times without a date are seconds of the follower's monotonic clock."""

    attempts: dict[str, ActivityAttempt] = field(default_factory=dict)
    """By activity id: ``r1`` for a model request, ``r1.0`` for a call."""
    untaken_since: float | None = None
    """Since when a task waits for a worker."""
    polled: bool = True
    """Whether any worker polls the run's task queue."""
    reported_at: float | None = None
    """When a missing worker was reported; None if none is missing."""
    unreached_since: float | None = None
    """Since when Temporal is unreachable."""
    _ended_attempts: dict[str, ActivityAttempt] = field(default_factory=dict)
    """The last attempts of activities that have ended, until their events arrive, which may be later."""

    def update(self, description: DescribeWorkflowExecutionResponse, now: float) -> list[str]:
        """Take the server's description of the run. Return what is new to people, one sentence each."""
        before = self.attempts
        self.attempts = {p.activity_id: _attempt(p, before.get(p.activity_id)) for p in description.pending_activities}
        self._ended_attempts |= {key: attempt for key, attempt in before.items() if key not in self.attempts}
        task = description.pending_workflow_task
        waits = task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED or any(
            attempt.waits_for_worker for attempt in self.attempts.values()
        )
        self.untaken_since = (self.untaken_since or now) if waits else None
        if any(attempt.taken_at for attempt in self.attempts.values() if attempt.number > 1):
            self.reported_at = None  # a sentence below names the worker that took it
        sentences = (_change(before.get(key), attempt) for key, attempt in self.attempts.items())
        return [sentence for sentence in sentences if sentence]

    def add_event(self, event: HistoryEvent, activity_id: str, now: float) -> str:
        """Take the next event of the history. Return a sentence if it ends a stall.

        ``activity_id`` is the activity that the event refers to, if any.
        """
        kind = event.WhichOneof("attributes") or ""
        if kind not in _WORKER_EVENTS:
            return ""
        reported, self.reported_at, self.polled = self.reported_at, None, True
        waited = now - (self.untaken_since or reported or now)
        self.untaken_since = None
        ended = self._ended_attempts.pop(activity_id, None)
        attempt = self.attempts.pop(activity_id, ended)
        number = event.activity_task_started_event_attributes.attempt
        if attempt is not None and attempt.lost and attempt.taken_at is None and number:
            at = event.event_time.ToDatetime(tzinfo=UTC)
            return f"{attempt.name}: another worker continues{_after(attempt.heartbeat_at, at)}: attempt {number}"
        return f"a worker continues after {duration(waited)}" if reported is not None else ""

    def seconds_untaken(self, now: float) -> float:
        """Return for how many seconds a task has waited for a worker; 0 while that is normal."""
        waited = now - self.untaken_since if self.untaken_since is not None else 0.0
        return waited if waited >= NO_WORKER_SECONDS else 0.0

    def needs_worker(self, now: float) -> bool:
        """Tell whether the run waits for a worker."""
        return not self.polled or self.seconds_untaken(now) > 0


def stuck_reason(description: DescribeWorkflowExecutionResponse, task_failure: str) -> str:
    """Return why a run is stuck, because its workflow task fails again and again; empty if it is not.

    ``task_failure`` is the message of the last failure in the history, which has only the first failure of a task.
    """
    if description.pending_workflow_task.attempt < STUCK_ATTEMPT:
        return ""
    reason = excerpt(task_failure, REASON_BYTES) or "no worker completes it in time"
    return f"its workflow task has failed {description.pending_workflow_task.attempt - 1} times: {reason}"


def _attempt(pending: PendingActivityInfo, before: ActivityAttempt | None) -> ActivityAttempt:
    taken = pending.state in _TAKEN
    known = (before.heartbeat_at or before.taken_at) if before else None
    timed_out = pending.last_failure.HasField("timeout_failure_info")
    started, heartbeat = pending.last_started_time, pending.last_heartbeat_time
    due = pending.HasField("next_attempt_schedule_time")
    return ActivityAttempt(
        name=f"{pending.activity_id} {pending.activity_type.name}",
        number=pending.attempt,
        taken_at=started.ToDatetime(tzinfo=UTC) if taken else None,
        due_at=pending.next_attempt_schedule_time.ToDatetime(tzinfo=UTC) if due and not taken else None,
        worker=pending.last_worker_identity,
        failure=excerpt(pending.last_failure.message, REASON_BYTES) if pending.attempt > 1 else "",
        lost=timed_out and pending.attempt > 1,
        heartbeat_at=heartbeat.ToDatetime(tzinfo=UTC) if pending.HasField("last_heartbeat_time") else known,
        written=written_characters(pending) if taken else 0,
    )


def _change(before: ActivityAttempt | None, now: ActivityAttempt) -> str:
    """Say what changed between two looks at an activity; empty during its first attempt."""
    is_new = before is None or before.number < now.number
    if now.number == 1 or not (is_new or (now.taken_at and before and not before.taken_at)):
        return ""
    if not now.lost:
        return f"{now.name}: attempt {now.number}, the last one failed: {now.failure}" if is_new else ""
    if now.taken_at is None:
        return f"{now.name}: {WORKER_LOST}; attempt {now.number} waits for a worker"
    lost = f"{WORKER_LOST}; " if is_new else ""
    worker = "the same worker" if before is not None and before.worker == now.worker else "another worker"
    after = _after(before.heartbeat_at if before else None, now.taken_at)
    return f"{now.name}: {lost}{worker} continues{after}: attempt {now.number}"


def _after(heartbeat_at: datetime | None, at: datetime) -> str:
    return f" after {duration((at - heartbeat_at).total_seconds())}" if heartbeat_at and heartbeat_at < at else ""
