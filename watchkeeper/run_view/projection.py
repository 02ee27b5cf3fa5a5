"""Builds the view of a run from the events of its history."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import TypeAlias, TypeVar

from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import WorkflowTaskFailedCause as Cause
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import ActivityTaskStartedEventAttributes as ActivityStarted
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.history.v1 import WorkflowTaskFailedEventAttributes as TaskFailed
from temporalio.api.update.v1 import Request
from temporalio.converter import DataConverter

from watchkeeper.alerts.notification_reader import read_notification
from watchkeeper.contracts import (
    AlertNotification,
    Briefing,
    CarryRequest,
    CompactionResult,
    CompactRequest,
    Limits,
    ModelReply,
    ModelRequest,
    ReportDelivery,
    RunInput,
    RunResult,
    RunStatus,
    ToolResult,
)
from watchkeeper.incident.episode import Episode
from watchkeeper.incident.firing_order import has_order
from watchkeeper.incident.status_rule import TemporalEnd, read_outcome
from watchkeeper.run_view.entries import (
    UNFINISHED,
    AlertsChanged,
    Approval,
    Call,
    CompactedMessages,
    FollowUp,
    PersonAction,
    QueueWait,
    Round,
    RunReset,
    Undelivered,
)
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.pending_work import WORKER_LOST
from watchkeeper.run_view.update_decoder import decode_action
from watchkeeper.runs.client import read_keyword
from watchkeeper.temporal.history import decode_first, decode_signal
from watchkeeper.temporal.search_attributes import OUTCOME
from watchkeeper.tool_calling.reserved_names import RESERVED

T = TypeVar("T")
RunChange: TypeAlias = (
    RunView
    | QueueWait
    | Round
    | Call
    | CompactedMessages
    | PersonAction
    | RunReset
    | AlertsChanged
    | FollowUp
    | Undelivered
)
"""A change that an event makes. The view itself: the run started, was briefed, reported or ended."""

UNREADABLE_INPUT = "(the input of this run cannot be read)"

_APPROVAL_TIMER = re.compile(r"^(r\d+\.\d+) ")


class RunProjection:
    """Builds a view from the events of all executions of a run, added in order.

    A reset run is read again from its first event. The events before the reset change the view and return no changes.
    """

    def __init__(self, converter: DataConverter) -> None:
        self.view = RunView()
        self.event_count = 0
        """Events added so far."""
        self.task_failure = ""
        """Why the last workflow task failed; empty once a task completes."""
        self._replaying_reset = False
        self._converter = converter
        self._delivery: ReportDelivery | None = None
        self._destinations: dict[str, str] = {}
        """What each delivery sends where, by activity id."""
        self._outcome: RunStatus | None = None
        """As recorded in the search attribute. The report follows, unless a bug ends the workflow before that."""
        self._clear_execution()

    def _clear_execution(self) -> None:
        """Drop event ids and timer ids: they are unique within one execution only."""
        self._activities: dict[int, tuple[str, str]] = {}
        self._timers: dict[str, str] = {}
        self._requests: dict[str, Request] = {}
        self._updates: dict[int, Request] = {}

    async def add(self, event: HistoryEvent, run_id: str = "") -> Sequence[RunChange]:
        """Add the next event, of the execution ``run_id``. Return its changes, in order."""
        self.event_count += 1
        changes = await self._add(event, _time(event.event_time), run_id)
        return () if self._replaying_reset else changes

    def activity_id(self, event: HistoryEvent) -> str:
        """Return the activity id that an event refers to, such as ``r1.0``; empty for other events."""
        attributes = getattr(event, event.WhichOneof("attributes") or "", None)
        return self._activities.get(getattr(attributes, "scheduled_event_id", 0), ("", ""))[1]

    async def _add(self, event: HistoryEvent, at: datetime, run_id: str) -> Sequence[RunChange]:
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                return await self._started(event, at, run_id)
            case "workflow_task_completed_event_attributes":
                self.task_failure = ""
            case "workflow_task_failed_event_attributes":
                return self._task_failed(event.workflow_task_failed_event_attributes, run_id)
            case "activity_task_scheduled_event_attributes":
                return await self._activity_scheduled(event, at)
            case "activity_task_started_event_attributes":
                started = event.activity_task_started_event_attributes
                self._activity_started(*self._activities[started.scheduled_event_id], started)
            case "activity_task_completed_event_attributes":
                completed = event.activity_task_completed_event_attributes
                activity = self._activities[completed.scheduled_event_id]
                return await self._activity_completed(*activity, completed.result.payloads, at)
            case "activity_task_failed_event_attributes":
                failed = event.activity_task_failed_event_attributes
                return self._activity_failed(*self._activities[failed.scheduled_event_id], _reason(failed.failure), at)
            case "activity_task_timed_out_event_attributes":
                timed_out = event.activity_task_timed_out_event_attributes
                reason = f"no answer in time ({_reason(timed_out.failure)})"
                return self._activity_failed(*self._activities[timed_out.scheduled_event_id], reason, at)
            case "activity_task_canceled_event_attributes":
                cancelled = event.activity_task_canceled_event_attributes
                return self._activity_failed(*self._activities[cancelled.scheduled_event_id], "cancelled", at)
            case "timer_started_event_attributes":
                return await self._timer_started(event, at)
            case "timer_fired_event_attributes":
                return self._timer_fired(event.timer_fired_event_attributes.timer_id, at)
            case "upsert_workflow_search_attributes_event_attributes":
                upserted = event.upsert_workflow_search_attributes_event_attributes.search_attributes
                self._outcome = read_outcome(read_keyword(upserted.indexed_fields, OUTCOME)) or self._outcome
            case "workflow_execution_signaled_event_attributes":
                return await self._signalled(event, at)
            case "workflow_execution_update_admitted_event_attributes":
                request = event.workflow_execution_update_admitted_event_attributes.request
                self._requests[request.meta.update_id] = request
            case "workflow_execution_update_accepted_event_attributes":
                accepted = event.workflow_execution_update_accepted_event_attributes
                # After a reset only the event that admitted the update holds the request.
                known = self._requests.get(accepted.protocol_instance_id)
                self._updates[event.event_id] = known or accepted.accepted_request
            case "workflow_execution_update_completed_event_attributes":
                return await self._update_completed(event, at)
            case _:
                return await self._closed(event, at)
        return ()

    async def _started(self, event: HistoryEvent, at: datetime, run_id: str) -> Sequence[RunChange]:
        started = event.workflow_execution_started_event_attributes
        try:
            run_input = await self._decode(started.input.payloads, RunInput)
        except ValueError:  # a person started the workflow by hand, with an argument that it does not take
            run_input = RunInput(text=UNREADABLE_INPUT)
        self._clear_execution()
        if self.view.run_id and self.view.run_id != started.continued_execution_run_id:
            self._replaying_reset, self._delivery, self._outcome = True, None, None
            vars(self.view).update(vars(RunView()))
        view, first = self.view, not self.view.run_id
        view.run_id = run_id or started.original_execution_run_id
        if not first:
            return ()
        view.workflow_id, view.first_run_id = started.workflow_id, started.first_execution_run_id
        view.run_input, view.started_at = run_input, at
        if (carried := run_input.carried) is not None:
            view.started_at = datetime.fromtimestamp(carried.started_at, UTC)
            view.used_earlier = carried.spent
            view.apply_briefing(carried.briefing, carried.limits)
            view.episode = Episode(carried.alerts, (), carried.compact, carried.unlisted)
            if carried.reported is not None:
                view.add_report(carried.reported.report, "concluded")
                view.undelivered = list(carried.reported.undelivered)
            for record in carried.calls:
                number = int(record.key[1:].partition(".")[0])
                view.calls[record.key] = Call(record.key, number, record.name, record.arguments, record.status)
                view.calls[record.key].result = record.finding
        return (view,)

    async def _signalled(self, event: HistoryEvent, at: datetime) -> Sequence[RunChange]:
        signal = event.workflow_execution_signaled_event_attributes
        payloads = signal.input.payloads
        if signal.signal_name == "admit" and (wait := self.view.queue_wait) is not None and wait.admitted_at is None:
            if await decode_signal(self._converter, payloads, str) != self.view.first_run_id:
                return ()
            wait.admitted_at = at
            return (wait,)
        if signal.signal_name != "alert":
            return ()
        sent = await decode_signal(self._converter, payloads, AlertNotification)
        if sent is None or (notification := read_notification(sent, at.timestamp())) is None:
            return ()  # the run ignored it, too
        episode = self.view.episode
        episode.apply(notification, in_order=any(map(has_order, notification.alerts)))
        changed = episode.take_unread()
        return (AlertsChanged(changed, at),) if changed else ()

    def _task_failed(self, failed: TaskFailed, run_id: str) -> Sequence[RunChange]:
        if failed.cause != Cause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW:
            self.task_failure = _reason(failed.failure)
            return ()
        if failed.new_run_id == run_id:
            self._replaying_reset = False
        return (RunReset(failed.failure.message),)

    async def _activity_scheduled(self, event: HistoryEvent, at: datetime) -> Sequence[RunChange]:
        scheduled = event.activity_task_scheduled_event_attributes
        kind, key = scheduled.activity_type.name, scheduled.activity_id
        self._activities[event.event_id] = (kind, key)
        payloads = scheduled.input.payloads
        match kind:
            case "ask":
                request = await self._decode(payloads, ModelRequest)
                finished = self.view.add_messages(request.append)
                self.view.rounds.append(Round(request.round, asked_at=at))
                self.view.follow_up_pending = self.view.is_open
                return finished
            case "compact":
                return self.view.add_messages((await self._decode(payloads, CompactRequest)).append)
            case "carry":
                return self.view.add_messages((await self._decode(payloads, CarryRequest)).append)
            case "deliver":
                return self._delivered(await self._decode(payloads, ReportDelivery), key, at)
            case _ if kind not in RESERVED:
                self.view.calls[key].started_at, self.view.calls[key].status = at, "running"
        return ()

    def _delivered(self, delivery: ReportDelivery, key: str, at: datetime) -> Sequence[RunChange]:
        """Add a report once: it is delivered to several destinations."""
        view = self.view
        answer = f" (follow-up {delivery.follow_up})" if delivery.follow_up else ""
        self._destinations[key] = f"{delivery.destination}{answer}"
        if delivery.follow_up:
            if any(known.number == delivery.follow_up for known in view.follow_ups):
                return ()
            question = delivery.question or ""
            follow_up = FollowUp(delivery.follow_up, question, delivery.status, delivery.report, at)
            view.add_follow_up(follow_up)
            return (follow_up,)
        is_known, self._delivery = self._delivery is not None, delivery
        view.deliveries[key] = delivery.destination
        if is_known:
            return ()
        view.add_report(delivery.report, delivery.status, delivery.reason)
        return (view,)

    def _activity_started(self, kind: str, key: str, started: ActivityStarted) -> None:
        if kind != "ask" and kind in RESERVED:
            return
        attempted = self.view.rounds[-1] if kind == "ask" else self.view.calls[key]
        attempted.attempts, failure = started.attempt, started.last_failure
        if failure.HasField("timeout_failure_info"):
            attempted.last_failure = WORKER_LOST
        elif started.attempt > 1:
            attempted.last_failure = _reason(failure)

    async def _activity_completed(
        self, kind: str, key: str, result: Iterable[Payload], at: datetime
    ) -> Sequence[RunChange]:
        view = self.view
        view.deliveries.pop(key, None)
        match kind:
            case "brief":
                briefing = await self._decode(result, Briefing)
                view.apply_briefing(briefing, briefing.limits)
                if briefing.turns is not None:
                    view.queue_wait = QueueWait(briefing.turns.queue, at)
                return (view,)
            case "ask":
                calls = view.add_reply(view.rounds[-1], await self._decode(result, ModelReply), at)
                return (view.rounds[-1], *(call for call in calls if call.status not in UNFINISHED))
            case "compact":
                compacted = await self._decode(result, CompactionResult)
                return (CompactedMessages(compacted.replaced),) if compacted.replaced else ()
            case _ if kind in RESERVED:
                return ()
            case _:
                view.add_result(view.calls[key], await self._decode(result, ToolResult), at)
                return (view.calls[key],)

    def _activity_failed(self, kind: str, key: str, reason: str, at: datetime) -> Sequence[RunChange]:
        self.view.deliveries.pop(key, None)
        if kind == "deliver":
            # A run that ends before a destination is back cancels its delivery, and another workflow continues with it.
            reason = "not accepted yet; it is still tried" if reason == "cancelled" else reason
            undelivered = Undelivered(self._destinations.get(key, key), reason)
            self.view.undelivered.append(f"{undelivered.destination}: {reason}")
            return (undelivered,)
        if kind == "ask":
            self.view.rounds[-1].failure = reason
            return (self.view.rounds[-1],)
        if kind in RESERVED:
            return ()
        self.view.add_failure(self.view.calls[key], reason, at)
        return (self.view.calls[key],)

    async def _timer_started(self, event: HistoryEvent, at: datetime) -> Sequence[RunChange]:
        started = event.timer_started_event_attributes
        if not event.user_metadata.HasField("summary"):
            return ()
        summary = await self._decode([event.user_metadata.summary], str)
        found = _APPROVAL_TIMER.match(summary)
        call = self.view.calls.get(found[1]) if found else None
        if call is None:
            return ()
        self._timers[started.timer_id] = call.key
        call.status = "waiting"
        call.approval = Approval("waiting", expires_at=at + started.start_to_fire_timeout.ToTimedelta())
        return (call,)

    def _timer_fired(self, timer_id: str, at: datetime) -> Sequence[RunChange]:
        call = self.view.calls.get(self._timers.get(timer_id, ""))
        if call is None or call.approval is None or call.approval.status != "waiting":
            return ()
        call.status, call.approval.status, call.ended_at = "expired", "expired", at
        return (call,)

    async def _update_completed(self, event: HistoryEvent, at: datetime) -> Sequence[RunChange]:
        completed = event.workflow_execution_update_completed_event_attributes
        request = self._updates.pop(completed.accepted_event_id, None)
        if request is None or completed.outcome.HasField("failure"):
            return ()
        action = await decode_action(request, at, self._converter)
        if action is None:
            return ()
        self.view.actions.append(action)
        if action.kind == "tell" and self.view.is_open:
            self.view.follow_up_pending = True
        if action.kind == "extend":
            self.view.limits = await self._decode(completed.outcome.success.payloads, Limits)
        call = self.view.apply_decision(action) if action.kind == "decide" else None
        return (action,) if call is None or call.status != "denied" else (action, call)

    async def _closed(self, event: HistoryEvent, at: datetime) -> Sequence[RunChange]:
        match event.WhichOneof("attributes"):
            case "workflow_execution_completed_event_attributes":
                result = event.workflow_execution_completed_event_attributes.result.payloads
                return self._ended("Completed", await self._decode(result, RunResult), at)
            case "workflow_execution_failed_event_attributes":
                failure = event.workflow_execution_failed_event_attributes.failure
                details = failure.application_failure_info.details.payloads
                if details:
                    return self._ended("Failed", await self._decode(details, RunResult), at)
                return self._close("Failed", _reason(failure), at)
            case "workflow_execution_canceled_event_attributes":
                reason = self._delivery.reason if self._delivery else "cancelled in Temporal"
                return self._close("Canceled", reason, at)
            case "workflow_execution_terminated_event_attributes":
                given = event.workflow_execution_terminated_event_attributes.reason
                reason = f"terminated in Temporal: {given}" if given else "terminated in Temporal"
                return self._close("Terminated", reason, at)
            case "workflow_execution_timed_out_event_attributes":
                return self._close("TimedOut", "timed out in Temporal", at)
            case _:
                return ()

    def _ended(self, end: TemporalEnd, result: RunResult, at: datetime) -> Sequence[RunChange]:
        view = self.view
        view.undelivered = result.undelivered or view.undelivered
        view.report, view.outcome, view.limits = result.report, result.status, result.limits or view.limits
        return self._close(end, result.reason, at)

    def _close(self, end: TemporalEnd, reason: str | None, at: datetime) -> Sequence[RunChange]:
        view = self.view
        view.outcome = view.outcome or self._outcome
        return (*view.close(end, reason, at), view)

    async def _decode(self, payloads: Iterable[Payload], kind: type[T]) -> T:
        return await decode_first(self._converter, payloads, kind)


def _time(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)


def _reason(failure: Failure) -> str:
    return failure.message or failure.cause.message or "no reason recorded"
