"""Order the events of a history that is followed while its run is open (pure)."""

from __future__ import annotations

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent


class FollowedEvents:
    """Knows which events are new.

    While a workflow task is repeated, the server ends a history with events of that task that are not recorded, and
    their ids go to other events later: such as the result of a call that another worker brings meanwhile.
    """

    def __init__(self) -> None:
        self._recorded = 0
        self._repeated = 0

    def is_new(self, event: HistoryEvent) -> bool:
        """Return whether an event was not seen before. An event of a repeated task may be followed by its id again."""
        if event.event_id <= self._recorded:
            return False
        if self._may_vanish(event):
            is_new, self._repeated = event.event_id > self._repeated, max(event.event_id, self._repeated)
            return is_new
        self._recorded = event.event_id
        return True

    def _may_vanish(self, event: HistoryEvent) -> bool:
        if event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
            return event.workflow_task_scheduled_event_attributes.attempt > 1
        return (
            event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_STARTED
            and event.workflow_task_started_event_attributes.scheduled_event_id > self._recorded
        )
