"""The words of the watchdog's pages."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from watchkeeper.text import excerpt
from watchkeeper.watchdog.models import WatchedIncident

TITLE_BYTES = 300
SUMMARY_BYTES = 900
"""PagerDuty takes 1,024 characters."""

TITLES = 10
"""First titles that a page about many incidents names in its details."""


@dataclass(frozen=True)
class DuePage:
    """An incident that people must be told of, and why."""

    watched: WatchedIncident
    why: str
    look: str
    """What the person who is woken looks at first."""


def summary(due: DuePage) -> str:
    """Say what is known of one incident."""
    watched = due.watched
    taken = "accepted" if watched.run_id else "refused"
    title = excerpt(watched.title, TITLE_BYTES)
    said = f"{title}: {taken} at {format_time(watched.accepted_at)} and no report: {due.why}. {due.look}"
    return excerpt(said, SUMMARY_BYTES)


def summary_of_many(dues: Sequence[DuePage]) -> str:
    """Say how many incidents there are besides those that were paged singly."""
    first = "; ".join(excerpt(due.watched.title, 80) for due in dues[:3])
    more = f" and {len(dues) - 3} more" if len(dues) > 3 else ""
    number = f"{len(dues)} more incident{'s' if len(dues) > 1 else ''} without a report"
    return excerpt(f"{number}: {dues[0].why}. {first}{more}. {_look(dues)}", SUMMARY_BYTES)


def details(due: DuePage) -> dict[str, str]:
    """Return what else is known of one incident."""
    watched = due.watched
    known = {
        "workflow": watched.workflow_id,
        "run": watched.run_id,
        "service": watched.service,
        "severity": watched.severity,
        "at": format_time(watched.accepted_at),
        "why": due.why,
        "look": due.look,
    }
    return {name: value for name, value in known.items() if value}


def details_of_many(dues: Sequence[DuePage]) -> dict[str, str]:
    """Return the first of many incidents by their workflow ids."""
    first = {due.watched.workflow_id: excerpt(due.watched.title, TITLE_BYTES) for due in dues[:TITLES]}
    return {"incidents": str(len(dues)), "why": dues[0].why, "look": _look(dues), **first}


def _look(dues: Sequence[DuePage]) -> str:
    looks = {due.look for due in dues}
    return looks.pop() if len(looks) == 1 else "See `watchkeeper list`"


def format_time(at: float) -> str:
    """Write a moment as people on call read it: ``03:12 UTC``."""
    return f"{datetime.fromtimestamp(at, UTC):%H:%M} UTC"


def format_duration(seconds: float) -> str:
    """Write how long something has lasted: ``40 s``, ``5 min``, ``3 h``."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7_200 else f"{seconds / 3_600:.0f} h"
