"""Marks in a report behind claims that nothing supports (pure)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from watchkeeper.contracts import Claim

MARK = " [unsupported]"

_CLOSING = re.compile(r"\*+|_+(?!\w)|~~|`+")
_NUMBER_BEFORE = re.compile(r"\d[.,]")
_FENCE = re.compile(r"^ {0,3}(```+|~~~+).*?(?:^ {0,3}\1[ ]*$|\Z)", re.DOTALL | re.MULTILINE)
_SPAN = re.compile(r"(?<!`)(`+)(?!`).+?(?<!`)\1(?!`)")
_LINK = re.compile(r"\[[^\]\n]{0,300}\]\([^)\s]{0,2000}\)|https?://[^\s)>\]]+")


def mark(report: str, claims: Sequence[Claim]) -> str:
    """Write ``[unsupported]`` behind the claims, at the occurrences that they name, or at every one.

    A mark is placed behind code, links, and closing emphasis, so that it does not break Markdown.
    """
    whole = [found.span() for pattern in (_FENCE, _SPAN, _LINK) for found in pattern.finditer(report)]
    places: set[int] = set()
    for claim in claims:
        for number, at in enumerate(occurrences(report, claim.text)):
            if not claim.occurrences or number in claim.occurrences:
                places.add(_behind(report, at + len(claim.text), whole))
    pieces, at = [], 0
    for place in sorted(places):
        pieces += [report[at:place], MARK]
        at = place
    return "".join([*pieces, report[at:]])


def occurrences(report: str, text: str) -> list[int]:
    """Return the offsets at which a text occurs in a report, and not as a piece of a longer word or number."""
    found: list[int] = []
    at = report.find(text) if text.strip() else -1
    while at >= 0:
        end = at + len(text)
        if _is_alone(report, at, end):
            found.append(at)
        at = report.find(text, end)
    return found


def _is_alone(report: str, start: int, end: int) -> bool:
    """Tell whether a part is no piece of a longer word or number."""
    before, after = report[max(0, start - 2) : start], report[end : end + 1]
    in_number = report[start].isdigit() and bool(_NUMBER_BEFORE.fullmatch(before))
    return not (
        in_number
        or (report[start].isalnum() and before[-1:].isalnum())
        or (report[end - 1].isalnum() and after.isalnum())
    )


def _behind(report: str, end: int, whole: Sequence[tuple[int, int]]) -> int:
    """Return the first offset behind a claim at which a mark breaks nothing."""
    moved = True
    while moved:
        moved = False
        for start, stop in whole:
            if start < end < stop:
                end, moved = stop, True
        closing = _CLOSING.match(report, end)
        if closing and not report[closing.end() : closing.end() + 1].isalnum():
            end, moved = closing.end(), True
    return end
