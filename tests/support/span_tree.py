"""Whether spans are one tree, and whether it holds all that a history records."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC

from temporalio.api.history.v1 import HistoryEvent

from tests.end_to_end.chaos.run_follower import Following
from tests.support.otlp_receiver import Told
from watchkeeper.telemetry import span_ids


def tree(spans: list[Told]) -> Told:
    """Check that spans are one tree; gives its root."""
    ids = [span.span for span in spans]
    assert len(ids) == len(set(ids)), "no two spans have one id"
    assert len({span.trace for span in spans}) == 1
    (root,) = [span for span in spans if not span.parent]
    assert root.name == "invoke_agent watchkeeper"
    assert {span.parent for span in spans} - {""} <= set(ids), "no parent is missing"
    return root


def recorded(following: Following) -> dict[str, str]:
    """The spans that must be there, by their ids: the attempt that a history records of each activity."""
    found: dict[str, str] = {}
    run_id = following.run_id
    for execution in following.executions:
        found |= dict(_recorded(execution, run_id))
        run_id = execution[-1].workflow_execution_continued_as_new_event_attributes.new_execution_run_id
    return found


def _recorded(events: list[HistoryEvent], run_id: str) -> Iterator[tuple[str, str]]:
    by_id = {event.event_id: event for event in events}
    for event in events:
        done = event.activity_task_completed_event_attributes
        if not done.started_event_id:
            continue
        scheduled = by_id[done.scheduled_event_id]
        what = scheduled.activity_task_scheduled_event_attributes
        attempt = by_id[done.started_event_id].activity_task_started_event_attributes.attempt
        at = scheduled.event_time.ToDatetime().replace(tzinfo=UTC)
        span = span_ids.attempt_id(run_id, what.activity_id, at, attempt)
        yield f"{span:016x}", f"{what.activity_type.name} {what.activity_id}, attempt {attempt}"
