"""What workflows do, as histories record it and as code asks for it, in the same words."""

from __future__ import annotations

from dataclasses import dataclass

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.bridge.proto.workflow_commands import WorkflowCommand

from watchkeeper.text import excerpt


@dataclass(frozen=True)
class WorkflowAction:
    """One thing that a workflow does: two are the same deed if kind and name are."""

    kind: str
    """The event that it leaves, as Temporal shows it."""
    name: str = ""
    """What the server compares beside the kind."""
    words: str = ""
    """What it does, in the third person: ``starts a timer``."""

    def is_as(self, other: WorkflowAction) -> bool:
        """Tell whether they are the same to a replay."""
        return (self.kind, self.name) == (other.kind, other.name)


_WORDS = {
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
_EVENTS = dict(_WORDS.values())


def event_type_name(event: HistoryEvent) -> str:
    """Name the type of an event as Temporal shows it."""
    parts = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").split("_")
    return "".join(part.capitalize() for part in parts)


def action_of_event(event: HistoryEvent) -> WorkflowAction | None:
    """Return what the workflow did to leave an event; None if the event befell it."""
    kind = event_type_name(event)
    if kind not in _EVENTS:
        return None
    activity = event.activity_task_scheduled_event_attributes
    signal = event.signal_external_workflow_execution_initiated_event_attributes
    return _deed(kind, activity.activity_type.name, activity.activity_id, signal.signal_name)


def action_of_command(command: WorkflowCommand) -> WorkflowAction | None:
    """Return what a command of the code asks for; None if it leaves no event."""
    variant: str = command.WhichOneof("variant") or ""
    if variant == "update_response":
        variant = f"update_{command.update_response.WhichOneof('response')}"
    if variant not in _WORDS:
        return None
    kind, _ = _WORDS[variant]
    activity, signal = command.schedule_activity, command.signal_external_workflow_execution
    because = command.fail_workflow_execution.failure.message
    return _deed(kind, activity.activity_type, activity.activity_id, signal.signal_name, excerpt(because, 300))


def _deed(kind: str, activity: str, activity_id: str, signal: str, because: str = "") -> WorkflowAction:
    words = _EVENTS[kind]
    if activity:
        return WorkflowAction(kind, f"{activity} {activity_id}", f"{words} `{activity}` ({activity_id})")
    if signal:
        return WorkflowAction(kind, signal, f"{words} (`{signal}`)")
    return WorkflowAction(kind, "", f"{words}: {because}" if because else words)
