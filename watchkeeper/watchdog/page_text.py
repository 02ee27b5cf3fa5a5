"""Texts of the watchdog's pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from watchkeeper.text import excerpt
from watchkeeper.watchdog.models import WatchedIncident

TITLE_BYTES = 300
SUMMARY_BYTES = 900
"""PagerDuty allows 1,024 characters."""

TITLES = 10
"""How many incidents the details of a page about several incidents name."""


@dataclass(frozen=True)
class DuePage:
    """An incident for which people must be paged."""

    incident: WatchedIncident
    reason: str
    remedy: str
    """What the paged person checks first."""


def summary(page: DuePage) -> str:
    """Return the summary of a page for one incident."""
    incident = page.incident
    outcome = "joined" if incident.joined else "accepted" if incident.run_id else "refused"
    missing = "no answer" if incident.joined else "no report"
    title = excerpt(incident.title, TITLE_BYTES)
    text = f"{title}: {outcome} at {format_time(incident.accepted_at)} and {missing}: {page.reason}. {page.remedy}"
    return excerpt(text, SUMMARY_BYTES)


def summary_of_many(pages: Sequence[DuePage]) -> str:
    """Return the summary of one page for all incidents beyond the first ones."""
    first = "; ".join(excerpt(page.incident.title, 80) for page in pages[:3])
    more = f" and {len(pages) - 3} more" if len(pages) > 3 else ""
    number = f"{len(pages)} more incident{'s' if len(pages) > 1 else ''} without a report"
    return excerpt(f"{number}: {pages[0].reason}. {first}{more}. {_remedy(pages)}", SUMMARY_BYTES)


def details(page: DuePage) -> dict[str, str]:
    """Return the details of a page for one incident."""
    incident = page.incident
    values = {
        "workflow": incident.workflow_id,
        "run": incident.run_id,
        "service": incident.service,
        "severity": incident.severity,
        "at": format_time(incident.accepted_at),
        "why": page.reason,
        "look": page.remedy,
    }
    return {name: value for name, value in values.items() if value}


def details_of_many(pages: Sequence[DuePage]) -> dict[str, str]:
    """Return the details of a page for many incidents: the first ones, by workflow id."""
    first = {page.incident.workflow_id: excerpt(page.incident.title, TITLE_BYTES) for page in pages[:TITLES]}
    return {"incidents": str(len(pages)), "why": pages[0].reason, "look": _remedy(pages), **first}


def _remedy(pages: Sequence[DuePage]) -> str:
    remedies = {page.remedy for page in pages}
    return remedies.pop() if len(remedies) == 1 else "See `watchkeeper list`"


def format_time(at: float) -> str:
    """Return a time as people on call read it: ``03:12 UTC``."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M} UTC"
