"""Where a moment stands in the picture: time runs evenly, but for stretches in which nothing happens (pure).

A run of seconds may follow a deploy of yesterday and be asked more in the evening. What lies between is drawn as a
narrow gap that says how long it is, so that what happened has the room.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

GAP = 38.0
"""Width of a stretch in which nothing happens."""

MOST_GAPS = 6

_EMPTY = 0.3
"""A stretch gives way when it is longer than this part of all that stays."""

_STEPS = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1_800),
    *(3_600, 7_200, 10_800, 21_600, 43_200, 86_400, 172_800, 604_800),
)
_TICK = 76.0
"""Room of a time under the axis."""

_OVER = 60.0
"""How far the first time may reach under the names of the lanes."""

_LETTER = 6.8
_DAY = 86_400


@dataclass(frozen=True)
class Stretch:
    """A part of the axis: its seconds, its place, and whether nothing happens in it."""

    begin: float
    end: float
    left: float
    right: float
    empty: bool

    def place(self, moment: float) -> float:
        """Return where a moment of it stands."""
        return self.left + (moment - self.begin) / (self.end - self.begin) * (self.right - self.left)


@dataclass(frozen=True)
class Scale:
    """The axis; its moments are Unix seconds."""

    stretches: Sequence[Stretch]

    def place(self, moment: float) -> float:
        """Return where a moment stands; what is earlier or later than all stands at the end."""
        within = min(max(moment, self.stretches[0].begin), self.stretches[-1].end)
        index = bisect_right([stretch.begin for stretch in self.stretches], within) - 1
        return self.stretches[max(0, index)].place(within)

    @property
    def gaps(self) -> list[Stretch]:
        """The stretches in which nothing happens."""
        return [stretch for stretch in self.stretches if stretch.empty]

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Give the places at which the axis names a time (UTC), and the time."""
        day, free = f"{_utc(self.stretches[-1].end):%d %b}", self.stretches[0].left - _OVER
        for stretch in self.stretches:
            if stretch.empty:
                continue
            fits = max(1.0, (stretch.right - stretch.left) / _TICK)
            step = next((s for s in _STEPS if (stretch.end - stretch.begin) / s <= fits), _STEPS[-1])
            first = -(-stretch.begin // step)
            moments = [moment for n in range(int(fits) + 2) if (moment := (first + n) * step) <= stretch.end]
            if not moments:
                moments, step = [(stretch.begin + stretch.end) / 2], max(step, 60)
            for moment in moments:
                label = _time(moment, step)
                today = f"{_utc(moment):%d %b}"
                if today != day and step < _DAY:
                    label = f"{today} {label}"
                place, half = stretch.place(moment), len(label) * _LETTER / 2
                if place - half >= free and place + half <= self.stretches[-1].right + 7:
                    yield place, label
                    day, free = today, place + half + 8


def scale(moments: Iterable[float], busy: Iterable[tuple[float, float]], left: float, right: float) -> Scale:
    """Make an axis on which moments and busy times have their places between two ends."""
    spans = [*((moment, moment) for moment in moments), *busy]
    first, last = min(begin for begin, _ in spans), max(end for _, end in spans)
    parts = _parts(sorted(spans), first, last)
    room = right - left - GAP * sum(empty for *_, empty in parts)
    seconds = sum(end - begin for begin, end, empty in parts if not empty)
    stretches, x = list[Stretch](), left
    for begin, end, empty in parts:
        width = GAP if empty else (end - begin) / seconds * room
        stretches.append(Stretch(begin, end, x, x + width, empty))
        x += width
    return Scale(stretches)


def _parts(spans: Sequence[tuple[float, float]], first: float, last: float) -> list[tuple[float, float, bool]]:
    quiet, reached = list[tuple[float, float]](), first
    for begin, end in spans:
        if begin > reached:
            quiet.append((reached, begin))
        reached = max(reached, end)
    gaps, stays = list[tuple[float, float]](), last - first
    for begin, end in sorted(quiet, key=lambda gap: gap[0] - gap[1])[:MOST_GAPS]:
        if end - begin <= _EMPTY * (stays - (end - begin)):
            break
        gaps.append((begin, end))
        stays -= end - begin
    pad = max(stays * 0.02, 0.02)
    parts, at = list[tuple[float, float, bool]](), first - pad
    for begin, end in sorted(gaps):
        inner = min(pad, (end - begin) / 4)
        parts += [(at, begin + inner, False), (begin + inner, end - inner, True)]
        at = end - inner
    return [*parts, (at, last + pad, False)]


def _time(moment: float, step: float) -> str:
    at = _utc(moment)
    if step < 1:
        return f"{at:%H:%M:%S}.{at.microsecond // 10_000:02}"
    return f"{at:%H:%M:%S}" if step < 60 else f"{at:%H:%M}" if step < _DAY else f"{at:%d %b}"


def _utc(moment: float) -> datetime:
    return datetime.fromtimestamp(moment, UTC)
