"""Texts about alerts that joined a group after the report of its run (pure)."""

from __future__ import annotations

from collections.abc import Sequence

from watchkeeper.contracts import AlertState, Report, ReportDelivery
from watchkeeper.incident import alert_text
from watchkeeper.text import excerpt

TITLES_BYTES = 200
SUMMARY_BYTES = 400


def limit_reason(limit: int) -> str:
    """Say why alerts are not investigated. ``limit``: how often a run investigates alerts that join."""
    return f"the run investigates alerts that join only so often: the limit is {limit} times (episodes.joining)"


def notice(alerts: Sequence[AlertState], why: str, workflow_id: str) -> Report:
    """Return the notice about alerts that no investigation looks at."""
    lines = [
        f"**Not investigated:** {why}.",
        "",
        "**Alerts:**",
        "",
        *alert_text.for_people(alerts),
        "",
        f"**Next step:** look at them, or ask the run about them: `watchkeeper tell {workflow_id} TEXT`.",
    ]
    return Report(summary=excerpt(f"Not investigated: {headline(alerts)}", SUMMARY_BYTES), body="\n".join(lines))


def headline(alerts: Sequence[AlertState]) -> str:
    """Return how many alerts joined, and their first titles, in one line."""
    number = "an alert joined" if len(alerts) == 1 else f"{len(alerts)} alerts joined"
    return f"{number}: {excerpt('; '.join(alert.title for alert in alerts), TITLES_BYTES)}"


def addressed(delivery: ReportDelivery, alerts: Sequence[AlertState], severity: str | None) -> ReportDelivery:
    """Return a delivery as one about alerts that joined. ``severity``: of the worst of them."""
    about, summary = headline(alerts), delivery.report.summary
    update: dict[str, object] = {"joined": len(alerts), "severity": severity}
    if delivery.wake is not None and not summary.endswith(about):
        summary = excerpt(f"{about}; {summary}", SUMMARY_BYTES)
        update["report"] = delivery.report.model_copy(update={"summary": summary})
    if delivery.incident is not None:
        update["incident"] = delivery.incident.model_copy(update={"title": about, "severity": severity})
    return delivery.model_copy(update=update)
