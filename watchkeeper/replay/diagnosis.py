"""Why code and history part, in one sentence: from the SDK's words and from what the code was seen to do."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import zip_longest

from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import WorkflowHistory
from temporalio.workflow import NondeterminismError

from watchkeeper.replay.command_recorder import DecodingError, ReplayRecord
from watchkeeper.replay.commands import WorkflowAction, action_of_command, action_of_event, event_type_name
from watchkeeper.replay.history_files import RecordedHistory
from watchkeeper.replay.verdict import ReplayVerdict, VerdictKind
from watchkeeper.text import excerpt

_SAID_BYTES = 1_000

DEADLOCK = "[TMPRL1101]"
_ELSEWHERE = "[TMPRL1105]"

Recorded = tuple[HistoryEvent, WorkflowAction]


def explain_replay(recording: RecordedHistory, failure: Exception | None, account: ReplayRecord) -> ReplayVerdict:
    """Return the verdict on a recording that was replayed, with ``failure`` as the SDK's own."""
    said = _said(failure)
    verdict = ReplayVerdict(recording.name, recording.history.workflow_id, said=said)
    if account.unread:
        return _unreadable(verdict, recording.history, account.unread[0])
    if failure is None:
        return verdict
    if isinstance(failure, NondeterminismError):
        return _differing(verdict, recording.history, account)
    if unknown := re.search(r"Workflow class (\S+) is not registered on this worker, available workflows: (.*)", said):
        why = f"the history is of the workflow `{unknown[1]}`, this code has {unknown[2]}"
        return _at(replace(verdict, why=why), recording.history.events[0], "unknown_workflow")
    event = _event(recording.history, account.at)
    if DEADLOCK in said:
        return _at(
            replace(verdict, why="this code does not come to an end of its step within two seconds"),
            event,
            "stuck",
        )
    if _ELSEWHERE in said:
        return _at(replace(verdict, why="it names payloads that are stored elsewhere"), event, "incomplete")
    return _at(replace(verdict, why=f"this code raises {account.failure or said}"), event, "fails")


def explain_timeout(recording: RecordedHistory, account: ReplayRecord, seconds: float) -> ReplayVerdict:
    """Return the verdict on a recording whose replay gave no answer in time."""
    verdict = ReplayVerdict(recording.name, recording.history.workflow_id)
    why = f"the replay stands still since then, for {seconds:g} s"
    return _at(replace(verdict, why=why), _event(recording.history, account.at or 1), "stuck")


def _said(failure: Exception | None) -> str:
    """Take the message out of the debugging output that the SDK's core wraps it in."""
    text = str(failure or "")
    found = re.search(r'message: "((?:[^"\\]|\\.)*)"', text)
    return excerpt(found[1].replace('\\"', '"').replace("\\n", "\n") if found else text, _SAID_BYTES)


def _at(verdict: ReplayVerdict, event: HistoryEvent | None, kind: VerdictKind) -> ReplayVerdict:
    where = (event.event_id, event_type_name(event)) if event is not None else (None, None)
    return replace(verdict, kind=kind, event=where[0], event_type=where[1])


def _event(history: WorkflowHistory, event_id: int) -> HistoryEvent | None:
    return history.events[event_id - 1] if 0 < event_id <= len(history.events) else None


# --- it does something else -------------------------------------------------------------------------------------


def _differing(verdict: ReplayVerdict, history: WorkflowHistory, account: ReplayRecord) -> ReplayVerdict:
    named = re.search(r"HistoryEvent\(id: (\d+)", verdict.said)
    event, deed = _parting(history, account, _event(history, int(named[1])) if named else None)
    says = action_of_event(event) if event is not None else None
    then = f"the history {says.words} there" if says else "nothing that this code does leads there"
    now = f"this code {deed.words}" if deed else "this code does not"
    return _at(replace(verdict, why=f"{then}, {now}"), event, "differs")


def _parting(
    history: WorkflowHistory, account: ReplayRecord, named: HistoryEvent | None
) -> tuple[HistoryEvent | None, WorkflowAction | None]:
    """Return the event at which they part, and what the code does instead; the SDK may have named the event."""
    done_now = [deed for deed in map(action_of_command, account.commands) if deed is not None]
    for before, now in zip_longest(_step(history, account.at), done_now):
        if before is None:
            return named, now
        event, deed = before
        if now is None or not deed.is_as(now):
            return event, now
    return named, None


def _step(history: WorkflowHistory, at: int) -> Iterator[Recorded]:
    """Give what the history says the workflow did in the step that began with so many events."""
    for event in history.events[at:]:
        if event_type_name(event) in ("WorkflowTaskScheduled", "WorkflowTaskStarted"):
            return
        if (deed := action_of_event(event)) is not None:
            yield event, deed


# --- it cannot read what is recorded --------------------------------------------------------------------------------


def _unreadable(verdict: ReplayVerdict, history: WorkflowHistory, unread: DecodingError) -> ReplayVerdict:
    fault = unread.fault.errors(include_url=False, include_input=False)[0]
    field = ".".join([unread.fault.title, *map(str, fault["loc"])])
    if fault["type"] == "missing":
        why = f"`{field}` is required by this code, and the recording has none"
    else:
        why = f"`{field}` cannot be read by this code: {fault['msg']}"
    holding = (event for event in history.events if unread.data in event.SerializeToString())
    verdict = _at(replace(verdict, why=why), next(holding, None), "unreadable")
    if verdict.event_type == "WorkflowExecutionSignaled":
        return replace(verdict, why=f"{why}: the signal is dropped")
    return verdict
