"""Reading a view out of a run's history, event by event."""

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
    ToolResult,
)
from watchkeeper.incident.episode import Episode
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
)
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.update_decoder import decode_action
from watchkeeper.temporal.history import decode_first
from watchkeeper.tool_calling.reserved_names import RESERVED

T = TypeVar("T")
RunChange: TypeAlias = (
    RunView | QueueWait | Round | Call | CompactedMessages | PersonAction | RunReset | AlertsChanged | FollowUp
)
"""What an event changed: the view itself when it begins, is briefed, is reported or ends."""

_APPROVAL_TIMER = re.compile(r"^(r\d+\.\d+) ")


class RunProjection:
    """A view in the telling. Feed it the events of all executions of a run, in order.

    A run that is reset meanwhile is told anew: what it repeats of itself changes the view, and nothing is told of it.
    """

    def __init__(self, converter: DataConverter) -> None:
        self.view = RunView()
        self.event_count = 0
        """Told so far."""
        self.task_failure = ""
        """Why no worker can carry the run on, as the last one to try found; empty when one has."""
        self._repeating = False
        self._converter = converter
        self._delivery: ReportDelivery | None = None
        self._forget()

    def _forget(self) -> None:
        """Event ids and timer ids mean something within one execution only."""
        self._activities: dict[int, tuple[str, str]] = {}
        self._timers: dict[str, str] = {}
        self._requests: dict[str, Request] = {}
        self._updates: dict[int, Request] = {}

    async def add(self, event: HistoryEvent, run_id: str = "") -> Sequence[RunChange]:
        """Take the next event of the execution ``run_id``; return what it changed, in order."""
        self.event_count += 1
        told = await self._add(event, _time(event.event_time), run_id)
        return () if self._repeating else told

    def activity_id(self, event: HistoryEvent) -> str:
        """Return the id of the activity that an event to come is of, such as ``r1.0``; empty for other events."""
        about = getattr(event, event.WhichOneof("attributes") or "", None)
        return self._activities.get(getattr(about, "scheduled_event_id", 0), ("", ""))[1]

    async def _add(self, event: HistoryEvent, at: datetime, run_id: str) -> Sequence[RunChange]:
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                return await self._started(event, at, run_id)
            case "workflow_task_completed_event_attributes":
                self.task_failure = ""
            case "workflow_task_failed_event_attributes":
                return self._task_failed(event.workflow_task_failed_event_attributes, run_id)
            case "activity_task_scheduled_event_attributes":
                return await self._scheduled(event, at)
            case "activity_task_started_event_attributes":
                started = event.activity_task_started_event_attributes
                self._attempted(*self._activities[started.scheduled_event_id], started)
            case "activity_task_completed_event_attributes":
                completed = event.activity_task_completed_event_attributes
                made_by = self._activities[completed.scheduled_event_id]
                return await self._completed(*made_by, completed.result.payloads, at)
            case "activity_task_failed_event_attributes":
                failed = event.activity_task_failed_event_attributes
                return self._gave_up(*self._activities[failed.scheduled_event_id], _why(failed.failure), at)
            case "activity_task_timed_out_event_attributes":
                late = event.activity_task_timed_out_event_attributes
                why = f"no answer in time ({_why(late.failure)})"
                return self._gave_up(*self._activities[late.scheduled_event_id], why, at)
            case "activity_task_canceled_event_attributes":
                cancelled = event.activity_task_canceled_event_attributes
                return self._gave_up(*self._activities[cancelled.scheduled_event_id], "cancelled", at)
            case "timer_started_event_attributes":
                return await self._timer(event, at)
            case "timer_fired_event_attributes":
                return self._expired(event.timer_fired_event_attributes.timer_id, at)
            case "workflow_execution_signaled_event_attributes":
                return await self._signalled(event, at)
            case "workflow_execution_update_admitted_event_attributes":
                request = event.workflow_execution_update_admitted_event_attributes.request
                self._requests[request.meta.update_id] = request
            case "workflow_execution_update_accepted_event_attributes":
                accepted = event.workflow_execution_update_accepted_event_attributes
                # After a reset the request stands in the event that admitted it, and is left out here.
                known = self._requests.get(accepted.protocol_instance_id)
                self._updates[event.event_id] = known or accepted.accepted_request
            case "workflow_execution_update_completed_event_attributes":
                return await self._updated(event, at)
            case _:
                return await self._closed(event, at)
        return ()

    async def _started(self, event: HistoryEvent, at: datetime, run_id: str) -> Sequence[RunChange]:
        started = event.workflow_execution_started_event_attributes
        given = await self._decode(started.input.payloads, RunInput)
        self._forget()
        if self.view.run_id and self.view.run_id != started.continued_execution_run_id:
            self._repeating, self._delivery = True, None
            vars(self.view).update(vars(RunView()))
        view, first = self.view, not self.view.run_id
        view.run_id = run_id or started.original_execution_run_id
        if not first:
            return ()
        view.workflow_id, view.first_run_id = started.workflow_id, started.first_execution_run_id
        view.run_input, view.started_at = given, at
        if (carried := given.carried) is not None:
            view.started_at = datetime.fromtimestamp(carried.started_at, UTC)
            view.used_earlier = carried.spent
            view.brief(carried.briefing, carried.limits)
            view.episode = Episode(carried.alerts)
            if carried.reported is not None:
                view.conclude(carried.reported.report)
            for record in carried.calls:
                number = int(record.key[1:].partition(".")[0])
                view.calls[record.key] = Call(record.key, number, record.name, record.arguments, record.status)
                view.calls[record.key].result = record.finding
        return (view,)

    async def _signalled(self, event: HistoryEvent, at: datetime) -> Sequence[RunChange]:
        signal = event.workflow_execution_signaled_event_attributes
        if signal.signal_name == "admit" and (turn := self.view.queue_wait) is not None and turn.admitted_at is None:
            turn.admitted_at = at
            return (turn,)
        if signal.signal_name != "alert":
            return ()
        try:
            told = await self._decode(signal.input.payloads, AlertNotification)
        except ValueError:  # sent by hand, and no notification: the run has dropped it, too
            return ()
        episode = self.view.episode
        episode.apply(told)
        changed = episode.take_unread()
        return (AlertsChanged(changed, at),) if changed else ()

    def _task_failed(self, failed: TaskFailed, run_id: str) -> Sequence[RunChange]:
        if failed.cause != Cause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW:
            self.task_failure = _why(failed.failure)
            return ()
        if failed.new_run_id == run_id:
            self._repeating = False
        return (RunReset(failed.failure.message),)

    async def _scheduled(self, event: HistoryEvent, at: datetime) -> Sequence[RunChange]:
        scheduled = event.activity_task_scheduled_event_attributes
        kind, key = scheduled.activity_type.name, scheduled.activity_id
        self._activities[event.event_id] = (kind, key)
        payloads = scheduled.input.payloads
        match kind:
            case "ask":
                request = await self._decode(payloads, ModelRequest)
                settled = self.view.append(request.append)
                self.view.rounds.append(Round(request.round, asked_at=at))
                self.view.follow_up_pending = self.view.is_open
                return settled
            case "compact":
                return self.view.append((await self._decode(payloads, CompactRequest)).append)
            case "carry":
                return self.view.append((await self._decode(payloads, CarryRequest)).append)
            case "deliver":
                return self._delivered(await self._decode(payloads, ReportDelivery), at)
            case _ if kind not in RESERVED:
                self.view.calls[key].started_at, self.view.calls[key].status = at, "running"
        return ()

    def _delivered(self, delivery: ReportDelivery, at: datetime) -> Sequence[RunChange]:
        """Take what goes to one of several destinations, once."""
        view = self.view
        if delivery.follow_up:
            if any(answered.number == delivery.follow_up for answered in view.follow_ups):
                return ()
            question = delivery.question or ""
            answered = FollowUp(delivery.follow_up, question, delivery.status, delivery.report, at)
            view.follow_up(answered)
            return (answered,)
        known, self._delivery = self._delivery is not None, delivery
        if known:
            return ()
        return (view,) if view.conclude(delivery.report) else ()

    def _attempted(self, kind: str, key: str, started: ActivityStarted) -> None:
        if kind != "ask" and kind in RESERVED:
            return
        tried = self.view.rounds[-1] if kind == "ask" else self.view.calls[key]
        tried.attempts, failure = started.attempt, started.last_failure
        if failure.HasField("timeout_failure_info"):
            tried.last_failure = "its worker fell silent"
        elif started.attempt > 1:
            tried.last_failure = _why(failure)

    async def _completed(self, kind: str, key: str, result: Iterable[Payload], at: datetime) -> Sequence[RunChange]:
        view = self.view
        match kind:
            case "brief":
                briefing = await self._decode(result, Briefing)
                view.brief(briefing, briefing.limits)
                if briefing.turns is not None:
                    view.queue_wait = QueueWait(briefing.turns.queue, at)
                return (view,)
            case "ask":
                calls = view.answer(view.rounds[-1], await self._decode(result, ModelReply), at)
                return (view.rounds[-1], *(call for call in calls if call.status not in UNFINISHED))
            case "compact":
                made = await self._decode(result, CompactionResult)
                return (CompactedMessages(made.replaced),) if made.replaced else ()
            case _ if kind in RESERVED:
                return ()
            case _:
                view.settle(view.calls[key], await self._decode(result, ToolResult), at)
                return (view.calls[key],)

    def _gave_up(self, kind: str, key: str, why: str, at: datetime) -> Sequence[RunChange]:
        if kind == "ask":
            self.view.rounds[-1].failure = why
            return (self.view.rounds[-1],)
        if kind in RESERVED:
            return ()
        self.view.give_up(self.view.calls[key], why, at)
        return (self.view.calls[key],)

    async def _timer(self, event: HistoryEvent, at: datetime) -> Sequence[RunChange]:
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

    def _expired(self, timer_id: str, at: datetime) -> Sequence[RunChange]:
        call = self.view.calls.get(self._timers.get(timer_id, ""))
        if call is None or call.approval is None or call.approval.status != "waiting":
            return ()
        call.status, call.approval.status, call.ended_at = "expired", "expired", at
        return (call,)

    async def _updated(self, event: HistoryEvent, at: datetime) -> Sequence[RunChange]:
        completed = event.workflow_execution_update_completed_event_attributes
        request = self._updates.pop(completed.accepted_event_id, None)
        if request is None or completed.outcome.HasField("failure"):
            return ()
        act = await decode_action(request, at, self._converter)
        if act is None:
            return ()
        self.view.actions.append(act)
        if act.kind == "tell" and self.view.is_open:
            self.view.follow_up_pending = True
        if act.kind == "extend":
            self.view.limits = await self._decode(completed.outcome.success.payloads, Limits)
        call = self.view.decide(act) if act.kind == "decide" else None
        return (act,) if call is None or call.status != "denied" else (act, call)

    async def _closed(self, event: HistoryEvent, at: datetime) -> Sequence[RunChange]:
        view, delivery = self.view, self._delivery
        match event.WhichOneof("attributes"):
            case "workflow_execution_completed_event_attributes":
                result = event.workflow_execution_completed_event_attributes.result.payloads
                return self._ended(await self._decode(result, RunResult), at)
            case "workflow_execution_failed_event_attributes":
                failure = event.workflow_execution_failed_event_attributes.failure
                details = failure.application_failure_info.details.payloads
                if details:
                    return self._ended(await self._decode(details, RunResult), at)
                return (*view.end("failed", _why(failure), at), view)
            case "workflow_execution_canceled_event_attributes":
                reason = delivery.reason if delivery else "cancelled in Temporal"
                return (*view.end("stopped", reason, at), view)
            case "workflow_execution_terminated_event_attributes":
                because = event.workflow_execution_terminated_event_attributes.reason
                reason = f"terminated in Temporal: {because}" if because else "terminated in Temporal"
                return (*view.end("stopped", reason, at), view)
            case "workflow_execution_timed_out_event_attributes":
                return (*view.end("failed", "timed out in Temporal", at), view)
            case _:
                return ()

    def _ended(self, result: RunResult, at: datetime) -> Sequence[RunChange]:
        self.view.report, self.view.limits = result.report, result.limits or self.view.limits
        return (*self.view.end(result.status, result.reason, at), self.view)

    async def _decode(self, payloads: Iterable[Payload], kind: type[T]) -> T:
        return await decode_first(self._converter, payloads, kind)


def _time(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)


def _why(failure: Failure) -> str:
    return failure.message or failure.cause.message or "no reason recorded"
