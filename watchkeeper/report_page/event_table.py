"""The run as a list of moments: what the picture shows, for whom a picture says nothing (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime

from watchkeeper.console import count, one_line
from watchkeeper.report_page.data import Account
from watchkeeper.report_page.tables import Table
from watchkeeper.report_page.timeline_lanes import Mark, lanes

MOST = 400
"""Moments of a list; of a longer run the middle is left out."""

_WORDS = 240
_SHORT = 60.0
"""Seconds below which a run's moments are told to the millisecond."""


def timeline(account: Account) -> Table:
    """List what happened, in order."""
    told = sorted(_told(account), key=lambda one: one[0])
    short = not told or told[-1][0] - told[0][0] < _SHORT
    days = len({_utc(at).date() for at, _, _ in told}) > 1
    rows = [(_time(at, days=days, short=short), kind, one_line(words, _WORDS)) for at, kind, words in told]
    note = ""
    if len(rows) > MOST:
        note = f"{count(len(rows) - MOST, 'moment')} in the middle are left out."
        rows = [*rows[: MOST // 2], ("", "", f"… {note}"), *rows[-MOST // 2 :]]
    return Table("Timeline", ("UTC", "What", "In words"), rows, note=note)


def _told(account: Account) -> Iterator[tuple[float, str, str]]:
    story = account.story
    if story.started_at is not None:
        yield story.started_at.timestamp(), "run", "the run starts"
    for lane in lanes(account):
        kind = {"alerts": "alert", "deploys": "deploy", "reports": "report"}.get(lane.name, lane.name)
        for mark in lane.marks:
            yield mark.begin, kind, mark.title
            yield from _end(kind, mark)
    if story.closed_at is not None:
        yield story.closed_at.timestamp(), "run", "the run is over"


def _end(kind: str, mark: Mark) -> Sequence[tuple[float, str, str]]:
    return [(mark.end, kind, f"{mark.label} is resolved")] if mark.look == "resolved" else []


def _time(at: float, *, days: bool, short: bool) -> str:
    moment = _utc(at)
    day = f"{moment:%Y-%m-%d} " if days else ""
    return f"{day}{moment:%H:%M:%S}" + (f".{moment.microsecond // 1_000:03}" if short else "")


def _utc(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
