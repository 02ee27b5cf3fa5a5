"""Closing an investigation: its report out to every destination, and how it ended recorded where people look."""

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

with workflow.unsafe.imports_passed_through():
    from activities.deliver import DeliverActivities
    from watchkeeper.contracts import (
        Briefing,
        CallRecord,
        Destination,
        EpisodeMemo,
        PostedMessage,
        Report,
        ReportDelivery,
        RunInput,
    )
    from watchkeeper.incident import report as incident_report
    from watchkeeper.incident.episode import Episode, firing_ids
    from watchkeeper.temporal import activity_options
    from watchkeeper.text import error_text

T = TypeVar("T")
Posted: TypeAlias = Callable[[], Awaitable[PostedMessage | None]]


@dataclass(frozen=True)
class Sent:
    """What became of a delivery: neither, where the worker does not know the destination."""

    taken: bool = False
    failed: str = ""


UNBRIEFED: tuple[Destination, ...] = ("log", "directory", "webhook", "page", "slack", "pagerduty_note")
"""Where the report of a run goes that did not get as far as its briefing; the worker knows which of them there are."""

OVERDUE = timedelta(minutes=15)
"""When people are paged for the report of such a run, if no destination has taken it."""

ALERTS = 20
"""How many alerts of a group each destination is told."""

EPISODES = 20
"""How many episodes of a group, the latest ones, are remembered."""


def write(
    given: RunInput,
    briefing: Briefing | None,
    ending: Outcome,
    calls: list[CallRecord],
    unread: list[str],
    episode: Episode,
) -> Report:
    """Write the report: the model's words when it concluded, else what was recorded."""
    reason = ending.reason or ending.status
    try:
        follow_ups = briefing.follow_ups if briefing else None
        alerts = incident_report.alert_facts(given, episode, flapping=follow_ups.flapping if follow_ups else 0)
        if ending.status == "concluded":
            return incident_report.concluded_report(ending.text, calls, unread, alerts)
        return incident_report.hand_off_report(given, calls, reason, ending.text, unread, alerts)
    except BUGS as bug:
        workflow.logger.exception("a bug kept the report from being written")
        body = f"{reason}\n\nThe report could not be written ({error_text(bug)}); the run's history holds everything."
        return Report(summary=reason, body=body)


def delivery(given: RunInput, ending: Outcome, report: Report, episode: Episode) -> ReportDelivery:
    """Say what is to be delivered; the destination is set for each."""
    info = workflow.info()
    made = ReportDelivery(
        destination="log",
        run=info.first_execution_run_id,
        workflow_id=info.workflow_id,
        status=ending.status,
        report=report,
        reason=ending.reason,
        service=given.service,
        severity=given.severity,
    )
    known = {"origin": given.origin, "alerts": episode.states[:ALERTS]}
    return made.model_copy(update={name: value for name, value in known.items() if value})


def remember(given: RunInput, ending: Outcome, report: Report, episode: Episode) -> None:
    """Leave the summary where lists read it, and what the group's next episode must know."""
    memo: dict[str, object] = {"report": report.summary}
    if given.origin is not None:
        before = given.origin.previous.began if given.origin.previous else []
        known = workflow.memo_value("episode", None, type_hint=EpisodeMemo)  # by an execution that began earlier
        began = known.began if known else [*before, workflow.info().workflow_start_time.timestamp()][-EPISODES:]
        memo["episode"] = EpisodeMemo(
            status=ending.status, summary=report.summary, began=began, marks=firing_ids(episode.states)
        )
    workflow.upsert_memo(memo)


async def deliver(given: RunInput, briefing: Briefing | None, what: ReportDelivery, posted: Posted) -> list[str]:
    """Deliver a report to each destination by itself; return those that it did not reach, and why.

    ``posted`` waits for the message of the run in its channel, whose thread the report belongs to.

    A run that is cancelled meanwhile is over all the same, and its report still goes out. Where none of an operator's
    destinations takes a report, or none in time, people are paged.
    """
    return await _unhurried(asyncio.create_task(_deliver(given, briefing, what, posted)))


async def _deliver(given: RunInput, briefing: Briefing | None, what: ReportDelivery, posted: Posted) -> list[str]:
    wanted = list(briefing.destinations if briefing else UNBRIEFED if given.origin else UNBRIEFED[:4])
    if (what.status in ("concluded", "stopped") or what.follow_up) and "page" in wanted:
        wanted.remove("page")
    sending: dict[Destination, asyncio.Task[Sent]] = {
        place: asyncio.create_task(_reply(what, posted) if place == "slack" else _send(what, place)) for place in wanted
    }
    # A note needs an incident to be written into: it reaches people only where there is one.
    chosen = [place for place in wanted if place not in ("log", "page", "pagerduty_note")]
    overdue = (OVERDUE.total_seconds() if given.origin else None) if briefing is None else briefing.overdue
    late = overdue is not None and not await _taken(given, sending, timedelta(seconds=overdue))
    if late and "page" not in sending and not what.follow_up:
        sending["page"] = asyncio.create_task(_send(what.model_copy(update={"last_resort": True}), "page"))
    sent = {place: await task for place, task in sending.items()}
    if chosen and "page" not in sent and all(sent[place].failed for place in chosen) and not what.follow_up:
        sent["page"] = await _send(what.model_copy(update={"last_resort": True}), "page")
    if late and given.origin is not None and sent.get("page", Sent()).taken:
        workflow.upsert_memo({"delivered": "page"})
    return [f"{place}: {how.failed}" for place, how in sent.items() if how.failed]


async def _taken(given: RunInput, sending: dict[Destination, asyncio.Task[Sent]], overdue: timedelta) -> bool:
    """Wait until a destination where people look has a report; False if none has it in time, or will ever."""

    def taken() -> list[Destination]:
        known: list[Destination] = [place for place, task in sending.items() if task.done() and task.result().taken]
        return [place for place in known if place not in ("log", "pagerduty_note")]

    def done() -> bool:
        return all(task.done() for task in sending.values())

    with contextlib.suppress(builtins.TimeoutError):
        await workflow.wait_condition(
            lambda: bool(taken()) or done(),
            timeout=overdue,
            timeout_summary="deadline for delivering the report",
        )
    first = taken()[:1]
    if not first and done() and not any(task.result().failed for task in sending.values()):
        first = ["log"]  # there is no other place, so that is where people look
    if first and given.origin is not None:
        workflow.upsert_memo({"delivered": first[0]})
    return bool(first)


async def _reply(what: ReportDelivery, posted: Posted) -> Sent:
    message = await posted()
    return await _send(what.model_copy(update={"message": message}) if message else what, "slack")


async def _send(what: ReportDelivery, destination: Destination) -> Sent:
    part = f"follow-up-{what.follow_up}-" if what.follow_up else ""
    try:
        taken = await workflow.execute_activity_method(
            DeliverActivities.deliver,
            what.model_copy(update={"destination": destination}),
            activity_id=f"deliver-{part}{destination}",
            summary=f"follow-up {what.follow_up} to {destination}" if what.follow_up else f"report to {destination}",
            **activity_options.DELIVER,
        )
    except ActivityError as error:
        cause = error.cause
        return Sent(failed=cause.message if isinstance(cause, ApplicationError) else f"{cause}" or "no answer")
    return Sent(taken=taken)


async def _unhurried(delivering: asyncio.Future[T]) -> T:
    """Wait to the end, whoever cancels."""
    while not delivering.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(delivering)
    return delivering.result()
