"""The run as a picture: one lane for each kind of thing, over a time axis; as SVG, without a script (pure)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from watchkeeper.console import duration, one_line
from watchkeeper.report_page.data import Account
from watchkeeper.report_page.html_builder import Html, joined, tag
from watchkeeper.report_page.time_axis import Scale, scale
from watchkeeper.report_page.timeline_lanes import Lane, Look, lanes
from watchkeeper.report_page.timeline_layout import BIN, POINT, Bin, Place, placed

WIDTH = 1_000.0
LEFT, RIGHT = 146.0, 992.0
_ROW, _BAR, _SPACE, _TOP = 20.0, 14.0, 9.0, 22.0
_AXIS = 30.0
_NAME = 21
"""Letters of a lane's name."""

MEANS: dict[Look, str] = {
    "firing": "alert fires",
    "resolved": "alert, resolved",
    "deploy": "deploy",
    "asks": "model thinks",
    "failed": "no answer",
    "ok": "call, ok",
    "error": "call failed",
    "rejected": "never run",
    "denied": "denied",
    "expired": "nobody decided",
    "unknown": "outcome unknown",
    "waiting": "waits for a person",
    "waited": "waited for a person",
    "running": "runs",
    "act": "person acts",
    "report": "report",
}


def picture(account: Account) -> Html | None:
    """Draw a run; None while there is nothing to draw."""
    begun, shown = account.story.started_at, lanes(account)
    if begun is None or not shown:
        return None
    axis = _axis(account, shown)
    shapes, words, y = list[Html](), list[Html](), _TOP
    for lane in shown:
        places = placed(lane, axis, RIGHT)
        height = _ROW * (1 + max((place.row for place in places if isinstance(place, Place)), default=0)) + _SPACE
        shapes += [_shape(place, y) for place in places]
        many = f" × {len(lane.marks):,}" if isinstance(places[0], Bin) else ""
        words += [
            _frame(f"{one_line(lane.name, _NAME - len(many))}{many}", y, height),
            *(said for place in places for said in _words(place, y)),
        ]
        y += height
    begin = axis.place(begun.timestamp())
    frame = [
        tag("rect", class_="span", x=begin, y=0.0, width=axis.place(account.until.timestamp()) - begin, height=y),
        *_time_axis(axis, y),
    ]
    title = "Timeline of the run"
    about = f"Lanes: {', '.join(lane.name for lane in shown)}. The same stands in the list below."
    box = f"0 0 {WIDTH:.0f} {y + _AXIS:.0f}"
    svg = tag(
        "svg",
        tag("title", title, id="picture-title"),
        tag("desc", about, id="picture-about"),
        _patterns(),
        *frame,
        *shapes,
        *_gaps(axis, y),
        *words,
        viewBox=box,
        role="img",
        aria_labelledby="picture-title picture-about",
        class_="picture",
    )
    return joined(tag("div", svg, class_="scroll", tabindex="0", role="region", aria_label=title), _legend(shown))


def _axis(account: Account, shown: Sequence[Lane]) -> Scale:
    story, busy, moments = account.story, list[tuple[float, float]](), list[float]()
    for lane in shown:
        for mark in lane.marks:
            if lane.name == "alerts" or mark.look in ("waiting", "waited"):
                moments += [mark.begin, mark.end]
            else:
                busy.append((mark.begin, mark.end))
    moments += [at.timestamp() for at in (story.started_at, account.until) if at]
    return scale(moments, busy, LEFT, RIGHT)


def _frame(name: str, top: float, height: float) -> Html:
    under = top + height - _SPACE / 2 - 2
    line = tag("line", class_="rule", x1=0.0, x2=RIGHT, y1=under, y2=under)
    return joined(line, tag("text", name, class_="lane", x=0.0, y=top + 11, clip_path="url(#names)"))


def _shape(place: Place | Bin, top: float) -> Html:
    if isinstance(place, Bin):
        height = max(3.0, place.share * _BAR)
        y, width = top + _BAR - height, BIN - 1
        bar = tag("rect", class_=f"mark {place.look}", x=place.x, y=y, width=width, height=height)
        return tag("g", tag("title", place.title), bar)
    look, x, y = f"mark {place.mark.look}", place.x, top + place.row * _ROW
    if place.width:
        shape = tag("rect", class_=look, x=x, y=y, width=place.width, height=_BAR, rx=min(3.0, place.width / 2))
    elif place.mark.look == "act":
        shape = tag("circle", class_=look, cx=x, cy=y + _BAR / 2, r=POINT - 1)
    elif place.mark.look == "report":
        shape = tag("path", class_=look, d=f"M{x - 4:.1f} {y:.1f}h8v{_BAR:.0f}l-4 -4l-4 4z")
    else:
        shape = tag("path", class_=look, d=f"M{x:.1f} {y + 0.5:.1f}l6 6.5l-6 6.5l-6 -6.5z")
    return tag("g", tag("title", place.mark.title), shape)


def _words(place: Place | Bin, top: float) -> Iterator[Html]:
    if isinstance(place, Bin):
        return
    look, y = place.mark.look, top + place.row * _ROW + _BAR / 2 + 4
    if place.inside:
        yield tag("text", place.inside, class_=f"inside {look}", x=place.at + 4, y=y)
    if place.beside:
        x = place.x - (0 if place.width else POINT) - 3 if place.before else place.x + (place.width or POINT) + 3
        yield tag("text", place.beside, class_="beside", x=x, y=y, text_anchor="end" if place.before else None)


def _gaps(axis: Scale, bottom: float) -> list[Html]:
    drawn = list[Html]()
    for gap in axis.gaps:
        said, middle = duration(gap.end - gap.begin), (gap.left + gap.right) / 2
        edges = [tag("line", class_="edge", x1=at, x2=at, y1=0.0, y2=bottom) for at in (gap.left, gap.right)]
        band = tag("rect", class_="gap", x=gap.left, y=0.0, width=gap.right - gap.left, height=bottom)
        about = tag("text", _about(gap.end - gap.begin), class_="long", x=middle, y=11.0, text_anchor="middle")
        drawn.append(tag("g", tag("title", f"{said} in which nothing happened"), band, *edges, about))
    return drawn


def _about(seconds: float) -> str:
    """Write a duration in as few letters as a gap has room for."""
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 1 else f"{seconds:.1f} s"


def _time_axis(axis: Scale, bottom: float) -> list[Html]:
    drawn = list[Html]()
    for x, label in axis.ticks():
        drawn.append(tag("line", class_="tick", x1=x, x2=x, y1=0.0, y2=bottom + 4))
        drawn.append(tag("text", label, class_="time", x=x, y=bottom + 18, text_anchor="middle"))
    drawn.append(tag("text", "UTC", class_="lane", x=0.0, y=bottom + 18))
    return drawn


def _patterns() -> Html:
    stripe = tag("path", d="M-2 2l4 -4M0 8l8 -8M6 10l4 -4", class_="stripe")
    filled = [
        tag(
            "pattern",
            tag("rect", class_=f"ground {look}", width=8.0, height=8.0),
            stripe,
            id=f"fill-{look}",
            width=8.0,
            height=8.0,
            patternUnits="userSpaceOnUse",
        )
        for look in ("error", "failed", "unknown", "firing")
    ]
    names = tag("clipPath", tag("rect", x=0.0, y=0.0, width=LEFT - 8, height=9_999.0), id="names")
    return tag("defs", names, *filled)


def _legend(shown: Sequence[Lane]) -> Html:
    seen = {mark.look for lane in shown for mark in lane.marks}
    entries = [
        tag("li", tag("svg", _sample(look), viewBox="0 0 22 14", class_="sample", aria_hidden="true"), f" {means}")
        for look, means in MEANS.items()
        if look in seen
    ]
    return tag("ul", *entries, class_="legend")


def _sample(look: Look) -> Html:
    if look in ("deploy", "report"):
        shape = "M11 0.5l6 6.5l-6 6.5l-6 -6.5z" if look == "deploy" else "M7 0h8v14l-4 -4l-4 4z"
        return tag("path", class_=f"mark {look}", d=shape)
    if look == "act":
        return tag("circle", class_="mark act", cx=11.0, cy=7.0, r=5.0)
    return tag("rect", class_=f"mark {look}", x=1.0, y=1.0, width=20.0, height=12.0, rx=3.0)
