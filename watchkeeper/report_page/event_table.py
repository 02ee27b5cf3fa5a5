"""The timeline as a list: the same events as in the picture (pure)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from watchkeeper.report_page.report_data import ReportData
from watchkeeper.report_page.report_tables import ReportTable
from watchkeeper.report_page.time_text import time_in_column
from watchkeeper.report_page.timeline_lanes import timeline_lanes
from watchkeeper.text import count, one_line

MAX_EVENTS = 400
"""Events in the list; of a longer run the events in the middle are left out."""

_TEXT_LENGTH = 240
_SHORT_RUN = timedelta(minutes=1)
"""The list has milliseconds if all its events are within this time."""


def event_table(data: ReportData) -> ReportTable:
    """List the events of a run, oldest first."""
    events = sorted(_events(data), key=lambda event: event[0])
    with_milliseconds = not events or events[-1][0] - events[0][0] < _SHORT_RUN
    with_date = len({at.astimezone(UTC).date() for at, _, _ in events}) > 1
    rows = [
        (
            time_in_column(at, with_date=with_date, with_milliseconds=with_milliseconds),
            kind,
            one_line(text, _TEXT_LENGTH),
        )
        for at, kind, text in events
    ]
    note = ""
    if len(rows) > MAX_EVENTS:
        note = f"{count(len(rows) - MAX_EVENTS, 'event')} in the middle are left out."
        rows = [*rows[: MAX_EVENTS // 2], ("", "", f"… {note}"), *rows[-MAX_EVENTS // 2 :]]
    return ReportTable("Timeline", ("UTC", "What", "Event"), rows, note=note, folded="Timeline as a list")


def _events(data: ReportData) -> Iterator[tuple[datetime, str, str]]:
    if data.run.started_at is not None:
        yield data.run.started_at, "run", "the run starts"
    for lane in timeline_lanes(data):
        kind = {"alerts": "alert", "deploys": "deploy", "reports": "report"}.get(lane.name, lane.name)
        for mark in lane.marks:
            yield mark.begin, kind, mark.title
            if mark.style == "resolved":
                yield mark.end, kind, f"{mark.label} is resolved"
    if data.run.closed_at is not None:
        yield data.run.closed_at, "run", "the run ends"
