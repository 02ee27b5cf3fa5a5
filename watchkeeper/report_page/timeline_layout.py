"""Where each part of the timeline picture is, in pixels; ``templates/timeline.svg`` draws it (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import groupby
from unicodedata import east_asian_width

from watchkeeper.report_page.report_data import ReportData
from watchkeeper.report_page.time_axis import TimeAxis
from watchkeeper.report_page.timeline_lanes import Lane, Mark, MarkStyle, timeline_lanes
from watchkeeper.text import count, one_line

LEFT, RIGHT = 146.0, 992.0
MAX_ROWS, MAX_MARKS = 5, 100
"""A lane with more rows or marks is drawn as a strip."""

_ROW, _LANE_GAP, _TOP = 20.0, 9.0, 8.0
_LETTER, _HALF_POINT, _MIN_BAR, _STRIP_CELL = 6.3, 6.0, 3.0, 6
_LABEL_LENGTH, _LANE_NAME_LENGTH, _TITLE_LENGTH = 28, 20, 200

STYLES: dict[MarkStyle, tuple[str, str]] = {
    "firing": ("alert fires", ""),
    "resolved": ("alert, resolved", ""),
    "deploy": ("deploy", ""),
    "model": ("model call", ""),
    "ok": ("call, ok", ""),
    "approval-wait": ("waited for approval", ""),
    "running": ("running", ""),
    "person": ("person acts", ""),
    "report": ("report", ""),
    "waiting": ("waits for approval", "…"),
    "rejected": ("never run", "⊘"),
    "denied": ("denied", "⊘"),
    "expired": ("no decision in time", "⊘"),
    "error": ("call failed", "✗"),
    "model-failed": ("no answer", "✗"),
    "unknown": ("outcome unknown", "?"),
}
"""Text in the legend, and a sign for readers who cannot tell colours apart. In a strip, later styles cover earlier."""


@dataclass(frozen=True)
class DrawnMark:
    """A bar, or the shape of a moment if ``width`` is 0; with its label it is between ``left`` and ``right``."""

    style: MarkStyle
    title: str
    x: float
    width: float
    inside: str = ""
    beside: str = ""
    beside_x: float = 0.0
    is_before: bool = False
    """Whether the label beside the mark ends at ``beside_x``; otherwise it begins there."""
    left: float = 0.0
    right: float = 0.0
    y: float = 0.0
    """Distance from the top of the lane."""


@dataclass(frozen=True)
class DrawnLane:
    """A lane, between ``y`` and ``y + height``."""

    name: str
    y: float
    height: float
    marks: Sequence[DrawnMark]


@dataclass(frozen=True)
class TimelineLayout:
    """The whole picture."""

    axis: TimeAxis
    axis_y: float
    lanes: Sequence[DrawnLane]
    run_begin: float
    run_end: float
    legend: Sequence[tuple[MarkStyle, str]]
    is_cut: bool
    """Whether something began before or ended after the time of the axis."""


def timeline_layout(data: ReportData) -> TimelineLayout | None:
    """Lay out the timeline of a run; None if nothing can be drawn yet."""
    lanes, begin = timeline_lanes(data), data.run.started_at
    if begin is None or not lanes:
        return None
    marks = [mark for lane in lanes for mark in lane.marks]
    axis = _axis(data, begin, marks)
    drawn, y = list[DrawnLane](), _TOP
    for lane in lanes:
        drawn.append(_lane(lane, axis, y))
        y += drawn[-1].height
    used = {mark.style for mark in marks}
    legend: list[tuple[MarkStyle, str]] = [(style, text) for style, (text, _) in STYLES.items() if style in used]
    is_cut = any(mark.begin < axis.begin or mark.end > axis.end for mark in marks)
    return TimelineLayout(axis, y, drawn, axis.x(begin), axis.x(data.until), legend, is_cut)


def _axis(data: ReportData, begin: datetime, marks: Sequence[Mark]) -> TimeAxis:
    """Cover the investigation, events before it within its duration, and events after it within three times that.

    Otherwise an old deploy or an alert that resolves a day later would leave no room for the investigation.
    """
    end = max(begin, data.reported_at or data.until)
    duration = max(end - begin, timedelta(seconds=1))
    times = [time for mark in marks for time in (mark.begin, mark.end)]
    times = [begin, end, *(time for time in times if begin - duration <= time <= end + 3 * duration)]
    margin = max((max(times) - min(times)) * 0.02, timedelta(milliseconds=20))
    return TimeAxis(min(times) - margin, max(times) + margin, LEFT, RIGHT)


def _lane(lane: Lane, axis: TimeAxis, y: float) -> DrawnLane:
    if len(lane.marks) <= MAX_MARKS:
        marks = _in_rows([_mark(mark, axis) for mark in lane.marks])
        height = max(mark.y for mark in marks) + _ROW
        if height <= MAX_ROWS * _ROW:
            return DrawnLane(one_line(lane.name, _LANE_NAME_LENGTH), y, height + _LANE_GAP, marks)
    number = f" × {len(lane.marks):,}"
    name = one_line(lane.name, _LANE_NAME_LENGTH - len(number)) + number
    return DrawnLane(name, y, _ROW + _LANE_GAP, list(_strip(lane.marks, axis)))


def _mark(mark: Mark, axis: TimeAxis) -> DrawnMark:
    x, width, (_, sign) = axis.x(mark.begin), 0.0, STYLES[mark.style]
    earlier, later = "◂ " if mark.begin < axis.begin else "", " ▸" if mark.end > axis.end else ""
    label = f"{earlier}{one_line(mark.label, _LABEL_LENGTH)}{later}"
    inside, beside, left, right = "", sign or label, x - _HALF_POINT, x + _HALF_POINT
    if mark.begin != mark.end:
        width = max(_MIN_BAR, axis.x(mark.end) - x)
        x = left = min(x, RIGHT - width)
        right = x + width
        inside = label if _text_width(label) + 8 <= width else ""
        beside = label if mark.style in ("firing", "resolved") and not inside else sign
    room = _text_width(beside) + 3 if beside else 0.0
    is_before = right + room > RIGHT
    beside_x = left - 3 if is_before else right + 3
    left, right = (left - room, right) if is_before else (left, right + room)
    title = one_line(mark.title, _TITLE_LENGTH)
    return DrawnMark(mark.style, title, x, width, inside, beside, beside_x, is_before, left, right)


def _in_rows(marks: Sequence[DrawnMark]) -> list[DrawnMark]:
    """Put each mark into the first row in which it and its label cover no other."""
    row_ends, placed = list[float](), list[DrawnMark]()
    for mark in sorted(marks, key=lambda mark: mark.left):
        row = next((row for row, end in enumerate(row_ends) if end + 1 <= mark.left), len(row_ends))
        row_ends[row : row + 1] = [mark.right]
        placed.append(replace(mark, y=row * _ROW))
    return placed


def _strip(marks: Sequence[Mark], axis: TimeAxis) -> Iterator[DrawnMark]:
    """Return one bar for each part of the lane in which marks of a style are, however many marks there are."""
    for style, (text, _) in STYLES.items():
        if same := [mark for mark in marks if mark.style == style]:
            spans = [(int(axis.x(mark.begin)) // _STRIP_CELL, int(axis.x(mark.end)) // _STRIP_CELL) for mark in same]
            cells = sorted({cell for first, last in spans for cell in range(first, last + 1)})
            for _, run in groupby(enumerate(cells), lambda item: item[1] - item[0]):
                part = [cell for _, cell in run]
                title = f"{text}: {count(len(same), 'event')} in this lane"
                yield DrawnMark(style, title, float(part[0] * _STRIP_CELL), float(len(part) * _STRIP_CELL))


def _text_width(text: str) -> float:
    """Estimate the width of a text; wide East Asian letters need 1.8 times as much as others."""
    return sum(_LETTER * (1.8 if east_asian_width(letter) in "WF" else 1) for letter in text)
