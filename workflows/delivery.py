"""Delivery: the report of a run, written, sent to every destination and recorded in the memo."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.conditions import wait_although_cancelled
from workflows.outcome import BUGS, Outcome
from workflows.state import RunState

with workflow.unsafe.imports_passed_through():
    from activities.deliver import DeliverActivities
    from watchkeeper.contracts import (
        Briefing,
        Destination,
        EpisodeMemo,
        PostedMessage,
        Report,
        ReportDelivery,
        RunInput,
        RunStatus,
    )
    from watchkeeper.incident import report as incident_report
    from watchkeeper.incident.compact_alerts import firing_ids, short_firing_ids
    from watchkeeper.incident.handled_firings import remembered_alerts
    from watchkeeper.incident.recorded_facts import PagePlan, facts_block
    from watchkeeper.temporal import activity_options
    from watchkeeper.text import error_text, harmless

T = TypeVar("T")
WaitUntilPosted: TypeAlias = Callable[[], Awaitable[PostedMessage | None]]

UNBRIEFED: tuple[Destination, ...] = ("log", "directory", "webhook", "page", "slack", "pagerduty_note")
"""Destinations of a run that has no briefing. The worker knows which of them are configured."""

OVERDUE = timedelta(minutes=15)
"""When people are paged for the report of such a run, if no destination has accepted it."""

REFUSED = "ReportRefused"
"""Type of the error of a destination that will never accept a report."""

MAX_ALERTS = 20
"""How many alerts of a group each destination receives."""

MAX_EPISODES = 20
"""How many episodes of a group, the latest ones, the memo keeps."""


@dataclass(frozen=True)
class DeliveryResult:
    """What one destination did with a delivery. Neither is set where the worker does not know the destination."""

    accepted: bool = False
    error: str = ""


def write_report(state: RunState, outcome: Outcome, run_input: RunInput, unread_texts: list[str]) -> Report:
    """Write a report: the model's conclusion, else what was recorded.

    ``run_input`` is that of the run, or its question in a follow-up; ``unread_texts`` never reached the model.
    """
    reason = outcome.reason or outcome.status
    calls = state.tool_calls.records
    try:
        follow_ups = state.briefing.follow_ups if state.briefing else None
        alerts = incident_report.alert_facts(
            run_input, state.episode, flapping=follow_ups.flapping if follow_ups else 0
        )
        facts = _facts(state, outcome)
        if outcome.status == "concluded":
            return incident_report.concluded_report(outcome.text, calls, unread_texts, alerts, outcome.review, facts)
        return incident_report.hand_off_report(
            run_input, calls, reason, outcome.text, unread_texts, alerts, outcome.review, facts
        )
    except BUGS as bug:
        workflow.logger.exception("a bug kept the report from being written")
        body = f"{reason}\n\nThe report could not be written ({error_text(bug)}); the run's history holds everything."
        return Report(summary=reason, body=body)


def _facts(state: RunState, outcome: Outcome) -> list[str]:
    """Return the facts block; empty for a run that an earlier version briefed, which recorded less."""
    briefing = state.briefing
    if briefing is None or briefing.conclusions is None:
        return []
    is_possible = "page" in briefing.destinations
    is_answer = state.follow_up is not None
    wakes = wakes_people(state.input, briefing, outcome.status, outcome.wake, is_answer=is_answer)
    why = outcome.wake or "no conclusion" if wakes else None
    limit = outcome.reason if outcome.status == "limit_reached" else None
    on_call = briefing.pages.on_call if briefing.pages else None
    plan = PagePlan(why if is_possible else None, on_call, is_possible)
    return facts_block(state.tool_calls.records, briefing.tools, plan, limit)


def wakes_people(
    run_input: RunInput, briefing: Briefing | None, status: RunStatus, wake: str | None, *, is_answer: bool
) -> bool:
    """Return whether people are paged with a report, or with the answer to a follow-up."""
    if wake is not None:
        return True
    if is_answer or status in ("concluded", "stopped"):
        return False
    # A person who asked reads that a limit was reached. Versions without rules for pages woke another person, too.
    asked = briefing is not None and briefing.pages is not None and run_input.origin is None
    return not (asked and status == "limit_reached")


def make_delivery(state: RunState, outcome: Outcome, report: Report) -> ReportDelivery:
    """Return what is to be delivered; ``deliver`` sets the destination."""
    info, run_input = workflow.info(), state.input
    delivery = ReportDelivery(
        destination="log",
        run=info.first_execution_run_id,
        workflow_id=info.workflow_id,
        status=outcome.status,
        report=report,
        reason=outcome.reason,
        service=run_input.service,
        severity=run_input.severity,
    )
    gate = state.page_gate()
    optional = {
        "origin": run_input.origin,
        "alerts": state.episode.states[:MAX_ALERTS],
        "wake": outcome.wake,
        "incident": gate and gate.incident(state.tool_calls.records),
        "refused": state.briefing is None and run_input.origin is None and outcome.status == "failed",
    }
    return delivery.model_copy(update={name: value for name, value in optional.items() if value})


def record_in_memo(state: RunState, outcome: Outcome, report: Report) -> None:
    """Record the summary, which lists show, and what the next episode of the group needs to know."""
    summary = harmless(report.summary)
    memo: dict[str, object] = {"report": summary}
    origin = state.input.origin
    if origin is not None:
        earlier = origin.previous.began if origin.previous else []
        recorded = workflow.memo_value("episode", None, type_hint=EpisodeMemo)  # by an earlier execution of the run
        this = workflow.info().workflow_start_time.timestamp()
        began = recorded.began if recorded else [*earlier, this][-MAX_EPISODES:]
        alerts = state.episode.states
        episode = EpisodeMemo(status=outcome.status, summary=summary, began=began, marks=firing_ids(alerts))
        kept = {
            "more": short_firing_ids(alerts),
            "alerts": remembered_alerts(state.episode.titled),
            "messages": state.episode.messages,
        }
        memo["episode"] = episode.model_copy(update={name: value for name, value in kept.items() if value})
    workflow.upsert_memo(memo)


class SharedReport:
    """A report in the arguments of its deliveries: the first one has it, the others name the first one."""

    def __init__(self) -> None:
        self._first: str | None = None

    def start_delivery(self, delivery: ReportDelivery, destination: Destination) -> workflow.ActivityHandle[bool]:
        """Start to deliver it to one destination. A cancelled delivery ends once no attempt is under way."""
        number = delivery.follow_up
        activity_id = f"deliver-follow-up-{number}-{destination}" if number else f"deliver-{destination}"
        argument = delivery.model_copy(update={"destination": destination})
        if self._first is None:
            self._first = activity_id
        else:
            argument = argument.without_report(self._first)
        return workflow.start_activity_method(
            DeliverActivities.deliver,
            argument,
            activity_id=activity_id,
            summary=f"follow-up {number} to {destination}" if number else f"report to {destination}",
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            **activity_options.DELIVER,
        )


class SentReport:
    """One report or answer on its way to all its destinations at once. A cancelled run delivers it all the same.

    If no destination of the operator accepts a report or an answer about alerts that joined, or none in time, people
    are paged.
    """

    def __init__(
        self,
        run_input: RunInput,
        briefing: Briefing | None,
        delivery: ReportDelivery,
        wait_until_posted: WaitUntilPosted,
        on_accepted: Callable[[], None],
    ) -> None:
        """Begin to deliver.

        ``wait_until_posted`` returns the run's message in its channel: the report is posted in its thread.
        ``on_accepted`` is called when a destination that people read, or a page, has been accepted.
        """
        self.delivery = delivery
        self.late: list[Destination] = []
        """Destinations that had not accepted it when the run handed it over, and did not refuse it."""
        self._run_input = run_input
        self._briefing = briefing
        self._wait_until_posted = wait_until_posted
        self._on_accepted = on_accepted
        self._shared = SharedReport()
        self._sending: dict[Destination, asyncio.Task[DeliveryResult]] = {}
        self._is_decided = False
        self._is_handed_over = False
        self._since = workflow.time()
        self._delivering = asyncio.create_task(self._deliver_although_cancelled())

    @property
    def is_done(self) -> bool:
        """Whether every destination has accepted or refused it."""
        return self._delivering.done()

    @property
    def is_settled(self) -> bool:
        """Whether people have it, or were paged because they do not, or it is overdue: the rest may come later."""
        page = self._sending.get("page")
        return self.is_done or (self._is_decided and (page is None or page.done()))

    @property
    def seconds_to_overdue(self) -> float:
        """Seconds until the run waits no longer for the page either."""
        overdue = self._overdue()
        return max(0.0, self._since + (OVERDUE.total_seconds() if overdue is None else overdue) - workflow.time())

    async def results(self) -> list[str]:
        """Wait to the end. Returns the destinations that failed, and why."""
        return await self._delivering

    async def hand_over(self) -> None:
        """Stop delivering, so that another workflow can continue with the destinations in ``late``."""
        self._is_handed_over = True
        await self.results()

    def _overdue(self) -> float | None:
        if self._briefing is not None:
            return self._briefing.overdue
        return OVERDUE.total_seconds() if self._run_input.origin else None

    def _destinations(self) -> list[Destination]:
        briefing, delivery = self._briefing, self.delivery
        destinations: list[Destination] = list(
            briefing.destinations if briefing else UNBRIEFED if self._run_input.origin else UNBRIEFED[:4]
        )
        if "page" in destinations and not wakes_people(
            self._run_input, briefing, delivery.status, delivery.wake, is_answer=delivery.follow_up > 0
        ):
            destinations.remove("page")
        return destinations

    async def _deliver_although_cancelled(self) -> list[str]:
        return await _ignoring_cancellation(asyncio.create_task(self._deliver()))

    async def _deliver(self) -> list[str]:
        delivery, sending, destinations = self.delivery, self._sending, self._destinations()
        must_reach_people = not delivery.follow_up or delivery.joined > 0
        last_resort = delivery.model_copy(update={"last_resort": True})
        for destination in destinations:
            sending[destination] = asyncio.create_task(
                self._send_to_thread() if destination == "slack" else self._send(delivery, destination)
            )
        # A note needs a PagerDuty incident: it reaches people only where there is one.
        chosen = [destination for destination in destinations if destination not in ("log", "page", "pagerduty_note")]
        overdue = self._overdue()
        late = overdue is not None and not await self._accepted_in_time(overdue)
        if late and "page" not in sending and must_reach_people:
            sending["page"] = asyncio.create_task(self._send(last_resort, "page"))
        self._is_decided = True
        results = {destination: await task for destination, task in sending.items()}
        all_failed = all(results[destination].error for destination in chosen)
        if chosen and "page" not in results and all_failed and must_reach_people:
            results["page"] = await self._send(last_resort, "page")
        if late and self._run_input.origin is not None and results.get("page", DeliveryResult()).accepted:
            workflow.upsert_memo({"delivered": "page"})
            self._on_accepted()
        return [f"{destination}: {result.error}" for destination, result in results.items() if result.error]

    async def _accepted_in_time(self, overdue: float) -> bool:
        """Wait until a destination that people read has accepted it; False if none does, or none in time."""
        sending = self._sending

        def accepted() -> list[Destination]:
            found: list[Destination] = [
                name for name, task in sending.items() if task.done() and task.result().accepted
            ]
            return [name for name in found if name not in ("log", "pagerduty_note")]

        def done() -> bool:
            return all(task.done() for task in sending.values())

        await wait_although_cancelled(lambda: bool(accepted()) or done(), overdue, "deadline for delivering the report")
        first = accepted()[:1]
        if not first and done() and not any(task.result().error for task in sending.values()):
            first = ["log"]  # no other destination is configured, so people read the log
        if first and self._run_input.origin is not None:
            workflow.upsert_memo({"delivered": first[0]})
            self._on_accepted()
        return bool(first)

    async def _send_to_thread(self) -> DeliveryResult:
        message = await self._wait_until_posted()
        if message is not None:
            self.delivery = self.delivery.model_copy(update={"message": message})
        return await self._send(self.delivery, "slack")

    async def _send(self, delivery: ReportDelivery, destination: Destination) -> DeliveryResult:
        if self._is_handed_over:
            return self._note_late(destination)
        sending = self._shared.start_delivery(delivery, destination)
        await wait_although_cancelled(lambda: sending.done() or self._is_handed_over)
        if not sending.done():
            sending.cancel()
        try:
            return DeliveryResult(accepted=await sending)
        except ActivityError as error:
            # The last attempt may have failed before it was cancelled, and Temporal does not repeat it then.
            if self._is_handed_over and not _is_refusal(error):
                return self._note_late(destination)
            return failed_delivery(error)

    def _note_late(self, destination: Destination) -> DeliveryResult:
        self.late.append(destination)
        return DeliveryResult(error="not accepted yet; it is still tried")


def _is_refusal(error: ActivityError) -> bool:
    return isinstance(error.cause, ApplicationError) and error.cause.type == REFUSED


def failed_delivery(error: ActivityError) -> DeliveryResult:
    """Return the result of a delivery that failed for good."""
    cause = error.cause
    return DeliveryResult(error=cause.message if isinstance(cause, ApplicationError) else f"{cause}" or "no answer")


async def _ignoring_cancellation(future: asyncio.Future[T]) -> T:
    """Wait for a future to the end, even if the run is cancelled meanwhile."""
    while not future.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(future)
    return future.result()
