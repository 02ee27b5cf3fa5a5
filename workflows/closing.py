"""Closing a run: its report out to every destination, and how it ended recorded where people look."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TypeVar

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.ending import BUGS, Ending

with workflow.unsafe.imports_passed_through():
    from activities.report import ReportActivities
    from watchkeeper import attributes, options, reporting
    from watchkeeper.contracts import Briefing, CallRecord, Delivery, Destination, Report, RunInput
    from watchkeeper.text import error_text

T = TypeVar("T")

UNBRIEFED: tuple[Destination, ...] = ("log", "directory", "webhook", "page")
"""Where the report of a run goes that did not get as far as its briefing; the worker knows which of them there are."""


def write(given: RunInput, ending: Ending, calls: list[CallRecord], unread: list[str]) -> Report:
    """Write the report: the model's words when it concluded, else what was recorded."""
    reason = ending.reason or ending.status
    try:
        if ending.status == "concluded":
            return reporting.concluded(ending.text, calls, unread)
        return reporting.hand_off(given, calls, reason, ending.text, unread)
    except BUGS as bug:
        workflow.logger.exception("a bug kept the report from being written")
        body = f"{reason}\n\nThe report could not be written ({error_text(bug)}); the run's history holds everything."
        return Report(summary=reason, body=body)


async def deliver(given: RunInput, briefing: Briefing | None, ending: Ending, report: Report) -> list[str]:
    """Deliver the report to each destination by itself; return those that it did not reach, and why.

    Status and summary are left where they can be read without a worker. A run that is cancelled meanwhile is over all
    the same, and its report still goes out. Where none of an operator's destinations takes a report, people are paged.
    """
    workflow.upsert_search_attributes([attributes.STATUS.value_set(ending.status)])
    workflow.upsert_memo({"report": report.summary})
    wanted: list[Destination] = list(briefing.destinations if briefing else UNBRIEFED)
    if ending.status in ("concluded", "stopped") and "page" in wanted:
        wanted.remove("page")
    failed = await _unhurried(asyncio.gather(*(_send(given, ending, report, place) for place in wanted)))
    # A note needs an incident to be written into: it reaches people only where there is one.
    chosen = [why for place, why in zip(wanted, failed, strict=True) if place not in ("log", "page", "pagerduty_note")]
    if chosen and None not in chosen and "page" not in wanted:
        await _unhurried(asyncio.gather(_send(given, ending, report, "page")))
    return [why for why in failed if why is not None]


async def _send(given: RunInput, ending: Ending, report: Report, destination: Destination) -> str | None:
    info = workflow.info()
    delivery = Delivery(
        destination=destination,
        run=info.first_execution_run_id,
        workflow_id=info.workflow_id,
        status=ending.status,
        report=report,
        reason=ending.reason,
        service=given.service,
        severity=given.severity,
    )
    if given.origin is not None:
        delivery = delivery.model_copy(update={"origin": given.origin})
    try:
        await workflow.execute_activity_method(
            ReportActivities.deliver,
            delivery,
            activity_id=f"deliver-{destination}",
            summary=destination,
            **options.DELIVER,
        )
    except ActivityError as error:
        cause = error.cause
        return f"{destination}: {cause.message if isinstance(cause, ApplicationError) else cause}"
    return None


async def _unhurried(delivering: asyncio.Future[T]) -> T:
    """Wait to the end, whoever cancels."""
    while not delivering.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(delivering)
    return delivering.result()
