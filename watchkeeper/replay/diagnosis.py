"""Why code and history differ, in one sentence, from the SDK's message and from the record of the replay."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import zip_longest

from pydantic import BaseModel, ValidationError
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.workflow import NondeterminismError

from watchkeeper.contracts import AlertNotification, QueueEntry, QueueExit
from watchkeeper.replay.command_recorder import PayloadFailure, ReplayRecord
from watchkeeper.replay.commands import WorkflowAction, action_of_command, action_of_event, event_type_name
from watchkeeper.replay.history_files import RecordedHistory
from watchkeeper.replay.verdict import ReplayVerdict, VerdictKind
from watchkeeper.text import excerpt

_MESSAGE_BYTES = 1_000

SIGNALS: Mapping[str, type[BaseModel]] = {"alert": AlertNotification, "enter": QueueEntry, "leave": QueueExit}
"""The arguments that the workflows read themselves: they drop a signal that is wrong, because anyone can send one."""

DEADLOCK = "[TMPRL1101]"
_EXTERNAL_PAYLOADS = "json/external-storage-reference"
"""Encoding of a payload that is in external storage, which this code cannot read."""


def explain_replay(recording: RecordedHistory, failure: Exception | None, record: ReplayRecord) -> ReplayVerdict:
    """Return the verdict on a replayed history. ``failure`` is the SDK's error."""
    verdict = _explain(recording, failure, record)
    if verdict.why and _EXTERNAL_PAYLOADS in verdict.why:
        return replace(verdict, kind="incomplete", why="it has payloads in external storage")
    return verdict


def _explain(recording: RecordedHistory, failure: Exception | None, record: ReplayRecord) -> ReplayVerdict:
    message = _sdk_message(failure)
    verdict = ReplayVerdict(recording.name, recording.history.workflow_id, said=message)
    if record.payload_failures:
        return _unreadable(verdict, recording.history, record.payload_failures[0])
    if failure is None:
        return verdict
    if isinstance(failure, NondeterminismError):
        if (dropped := _dropped_signal(recording.history)) is not None:
            return _unreadable(verdict, recording.history, dropped)
        return _differs(verdict, recording.history, record)
    if unknown := re.search(
        r"Workflow class (\S+) is not registered on this worker, available workflows: (.*)", message
    ):
        why = f"the history is of the workflow `{unknown[1]}`, this code has {unknown[2]}"
        return _at(replace(verdict, why=why), recording.history.events[0], "unknown_workflow")
    event = _event(recording.history, record.history_length)
    if DEADLOCK in message:
        return _at(
            replace(verdict, why="this code did not finish its workflow task within two seconds"), event, "stuck"
        )
    return _at(replace(verdict, why=f"this code raises {record.failure or message}"), event, "fails")


def explain_timeout(recording: RecordedHistory, record: ReplayRecord, seconds: float) -> ReplayVerdict:
    """Return the verdict on a history whose replay did not finish in time."""
    verdict = ReplayVerdict(recording.name, recording.history.workflow_id)
    why = f"the replay made no progress after this event for {seconds:g} s"
    return _at(replace(verdict, why=why), _event(recording.history, record.history_length or 1), "stuck")


def _sdk_message(failure: Exception | None) -> str:
    """Extract the message from the debug output in which the SDK's core wraps it."""
    text = str(failure or "")
    found = re.search(r'message: "((?:[^"\\]|\\.)*)"', text)
    return excerpt(found[1].replace('\\"', '"').replace("\\n", "\n") if found else text, _MESSAGE_BYTES)


def _at(verdict: ReplayVerdict, event: HistoryEvent | None, kind: VerdictKind) -> ReplayVerdict:
    if event is None:
        return replace(verdict, kind=kind, event=None, event_type=None)
    return replace(verdict, kind=kind, event=event.event_id, event_type=event_type_name(event))


def _event(history: WorkflowHistory, event_id: int) -> HistoryEvent | None:
    return history.events[event_id - 1] if 0 < event_id <= len(history.events) else None


# --- the code does something else -------------------------------------------------------------------------------


def _differs(verdict: ReplayVerdict, history: WorkflowHistory, record: ReplayRecord) -> ReplayVerdict:
    named = re.search(r"HistoryEvent\(id: (\d+)", verdict.said)
    event, action = _first_difference(history, record, _event(history, int(named[1])) if named else None)
    recorded = action_of_event(event) if event is not None else None
    before = f"the history {recorded.description} there" if recorded else "this code never causes the event"
    now = f"this code {action.description}" if action else "this code does not"
    return _at(replace(verdict, why=f"{before}, {now}"), event, "differs")


def _first_difference(
    history: WorkflowHistory, record: ReplayRecord, named: HistoryEvent | None
) -> tuple[HistoryEvent | None, WorkflowAction | None]:
    """Return the event at which code and history differ, and the code's action. ``named`` is the SDK's event."""
    actions = [action for action in map(action_of_command, record.commands) if action is not None]
    for recorded, now in zip_longest(_recorded_actions(history, record.history_length), actions):
        if recorded is None:
            return named, now
        event, action = recorded
        if now is None or not action.matches(now):
            return event, now
    return named, None


def _recorded_actions(history: WorkflowHistory, start: int) -> Iterator[tuple[HistoryEvent, WorkflowAction]]:
    """Yield the recorded actions of the workflow task that began after ``start`` events."""
    for event in history.events[start:]:
        if event_type_name(event) in ("WorkflowTaskScheduled", "WorkflowTaskStarted"):
            return
        if (action := action_of_event(event)) is not None:
            yield event, action


# --- the code cannot read a payload -----------------------------------------------------------------------------


def _dropped_signal(history: WorkflowHistory) -> PayloadFailure | None:
    """Return the first signal that this code cannot read, and so drops."""
    for event in history.events:
        signal = event.workflow_execution_signaled_event_attributes
        if (contract := SIGNALS.get(signal.signal_name)) is None or not signal.input.payloads:
            continue
        data = signal.input.payloads[0].data
        try:
            contract.model_validate_json(data)
        except ValidationError as error:
            return PayloadFailure(data, error)
    return None


def _unreadable(verdict: ReplayVerdict, history: WorkflowHistory, failure: PayloadFailure) -> ReplayVerdict:
    error = failure.error.errors(include_url=False, include_input=False)[0]
    field = ".".join([failure.error.title, *map(str, error["loc"])])
    if error["type"] == "missing":
        why = f"`{field}` is required by this code, and the recording has none"
    else:
        why = f"`{field}` cannot be read by this code: {error['msg']}"
    events = (event for event in history.events if failure.data in event.SerializeToString())
    verdict = _at(replace(verdict, why=why), next(events, None), "unreadable")
    if verdict.event_type == "WorkflowExecutionSignaled":
        return replace(verdict, why=f"{why}: the signal is dropped")
    return verdict
