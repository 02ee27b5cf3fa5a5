"""Closing a run: its report out, and how it ended recorded where people look."""

from __future__ import annotations

import asyncio
import contextlib

from temporalio import workflow

from workflows.ending import Ending

with workflow.unsafe.imports_passed_through():
    from activities.report import ReportActivities
    from watchkeeper import attributes, options, reporting
    from watchkeeper.contracts import CallRecord, Delivery, Report, RunInput


def write(given: RunInput, ending: Ending, calls: list[CallRecord]) -> Report:
    """Write the report: the model's words when it concluded, else what was recorded."""
    if ending.status == "concluded":
        return reporting.concluded(ending.text, calls)
    return reporting.hand_off(given, calls, ending.reason or ending.status)


async def deliver(given: RunInput, ending: Ending, report: Report) -> None:
    """Deliver the report, and leave status and summary where they can be read without a worker.

    A run that is cancelled meanwhile is over all the same, and its report still goes out.
    """
    delivering = asyncio.create_task(_deliver(given, ending, report))
    while not delivering.done():
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.shield(delivering)
    delivering.result()


async def _deliver(given: RunInput, ending: Ending, report: Report) -> None:
    workflow.upsert_search_attributes([attributes.STATUS.value_set(ending.status)])
    workflow.upsert_memo({"report": report.summary})
    info = workflow.info()
    await workflow.execute_activity_method(
        ReportActivities.deliver,
        Delivery(
            run=info.first_execution_run_id,
            workflow_id=info.workflow_id,
            status=ending.status,
            report=report,
            reason=ending.reason,
            service=given.service,
            severity=given.severity,
        ),
        activity_id="deliver",
        **options.DELIVER,
    )
