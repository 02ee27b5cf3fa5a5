"""Where the marks of a lane stand, so that none hides another: in rows, or counted where they are too many (pure)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from unicodedata import east_asian_width

from watchkeeper.console import one_line
from watchkeeper.report_page.time_axis import Scale
from watchkeeper.report_page.timeline_lanes import Lane, Look, Mark

ROWS = 5
"""Most rows of a lane."""

LETTER = 6.3
"""Width of a letter."""

POINT = 6.0
"""Half the width of a moment."""

BIN = 9.0
NARROWEST = 4.0

_LONGEST = 28
"""Most letters beside a mark."""

_FINE: frozenset[Look] = frozenset({"ok", "asks", "resolved", "firing", "deploy", "act", "report", "running"})
"""What needs no sign beside its bar."""

_WORST: tuple[Look, ...] = (
    "unknown",
    "failed",
    "error",
    "expired",
    "denied",
    "rejected",
    "waiting",
    "waited",
    "firing",
)
SIGNS: dict[Look, str] = {
    **{"error": "✗", "failed": "✗", "unknown": "?", "rejected": "⊘", "denied": "⊘", "expired": "⊘"},
    **{"waiting": "…"},
}
"""What stands beside a bar that did not end well, for whom colours say nothing."""


@dataclass(frozen=True)
class Place:
    """A mark in its row; from ``left`` to ``right`` it takes the room."""

    mark: Mark
    x: float
    width: float
    row: int = 0
    inside: str = ""
    at: float = 0.0
    """Where what stands inside begins."""
    beside: str = ""
    before: bool = False
    """Whether what stands beside it stands before it."""

    @property
    def left(self) -> float:
        """Where its room begins."""
        begin = self.x - POINT if not self.width else self.x
        return begin - _wide(self.beside) - 4 if self.before and self.beside else begin

    @property
    def right(self) -> float:
        """Where its room ends."""
        end = self.x + (self.width or POINT)
        return end if self.before or not self.beside else end + _wide(self.beside) + 4


@dataclass(frozen=True)
class Bin:
    """Marks that are too many to be drawn one by one."""

    x: float
    share: float
    """Of the marks of the fullest one, 0 to 1."""
    look: Look
    """The worst of them."""
    title: str


def placed(lane: Lane, scale: Scale, right: float) -> list[Place] | list[Bin]:
    """Lay a lane out, with what stands beside its marks if there is room for that."""
    places = [_place(mark, scale, right) for mark in lane.marks]
    bare = [replace(place, beside=SIGNS.get(place.mark.look, "")) for place in places]
    for attempt in (places, bare):
        rows = _rows(attempt)
        if max(place.row for place in rows) < ROWS:
            return rows
    return _bins(lane.marks, scale)


def _place(mark: Mark, scale: Scale, right: float) -> Place:
    x = scale.place(mark.begin)
    label = one_line(mark.label, _LONGEST)
    if mark.begin == mark.end:
        sign = SIGNS.get(mark.look, "")
        place = Place(mark, x, 0.0, beside=sign or label)
    else:
        width = max(NARROWEST, scale.place(mark.end) - x)
        place = Place(mark, min(x, right - width), width, beside="" if mark.look in _FINE else SIGNS.get(mark.look, ""))
        if (at := _room(scale, place, _wide(label) + 8)) is not None:
            place = replace(place, inside=label, at=at)
        elif mark.look in ("firing", "resolved"):
            place = replace(place, beside=label)
    return replace(place, before=True) if place.right > right else place


def _room(scale: Scale, place: Place, width: float) -> float | None:
    """Find where in a bar words fit that cross no gap."""
    gaps = [gap for gap in scale.gaps if gap.left < place.right and gap.right > place.x]
    for start in (place.x, *(gap.right for gap in gaps)):
        end = start + width
        if end <= place.x + place.width and all(end <= gap.left or start >= gap.right for gap in gaps):
            return start
    return None


def _rows(places: Sequence[Place]) -> list[Place]:
    ends, rows = list[float](), list[Place]()
    for place in sorted(places, key=lambda one: one.left):
        row = next((row for row, end in enumerate(ends) if end + 1 <= place.left), len(ends))
        ends[row : row + 1] = [place.right]
        rows.append(replace(place, row=row))
    return rows


def _bins(marks: Sequence[Mark], scale: Scale) -> list[Bin]:
    within: dict[int, list[Mark]] = {}
    for mark in marks:
        first, last = (int(scale.place(moment) / BIN) for moment in (mark.begin, mark.end))
        for number in range(first, max(first + 1, last)):
            within.setdefault(number, []).append(mark)
    most = max(map(len, within.values()))
    return [_bin(number, held, most) for number, held in sorted(within.items())]


def _bin(number: int, held: Sequence[Mark], most: int) -> Bin:
    looks: Counter[Look] = Counter(mark.look for mark in held)
    worst = min(looks, key=lambda look: _WORST.index(look) if look in _WORST else len(_WORST))
    said = ", ".join(f"{count} {look}" for look, count in looks.most_common())
    title = held[0].title if len(held) == 1 else f"{len(held)} together: {said}"
    return Bin(number * BIN, len(held) / most, worst, title)


def _wide(text: str) -> float:
    return sum(LETTER * (1.8 if east_asian_width(letter) in "WF" else 1) for letter in text)
