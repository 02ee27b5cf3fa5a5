"""Reading a story out of a run's history, event by event."""

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
    UNSETTLED,
    Act,
    AlertsChanged,
    Approval,
    Call,
    FollowUp,
    Reset,
    Round,
    Summary,
    Turn,
)
from watchkeeper.run_view.model import Story
from watchkeeper.run_view.update_decoder import act_of
from watchkeeper.temporal.history import decode
from watchkeeper.tool_calling.reserved_names import RESERVED

T = TypeVar("T")
Told: TypeAlias = Story | Turn | Round | Call | Summary | Act | Reset | AlertsChanged | FollowUp
"""What an event changed: the story itself when it begins, is briefed, is reported or ends."""

_APPROVAL_TIMER = re.compile(r"^(r\d+\.\d+) ")


class Telling:
    """A story in the telling. Feed it the events of all executions of a run, in order.

    A run that is reset meanwhile is told anew: what it repeats of itself changes the story, and nothing is told of it.
    """

    def __init__(self, converter: DataConverter) -> None:
        self.story = Story()
        self.events = 0
        """Told so far."""
        self.failing = ""
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

    async def add(self, event: HistoryEvent, run_id: str = "") -> Sequence[Told]:
        """Take the next event of the execution ``run_id``; return what it changed, in order."""
        self.events += 1
        told = await self._add(event, _time(event.event_time), run_id)
        return () if self._repeating else told

    def activity(self, event: HistoryEvent) -> str:
        """Return the id of the activity that an event to come is of, such as ``r1.0``; empty for other events."""
        about = getattr(event, event.WhichOneof("attributes") or "", None)
        return self._activities.get(getattr(about, "scheduled_event_id", 0), ("", ""))[1]

    async def _add(self, event: HistoryEvent, at: datetime, run_id: str) -> Sequence[Told]:
        match event.WhichOneof("attributes"):
            case "workflow_execution_started_event_attributes":
                return await self._started(event, at, run_id)
            case "workflow_task_completed_event_attributes":
                self.failing = ""
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

    async def _started(self, event: HistoryEvent, at: datetime, run_id: str) -> Sequence[Told]:
        started = event.workflow_execution_started_event_attributes
        given = await self._decode(started.input.payloads, RunInput)
        self._forget()
        if self.story.run_id and self.story.run_id != started.continued_execution_run_id:
            self._repeating, self._delivery = True, None
            vars(self.story).update(vars(Story()))
        story, first = self.story, not self.story.run_id
        story.run_id = run_id or started.original_execution_run_id
        if not first:
            return ()
        story.workflow_id, story.first_run_id = started.workflow_id, started.first_execution_run_id
        story.given, story.started_at = given, at
        if (carried := given.carried) is not None:
            story.started_at = datetime.fromtimestamp(carried.started_at, UTC)
            story.earlier = carried.spent
            story.brief(carried.briefing, carried.limits)
            story.episode = Episode(carried.alerts)
            if carried.reported is not None:
                story.conclude(carried.reported.report)
            for record in carried.calls:
                number = int(record.key[1:].partition(".")[0])
                story.calls[record.key] = Call(record.key, number, record.name, record.arguments, record.status)
                story.calls[record.key].result = record.finding
        return (story,)

    async def _signalled(self, event: HistoryEvent, at: datetime) -> Sequence[Told]:
        signal = event.workflow_execution_signaled_event_attributes
        if signal.signal_name == "admit" and (turn := self.story.turn) is not None and turn.until is None:
            turn.until = at
            return (turn,)
        if signal.signal_name != "alert":
            return ()
        try:
            told = await self._decode(signal.input.payloads, AlertNotification)
        except ValueError:  # sent by hand, and no notification: the run has dropped it, too
            return ()
        episode = self.story.episode
        episode.take(told)
        changed = episode.read()
        return (AlertsChanged(changed, at),) if changed else ()

    def _task_failed(self, failed: TaskFailed, run_id: str) -> Sequence[Told]:
        if failed.cause != Cause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW:
            self.failing = _why(failed.failure)
            return ()
        if failed.new_run_id == run_id:
            self._repeating = False
        return (Reset(failed.failure.message),)

    async def _scheduled(self, event: HistoryEvent, at: datetime) -> Sequence[Told]:
        scheduled = event.activity_task_scheduled_event_attributes
        kind, key = scheduled.activity_type.name, scheduled.activity_id
        self._activities[event.event_id] = (kind, key)
        payloads = scheduled.input.payloads
        match kind:
            case "ask":
                request = await self._decode(payloads, ModelRequest)
                settled = self.story.append(request.append)
                self.story.rounds.append(Round(request.round, asked_at=at))
                self.story.asked_more = self.story.is_open
                return settled
            case "compact":
                return self.story.append((await self._decode(payloads, CompactRequest)).append)
            case "carry":
                return self.story.append((await self._decode(payloads, CarryRequest)).append)
            case "deliver":
                return self._delivered(await self._decode(payloads, ReportDelivery), at)
            case _ if kind not in RESERVED:
                self.story.calls[key].started_at, self.story.calls[key].status = at, "running"
        return ()

    def _delivered(self, delivery: ReportDelivery, at: datetime) -> Sequence[Told]:
        """Take what goes to one of several destinations, once."""
        story = self.story
        if delivery.follow_up:
            if any(answered.number == delivery.follow_up for answered in story.follow_ups):
                return ()
            question = delivery.question or ""
            answered = FollowUp(delivery.follow_up, question, delivery.status, delivery.report, at)
            story.follow_up(answered)
            return (answered,)
        known, self._delivery = self._delivery is not None, delivery
        if known:
            return ()
        return (story,) if story.conclude(delivery.report) else ()

    def _attempted(self, kind: str, key: str, started: ActivityStarted) -> None:
        if kind != "ask" and kind in RESERVED:
            return
        tried = self.story.rounds[-1] if kind == "ask" else self.story.calls[key]
        tried.attempts, failure = started.attempt, started.last_failure
        if failure.HasField("timeout_failure_info"):
            tried.retried = "its worker fell silent"
        elif started.attempt > 1:
            tried.retried = _why(failure)

    async def _completed(self, kind: str, key: str, result: Iterable[Payload], at: datetime) -> Sequence[Told]:
        story = self.story
        match kind:
            case "brief":
                briefing = await self._decode(result, Briefing)
                story.brief(briefing, briefing.limits)
                if briefing.turns is not None:
                    story.turn = Turn(briefing.turns.queue, at)
                return (story,)
            case "ask":
                calls = story.answer(story.rounds[-1], await self._decode(result, ModelReply), at)
                return (story.rounds[-1], *(call for call in calls if call.status not in UNSETTLED))
            case "compact":
                made = await self._decode(result, CompactionResult)
                return (Summary(made.replaced),) if made.replaced else ()
            case _ if kind in RESERVED:
                return ()
            case _:
                story.settle(story.calls[key], await self._decode(result, ToolResult), at)
                return (story.calls[key],)

    def _gave_up(self, kind: str, key: str, why: str, at: datetime) -> Sequence[Told]:
        if kind == "ask":
            self.story.rounds[-1].failure = why
            return (self.story.rounds[-1],)
        if kind in RESERVED:
            return ()
        self.story.give_up(self.story.calls[key], why, at)
        return (self.story.calls[key],)

    async def _timer(self, event: HistoryEvent, at: datetime) -> Sequence[Told]:
        started = event.timer_started_event_attributes
        if not event.user_metadata.HasField("summary"):
            return ()
        summary = await self._decode([event.user_metadata.summary], str)
        found = _APPROVAL_TIMER.match(summary)
        call = self.story.calls.get(found[1]) if found else None
        if call is None:
            return ()
        self._timers[started.timer_id] = call.key
        call.status = "waiting"
        call.approval = Approval("waiting", expires_at=at + started.start_to_fire_timeout.ToTimedelta())
        return (call,)

    def _expired(self, timer_id: str, at: datetime) -> Sequence[Told]:
        call = self.story.calls.get(self._timers.get(timer_id, ""))
        if call is None or call.approval is None or call.approval.status != "waiting":
            return ()
        call.status, call.approval.status, call.ended_at = "expired", "expired", at
        return (call,)

    async def _updated(self, event: HistoryEvent, at: datetime) -> Sequence[Told]:
        completed = event.workflow_execution_update_completed_event_attributes
        request = self._updates.pop(completed.accepted_event_id, None)
        if request is None or completed.outcome.HasField("failure"):
            return ()
        act = await act_of(request, at, self._converter)
        if act is None:
            return ()
        self.story.acts.append(act)
        if act.kind == "tell" and self.story.is_open:
            self.story.asked_more = True
        if act.kind == "extend":
            self.story.limits = await self._decode(completed.outcome.success.payloads, Limits)
        call = self.story.decide(act) if act.kind == "decide" else None
        return (act,) if call is None or call.status != "denied" else (act, call)

    async def _closed(self, event: HistoryEvent, at: datetime) -> Sequence[Told]:
        story, delivery = self.story, self._delivery
        match event.WhichOneof("attributes"):
            case "workflow_execution_completed_event_attributes":
                result = event.workflow_execution_completed_event_attributes.result.payloads
                return self._ended(await self._decode(result, RunResult), at)
            case "workflow_execution_failed_event_attributes":
                failure = event.workflow_execution_failed_event_attributes.failure
                details = failure.application_failure_info.details.payloads
                if details:
                    return self._ended(await self._decode(details, RunResult), at)
                return (*story.end("failed", _why(failure), at), story)
            case "workflow_execution_canceled_event_attributes":
                reason = delivery.reason if delivery else "cancelled in Temporal"
                return (*story.end("stopped", reason, at), story)
            case "workflow_execution_terminated_event_attributes":
                because = event.workflow_execution_terminated_event_attributes.reason
                reason = f"terminated in Temporal: {because}" if because else "terminated in Temporal"
                return (*story.end("stopped", reason, at), story)
            case "workflow_execution_timed_out_event_attributes":
                return (*story.end("failed", "timed out in Temporal", at), story)
            case _:
                return ()

    def _ended(self, result: RunResult, at: datetime) -> Sequence[Told]:
        self.story.report, self.story.limits = result.report, result.limits or self.story.limits
        return (*self.story.end(result.status, result.reason, at), self.story)

    async def _decode(self, payloads: Iterable[Payload], kind: type[T]) -> T:
        return await decode(self._converter, payloads, kind)


def _time(timestamp: Timestamp) -> datetime:
    return timestamp.ToDatetime(tzinfo=UTC)


def _why(failure: Failure) -> str:
    return failure.message or failure.cause.message or "no reason recorded"
