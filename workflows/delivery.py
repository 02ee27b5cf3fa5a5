"""Delivery: the report of a run, written, sent to every destination and recorded in the memo."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeAlias, TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

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
    from watchkeeper.incident.episode import firing_ids
    from watchkeeper.incident.recorded_facts import PagePlan, facts_block
    from watchkeeper.temporal import activity_options
    from watchkeeper.text import error_text

T = TypeVar("T")
WaitUntilPosted: TypeAlias = Callable[[], Awaitable[PostedMessage | None]]

UNBRIEFED: tuple[Destination, ...] = ("log", "directory", "webhook", "page", "slack", "pagerduty_note")
"""Destinations of a run that has no briefing. The worker knows which of them are configured."""

OVERDUE = timedelta(minutes=15)
"""When people are paged for the report of such a run, if no destination has accepted it."""

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
    return facts_block(
        state.tool_calls.records, briefing.tools, PagePlan(why if is_possible else None, is_possible), limit
    )


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
    memo: dict[str, object] = {"report": report.summary}
    origin = state.input.origin
    if origin is not None:
        earlier = origin.previous.began if origin.previous else []
        recorded = workflow.memo_value("episode", None, type_hint=EpisodeMemo)  # by an earlier execution of the run
        this = workflow.info().workflow_start_time.timestamp()
        began = recorded.began if recorded else [*earlier, this][-MAX_EPISODES:]
        memo["episode"] = EpisodeMemo(
            status=outcome.status, summary=report.summary, began=began, marks=firing_ids(state.episode.states)
        )
    workflow.upsert_memo(memo)


async def deliver(
    run_input: RunInput,
    briefing: Briefing | None,
    delivery: ReportDelivery,
    wait_until_posted: WaitUntilPosted,
    on_accepted: Callable[[], None],
) -> list[str]:
    """Deliver a report to each destination; return the destinations that failed, and why.

    ``wait_until_posted`` returns the run's message in its channel: the report is posted in its thread.

    A cancelled run has ended all the same, and its report is still delivered. If no destination of the operator accepts
    a report or an answer about alerts that joined, or none in time, people are paged. ``on_accepted`` is called when a
    destination that people read, or a page, has been accepted.
    """
    delivering = asyncio.create_task(_deliver(run_input, briefing, delivery, wait_until_posted, on_accepted))
    return await _ignoring_cancellation(delivering)


async def _deliver(
    run_input: RunInput,
    briefing: Briefing | None,
    delivery: ReportDelivery,
    wait_until_posted: WaitUntilPosted,
    on_accepted: Callable[[], None],
) -> list[str]:
    destinations: list[Destination] = list(
        briefing.destinations if briefing else UNBRIEFED if run_input.origin else UNBRIEFED[:4]
    )
    is_answer = delivery.follow_up > 0
    if "page" in destinations and not wakes_people(
        run_input, briefing, delivery.status, delivery.wake, is_answer=is_answer
    ):
        destinations.remove("page")
    must_reach_people = not delivery.follow_up or delivery.joined > 0
    last_resort = delivery.model_copy(update={"last_resort": True})
    sending: dict[Destination, asyncio.Task[DeliveryResult]] = {
        destination: asyncio.create_task(
            _send_to_thread(delivery, wait_until_posted) if destination == "slack" else _send(delivery, destination)
        )
        for destination in destinations
    }
    # A note needs a PagerDuty incident: it reaches people only where there is one.
    chosen = [destination for destination in destinations if destination not in ("log", "page", "pagerduty_note")]
    overdue = (OVERDUE.total_seconds() if run_input.origin else None) if briefing is None else briefing.overdue
    late = overdue is not None and not await _accepted_in_time(
        run_input, sending, timedelta(seconds=overdue), on_accepted
    )
    if late and "page" not in sending and must_reach_people:
        sending["page"] = asyncio.create_task(_send(last_resort, "page"))
    results = {destination: await task for destination, task in sending.items()}
    all_failed = all(results[destination].error for destination in chosen)
    if chosen and "page" not in results and all_failed and must_reach_people:
        results["page"] = await _send(last_resort, "page")
    if late and run_input.origin is not None and results.get("page", DeliveryResult()).accepted:
        workflow.upsert_memo({"delivered": "page"})
        on_accepted()
    return [f"{destination}: {result.error}" for destination, result in results.items() if result.error]


async def _accepted_in_time(
    run_input: RunInput,
    sending: dict[Destination, asyncio.Task[DeliveryResult]],
    overdue: timedelta,
    on_accepted: Callable[[], None],
) -> bool:
    """Wait until a destination that people read has accepted the report; False if none does, or none in time."""

    def accepted() -> list[Destination]:
        found: list[Destination] = [name for name, task in sending.items() if task.done() and task.result().accepted]
        return [name for name in found if name not in ("log", "pagerduty_note")]

    def done() -> bool:
        return all(task.done() for task in sending.values())

    with contextlib.suppress(builtins.TimeoutError):
        await workflow.wait_condition(
            lambda: bool(accepted()) or done(),
            timeout=overdue,
            timeout_summary="deadline for delivering the report",
        )
    first = accepted()[:1]
    if not first and done() and not any(task.result().error for task in sending.values()):
        first = ["log"]  # no other destination is configured, so people read the log
    if first and run_input.origin is not None:
        workflow.upsert_memo({"delivered": first[0]})
        on_accepted()
    return bool(first)


async def _send_to_thread(delivery: ReportDelivery, wait_until_posted: WaitUntilPosted) -> DeliveryResult:
    message = await wait_until_posted()
    return await _send(delivery.model_copy(update={"message": message}) if message else delivery, "slack")


async def _send(delivery: ReportDelivery, destination: Destination) -> DeliveryResult:
    number = delivery.follow_up
    try:
        accepted = await workflow.execute_activity_method(
            DeliverActivities.deliver,
            delivery.model_copy(update={"destination": destination}),
            activity_id=f"deliver-follow-up-{number}-{destination}" if number else f"deliver-{destination}",
            summary=f"follow-up {number} to {destination}" if number else f"report to {destination}",
            **activity_options.DELIVER,
        )
    except ActivityError as error:
        cause = error.cause
        return DeliveryResult(error=cause.message if isinstance(cause, ApplicationError) else f"{cause}" or "no answer")
    return DeliveryResult(accepted=accepted)


async def _ignoring_cancellation(future: asyncio.Future[T]) -> T:
    """Wait for a future to the end, even if the run is cancelled meanwhile."""
    while not future.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(future)
    return future.result()
