"""Pending work of a run, and the notices about it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState, TimeoutType
from temporalio.api.failure.v1 import Failure, TimeoutFailureInfo
from temporalio.api.history.v1 import ActivityTaskStartedEventAttributes, HistoryEvent, TimerFiredEventAttributes
from temporalio.api.workflow.v1 import PendingActivityInfo, PendingWorkflowTaskInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse as Description

from watchkeeper.run_view.pending_work import NO_WORKER_SECONDS, PendingWork

AT = datetime(2026, 11, 25, 3, 0, tzinfo=UTC)
STARTED = PendingActivityState.PENDING_ACTIVITY_STATE_STARTED
SCHEDULED = PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
SILENT = Failure(
    message="activity Heartbeat timeout",
    timeout_failure_info=TimeoutFailureInfo(timeout_type=TimeoutType.TIMEOUT_TYPE_HEARTBEAT),
)
REFUSED = Failure(message="loki answered 503")


def look(
    state: PendingActivityState.ValueType,
    attempt: int = 1,
    *,
    failure: Failure | None = None,
    started: float | None = None,
    heard: float | None = None,
    due: float | None = None,
    worker: str = "1@host",
    detail: bytes = b"",
) -> Description:
    """Return a pending call as the server describes it; times in seconds."""
    pending = PendingActivityInfo(
        activity_id="r1.0", state=state, attempt=attempt, last_worker_identity=worker, last_failure=failure
    )
    pending.activity_type.name = "search_logs"
    if detail:
        pending.heartbeat_details.payloads.add(data=detail)
    times = (
        (pending.last_started_time, started),
        (pending.last_heartbeat_time, heard),
        (pending.next_attempt_schedule_time, due),
    )
    for stamp, seconds in times:
        if seconds is not None:
            stamp.FromDatetime(AT + timedelta(seconds=seconds))
    return Description(pending_activities=[pending])


def started(attempt: int, at: float) -> HistoryEvent:
    """Return the history event of an attempt."""
    event = HistoryEvent(activity_task_started_event_attributes=ActivityTaskStartedEventAttributes(attempt=attempt))
    event.event_time.FromDatetime(AT + timedelta(seconds=at))
    return event


def test_a_first_attempt_gives_no_notice() -> None:
    pending = PendingWork()
    assert pending.update(look(SCHEDULED), 0.0) == []
    assert pending.update(look(STARTED, started=0), 1.0) == []
    assert pending.add_event(started(1, 0), "r1.0", 2.0) == ""


def test_a_lost_worker_and_its_successor_are_reported_once() -> None:
    pending = PendingWork()
    pending.update(look(STARTED, started=0, heard=1), 1.0)
    lost = look(SCHEDULED, 2, failure=SILENT, heard=1)
    assert pending.update(lost, 3.0) == [
        "r1.0 search_logs: its worker stopped responding; attempt 2 waits for a worker"
    ]
    assert pending.update(lost, 4.0) == []
    again = look(STARTED, 2, failure=SILENT, started=6, worker="2@host")
    assert pending.update(again, 7.0) == ["r1.0 search_logs: another worker continues after 5.0 s: attempt 2"]
    assert pending.update(again, 8.0) == []


def test_a_quick_recovery_is_read_from_the_history() -> None:
    pending = PendingWork()
    pending.update(look(STARTED, started=0.5), 1.0)  # it was killed before its first sign of life
    pending.update(look(SCHEDULED, 2, failure=SILENT), 3.0)
    said = pending.add_event(started(2, 4.5), "r1.0", 5.0)
    assert said == "r1.0 search_logs: another worker continues after 4.0 s: attempt 2"
    assert pending.add_event(started(2, 4.5), "r1.0", 5.1) == ""


def test_a_quick_recovery_is_reported_if_the_call_ends_before_its_event_arrives() -> None:
    pending = PendingWork()
    pending.update(look(STARTED, started=0, heard=1), 1.0)
    pending.update(look(SCHEDULED, 2, failure=SILENT, heard=1), 3.0)
    assert pending.update(Description(), 5.0) == []
    assert pending.attempts == {}
    said = pending.add_event(started(2, 4.5), "r1.0", 5.1)
    assert said == "r1.0 search_logs: another worker continues after 3.5 s: attempt 2"
    assert pending.add_event(started(2, 4.5), "r1.0", 5.2) == ""


def test_a_recovery_between_two_updates_is_one_sentence() -> None:
    pending = PendingWork()
    pending.update(look(STARTED, started=0, heard=1), 1.0)
    again = look(STARTED, 2, failure=SILENT, started=3.5, worker="2@host")
    assert pending.update(again, 5.0) == [
        "r1.0 search_logs: its worker stopped responding; another worker continues after 2.5 s: attempt 2"
    ]


def test_a_slow_worker_is_reported_as_the_same_worker() -> None:
    pending = PendingWork()
    pending.update(look(STARTED, started=0, heard=1), 1.0)
    (said,) = pending.update(look(STARTED, 2, failure=SILENT, started=4), 5.0)
    assert said.endswith("the same worker continues after 3.0 s: attempt 2")


def test_a_failure_has_its_reason_and_is_not_a_missing_worker() -> None:
    pending = PendingWork()
    failed = look(SCHEDULED, 2, failure=REFUSED, due=30)
    assert pending.update(failed, 1.0) == ["r1.0 search_logs: attempt 2, the last one failed: loki answered 503"]
    assert pending.update(failed, 20.0) == []
    assert not pending.needs_worker(20.0), "it only waits for its pause to be over"


def test_an_untaken_task_means_a_missing_worker_until_one_takes_it() -> None:
    pending = PendingWork()
    task = PendingWorkflowTaskInfo(state=PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED)
    lies_there = Description(pending_workflow_task=task)
    pending.update(lies_there, 10.0)
    pending.update(lies_there, 11.0)
    assert not pending.needs_worker(10.0 + NO_WORKER_SECONDS - 0.1)
    assert pending.needs_worker(10.0 + NO_WORKER_SECONDS)
    pending.reported_at = 13.0
    fired = HistoryEvent(timer_fired_event_attributes=TimerFiredEventAttributes())
    assert pending.add_event(fired, "", 14.0) == "", "timers fire without a worker"
    assert pending.needs_worker(14.0)
    assert pending.add_event(started(1, 0), "r2", 15.0) == "a worker continues after 5.0 s"
    assert not pending.needs_worker(15.0)


@pytest.mark.parametrize(
    ("described", "written"),
    [
        (look(STARTED, started=0, heard=1, detail=b'{"characters": 1204}'), 1_204),
        (look(STARTED, 2, started=5, heard=1, detail=b'{"characters": 1204}'), 0),
        (look(SCHEDULED, 2, started=0, heard=1, detail=b'{"characters": 1204}'), 0),
        (look(STARTED, started=0, heard=1), 0),
        (look(STARTED, started=0, heard=1, detail=b"\x00"), 0),
        (look(STARTED, started=0, heard=1, detail=b'{"characters": "many"}'), 0),
        (look(STARTED, started=0, heard=1, detail=b"7"), 0),
    ],
    ids=["this attempt", "the attempt before", "no attempt", "no detail", "not JSON", "no number", "no object"],
)
def test_what_the_model_has_written_is_known_while_it_writes(described: Description, written: int) -> None:
    pending = PendingWork()
    pending.update(described, 0.0)
    assert pending.attempts["r1.0"].written == written
