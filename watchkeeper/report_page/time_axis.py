"""The linear time axis of the timeline (pure)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from watchkeeper.report_page.time_text import tick_label

MAX_TICKS = 10

_STEPS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800),
)
"""Seconds between ticks; more than ten weeks use a multiple of the last step."""

_HALF_LABEL = 28.0
"""Pixels to the left and right of a tick that its label needs."""


@dataclass(frozen=True)
class TimeAxis:
    """The time from ``begin`` to ``end``, drawn from ``left`` to ``right`` in pixels."""

    begin: datetime
    end: datetime
    left: float
    right: float

    def x(self, at: datetime) -> float:
        """Return the place of a time in pixels; for a time outside the axis, the nearer end."""
        share = (at - self.begin) / (self.end - self.begin)
        return self.left + min(max(share, 0.0), 1.0) * (self.right - self.left)

    @property
    def caption(self) -> str:
        """The date at the beginning of the axis, and the time zone."""
        return f"{self.begin.astimezone(UTC):%Y-%m-%d} UTC"

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield the place and the label of each tick; the label has a date where a new day begins."""
        begin, end = self.begin.timestamp(), self.end.timestamp()
        longest = _STEPS[-1] * math.ceil((end - begin) / _STEPS[-1] / MAX_TICKS)
        step = next((step for step in _STEPS if end - begin <= step * MAX_TICKS), longest)
        date = self.begin.astimezone(UTC).date()
        for number in range(math.ceil(begin / step), math.floor(end / step) + 1):
            at = datetime.fromtimestamp(number * step, UTC)
            if self.x(at) + _HALF_LABEL <= self.right + 8:
                yield self.x(at), tick_label(at, step, with_date=at.date() != date)
                date = at.date()
