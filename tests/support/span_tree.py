"""Checks that spans are one tree, and returns the span ids that a history requires."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from temporalio.api.history.v1 import HistoryEvent

from tests.end_to_end.chaos.run_follower import RunFollower
from tests.support.otlp_receiver import ReceivedSpan
from watchkeeper.telemetry import span_ids


def root_of(spans: list[ReceivedSpan]) -> ReceivedSpan:
    """Check that the spans are one tree, and return its root."""
    ids = [span.span_id for span in spans]
    assert len(ids) == len(set(ids)), "two spans have the same id"
    assert len({span.trace_id for span in spans}) == 1
    (root,) = [span for span in spans if not span.parent_id]
    assert root.name == "invoke_agent watchkeeper"
    assert {span.parent_id for span in spans} - {""} <= set(ids), "a parent is missing"
    return root


def recorded(follower: RunFollower) -> dict[str, str]:
    """Return a description of each completed activity attempt in the histories of a run, by the id of its span."""
    found: dict[str, str] = {}
    run_id = follower.run_id
    for execution in follower.executions:
        found |= dict(_recorded(execution, run_id))
        run_id = execution[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return found


def _recorded(events: list[HistoryEvent], run_id: str) -> Iterator[tuple[str, str]]:
    by_id = {event.event_id: event for event in events}
    for event in events:
        completed = event.activity_task_completed_event_attributes
        if not completed.started_event_id:
            continue
        scheduled = by_id[completed.scheduled_event_id]
        activity = scheduled.activity_task_scheduled_event_attributes
        attempt = by_id[completed.started_event_id].activity_task_started_event_attributes.attempt
        scheduled_at = scheduled.event_time.ToDatetime().replace(tzinfo=UTC)
        span = span_ids.attempt_id(run_id, activity.activity_id, scheduled_at, attempt)
        yield f"{span:016x}", f"{activity.activity_type.name} {activity.activity_id}, attempt {attempt}"
