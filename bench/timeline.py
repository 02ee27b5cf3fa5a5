"""The timeline of a run: when each round began, and the size of the history at that time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from temporalio.api.history.v1 import HistoryEvent

MARKS = (10, 50, 100, 200)
AROUND = 5
"""Rounds before and after a mark over which its time is taken."""


@dataclass
class Timeline:
    """One entry per model request. Times are the server's, so all contenders share a clock."""

    request_times: list[float] = field(default_factory=list)
    """Unix seconds."""
    size: list[int] = field(default_factory=list)
    """Bytes recorded before."""
    events: list[int] = field(default_factory=list)
    """Events recorded before."""

    @property
    def rounds(self) -> list[float]:
        """Seconds from each model request to the next."""
        return [after - before for before, after in zip(self.request_times, self.request_times[1:], strict=False)]


def read_timeline(history: Iterable[HistoryEvent], ask: str) -> Timeline:
    """Read the events of a run, whose activity ``ask`` asks the model."""
    timeline = Timeline()
    size = 0
    for number, event in enumerate(history):
        if event.activity_task_scheduled_event_attributes.activity_type.name == ask:
            timeline.request_times.append(event.event_time.ToNanoseconds() / 1e9)
            timeline.size.append(size)
            timeline.events.append(number)
        size += event.ByteSize()
    return timeline


def window(mark: int, rounds: int) -> range:
    """Return the ten rounds around the round with this number, counted from 0, or as many of them as a run has."""
    return range(max(0, mark - AROUND), min(rounds, mark + AROUND))


def marks(rounds: int) -> list[int]:
    """Return the numbers of the rounds at which runs are compared, as far as a run of this length has them."""
    return [mark for mark in MARKS if mark <= rounds] or [rounds]
