"""The worker's log."""

from __future__ import annotations

from temporalio import activity

from watchkeeper.contracts import ReportDelivery


def log_report(delivery: ReportDelivery) -> bool:
    """Write one line about a report."""
    activity.logger.info(
        "%s of %s (%s): %s", delivery.part, delivery.workflow_id, delivery.status, delivery.report.summary
    )
    return True
