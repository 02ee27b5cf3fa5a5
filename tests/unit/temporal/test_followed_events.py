"""Events of a followed history: each recorded event is new once, also if a repeated workflow task had its id before."""

from __future__ import annotations

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    HistoryEvent,
    WorkflowTaskScheduledEventAttributes,
    WorkflowTaskStartedEventAttributes,
)

from watchkeeper.temporal.followed_events import FollowedEvents


def other(number: int) -> HistoryEvent:
    return HistoryEvent(event_id=number, event_type=EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED)


def scheduled(number: int, attempt: int) -> HistoryEvent:
    attributes = WorkflowTaskScheduledEventAttributes(attempt=attempt)
    return HistoryEvent(
        event_id=number,
        event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED,
        workflow_task_scheduled_event_attributes=attributes,
    )


def started(number: int) -> HistoryEvent:
    attributes = WorkflowTaskStartedEventAttributes(scheduled_event_id=number - 1)
    return HistoryEvent(
        event_id=number,
        event_type=EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED,
        workflow_task_started_event_attributes=attributes,
    )


@pytest.mark.parametrize(
    ("events", "new"),
    [
        pytest.param([other(1), scheduled(2, 1), started(3), other(4)], [1, 2, 3, 4], id="in order"),
        pytest.param([other(1), other(2), other(1), other(2), other(3)], [1, 2, 3], id="read again after an outage"),
        pytest.param([other(1), scheduled(2, 2), other(2), other(3)], [1, 2, 2, 3], id="another event has the id"),
        pytest.param(
            [other(1), scheduled(2, 2), started(3), other(2), other(3), scheduled(4, 1)],
            [1, 2, 3, 2, 3, 4],
            id="other events have both ids",
        ),
        pytest.param(
            [other(1), scheduled(2, 2), started(3), scheduled(2, 2), started(3), other(4)],
            [1, 2, 3, 4],
            id="the repeated task is recorded in the end",
        ),
        pytest.param(
            [other(1), scheduled(2, 2), scheduled(2, 3), started(3), other(4)], [1, 2, 3, 4], id="repeated again"
        ),
        pytest.param([other(1), scheduled(2, 1), started(3), started(3), other(4)], [1, 2, 3, 4], id="first attempt"),
    ],
)
def test_each_recorded_event_is_new_once(events: list[HistoryEvent], new: list[int]) -> None:
    followed = FollowedEvents()
    assert [event.event_id for event in events if followed.is_new(event)] == new
