"""The worker's log."""

from __future__ import annotations

from temporalio import activity

from watchkeeper.contracts import ReportDelivery
from watchkeeper.incident.claim_text import unsupported_line
from watchkeeper.text import harmless, one_line

LINE = 2_000
"""Most characters of a line."""


def log_report(delivery: ReportDelivery) -> bool:
    """Write one line about a report."""
    report = delivery.report
    status = f"{delivery.status}: {report.verdict}" if report.verdict else delivery.status
    check = f" ({line})" if (line := unsupported_line(report.unsupported)) else ""
    line = one_line(harmless(f"{status}): {report.summary}{check}"), LINE)
    activity.logger.info("%s of %s (%s", delivery.part, delivery.workflow_id, line)
    return True
