"""The worker's log."""

from __future__ import annotations

from temporalio import activity

from watchkeeper.contracts import ReportDelivery
from watchkeeper.incident.claim_text import unsupported_line


def log_report(delivery: ReportDelivery) -> bool:
    """Write one line about a report."""
    report = delivery.report
    status = f"{delivery.status}: {report.verdict}" if report.verdict else delivery.status
    check = f" ({line})" if (line := unsupported_line(report.unsupported)) else ""
    activity.logger.info("%s of %s (%s): %s%s", delivery.part, delivery.workflow_id, status, report.summary, check)
    return True
