"""The timeline of a run: when each round began, and the size of the history at that time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from temporalio.api.history.v1 import HistoryEvent


@dataclass
class Timeline:
    """One entry per model request. Times are the server's, so all contenders share a clock."""

    request_times: list[float] = field(default_factory=list)
    """Unix seconds."""
    size: list[int] = field(default_factory=list)
    """Bytes recorded before."""
    events: list[int] = field(default_factory=list)
    """Events recorded before."""
    started: float = 0.0
    """Unix seconds of the start of the run."""

    @property
    def to_first_request(self) -> float:
        """Seconds from the start of the run to the first model request."""
        return self.request_times[0] - self.started

    @property
    def rounds(self) -> list[float]:
        """Seconds from each model request to the next."""
        return [after - before for before, after in zip(self.request_times, self.request_times[1:], strict=False)]


def read_timeline(history: Iterable[HistoryEvent]) -> Timeline:
    """Read the history of one execution."""
    timeline = Timeline()
    size = 0
    for number, event in enumerate(history):
        at = event.event_time.ToNanoseconds() / 1e9
        if number == 0:
            timeline.started = at
        if event.activity_task_scheduled_event_attributes.activity_type.name == "ask":
            timeline.request_times.append(at)
            timeline.size.append(size)
            timeline.events.append(number)
        size += event.ByteSize()
    return timeline


def windows(rounds: int) -> dict[str, range]:
    """Name an early, a middle and a late tenth of the rounds (1-10, 45-55 and 90-100 of a hundred); from 0."""
    tenth = max(1, rounds // 10)
    middle = max(0, rounds // 2 - tenth // 2 - 1)
    spans = (range(tenth), range(middle, min(rounds, middle + tenth + 1)), range(max(0, rounds - tenth - 1), rounds))
    return {f"{span.start + 1}-{span.stop}": span for span in spans}
