"""What workflows do: one description for the events of a history and for the commands of the code."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_commands import WorkflowCommand

from watchkeeper.text import excerpt


@dataclass(frozen=True)
class WorkflowAction:
    """One thing that a workflow does."""

    event_type: str
    """The event that records it, as Temporal names it."""
    name: str = ""
    """What the server compares in addition to the event type."""
    description: str = ""
    """In the third person: ``starts a timer``."""

    def matches(self, other: WorkflowAction) -> bool:
        """Tell whether a replay accepts one for the other."""
        return (self.event_type, self.name) == (other.event_type, other.name)


CHANGE_VERSION = "TemporalChangeVersion"
"""Search attribute that the SDK's core sets for each patch, without a command of the code."""

_ACTIONS = {
    "start_timer": ("TimerStarted", "starts a timer"),
    "cancel_timer": ("TimerCanceled", "cancels a timer"),
    "schedule_activity": ("ActivityTaskScheduled", "schedules the activity"),
    "request_cancel_activity": ("ActivityTaskCancelRequested", "cancels an activity"),
    "complete_workflow_execution": ("WorkflowExecutionCompleted", "ends the run"),
    "fail_workflow_execution": ("WorkflowExecutionFailed", "fails the run"),
    "cancel_workflow_execution": ("WorkflowExecutionCanceled", "ends the run as cancelled"),
    "continue_as_new_workflow_execution": ("WorkflowExecutionContinuedAsNew", "continues as new"),
    "set_patch_marker": ("MarkerRecorded", "marks a patch"),
    "start_child_workflow_execution": ("StartChildWorkflowExecutionInitiated", "starts a child workflow"),
    "signal_external_workflow_execution": ("SignalExternalWorkflowExecutionInitiated", "signals another workflow"),
    "request_cancel_external_workflow_execution": (
        "RequestCancelExternalWorkflowExecutionInitiated",
        "cancels another workflow",
    ),
    "upsert_workflow_search_attributes": ("UpsertWorkflowSearchAttributes", "sets search attributes"),
    "modify_workflow_properties": ("WorkflowPropertiesModified", "sets its memo"),
    "update_accepted": ("WorkflowExecutionUpdateAccepted", "accepts an update"),
    "update_completed": ("WorkflowExecutionUpdateCompleted", "answers an update"),
}
_DESCRIPTIONS = dict(_ACTIONS.values())


def event_type_name(event: HistoryEvent) -> str:
    """Return the type of an event as Temporal shows it: ``TimerStarted``."""
    parts = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").split("_")
    return "".join(part.capitalize() for part in parts)


def action_of_event(event: HistoryEvent) -> WorkflowAction | None:
    """Return the action that an event records; None if the workflow did not cause the event."""
    event_type = event_type_name(event)
    if event_type not in _DESCRIPTIONS or _is_set_by_core(event):
        return None
    activity = event.activity_task_scheduled_event_attributes
    signal = event.signal_external_workflow_execution_initiated_event_attributes
    return _action(event_type, activity.activity_type.name, activity.activity_id, signal.signal_name)


def action_of_command(command: WorkflowCommand) -> WorkflowAction | None:
    """Return the action that a command of the code requests; None if no event records it."""
    variant: str = command.WhichOneof("variant") or ""
    if variant == "update_response":
        variant = f"update_{command.update_response.WhichOneof('response')}"
    if variant not in _ACTIONS:
        return None
    event_type, _ = _ACTIONS[variant]
    activity, signal = command.schedule_activity, command.signal_external_workflow_execution
    reason = command.fail_workflow_execution.failure.message
    return _action(event_type, activity.activity_type, activity.activity_id, signal.signal_name, excerpt(reason, 300))


def _is_set_by_core(event: HistoryEvent) -> bool:
    changed = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
    return [*changed] == [CHANGE_VERSION]


def _action(event_type: str, activity: str, activity_id: str, signal: str, reason: str = "") -> WorkflowAction:
    description = _DESCRIPTIONS[event_type]
    if activity:
        return WorkflowAction(event_type, f"{activity} {activity_id}", f"{description} `{activity}` ({activity_id})")
    if signal:
        return WorkflowAction(event_type, signal, f"{description} (`{signal}`)")
    return WorkflowAction(event_type, "", f"{description}: {reason}" if reason else description)
