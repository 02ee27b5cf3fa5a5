"""The verdict of a report: stated on a separate line, or read from the form that reports usually have (pure)."""

from __future__ import annotations

import re
from typing import cast, get_args

from watchkeeper.contracts import Verdict

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)

_STATED = re.compile(
    rf"^[\s>#*_`-]*verdict[\s*_`]*[:：=–—-][\s*_`]*(?P<verdict>{'|'.join(VERDICTS)})\b(?P<rest>.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_MARKS = re.compile(r"[*_`#>|]")
_NOT = r"(?<!not )(?<!n't )(?<!never )(?<!not yet )(?<!un)"
_CAUSE_UNKNOWN = re.compile(
    r"\bcauses?\b[^.\n]{0,40}\b(?:unknown|unclear|undetermined|inconclusive|not (?:yet )?(?:known|found|clear|"
    r"identified|determined|established))\b"
    r"|\b(?:could|can|did|was|were)(?: not|n't|not) (?:be )?(?:able to )?(?:find|found|determine|determined|identify|"
    r"identified|establish|established|tell|explain)\b[^.\n]{0,60}\b(?:cause|why|reason)\b"
    r"|\bno (?:root |clear )?cause (?:was |is |has been )?(?:found|known|identified)\b"
)
_RECOVERED = re.compile(
    rf"\b(?:has|have|is|are|was|were|already|fully|status:)\s+(?:now |since |fully |already |been )*{_NOT}"
    r"(?:recovered|resolved|back to normal|over)\b"
)
_CAUSE = re.compile(
    r"^\W*(?:root |likely |probable |suspected )*causes?\W*[:：]"
    r"|\broot cause (?:is|was)\b|\bcaused by\b|\bbecause of\b|\bdue to\b|\btraced to\b|\btriggered by\b"
    r"|\bstems? from\b|\bintroduced (?:by|in)\b|\bis the culprit\b|\bbroke (?:it|checkout|the)\b",
    re.MULTILINE,
)
_HEALTHY = re.compile(
    rf"{_NOT}\bhealthy\b|\boperating normally\b|\bno (?:active )?(?:issues?|problems?|anomal\w+)\b|\bnothing is wrong\b"
    r"|\bwithin (?:its )?normal\b|\bfalse (?:alarm|positive)\b"
)
_UNKNOWN = re.compile(r"\bunknown\b|\binconclusive\b|\bcould(?: not|n't) (?:find out|determine|tell)\b")


def read_verdicts(report: str) -> list[Verdict]:
    """Return the verdicts of a report: what it states in lines ``Verdict: ...``, else the one that its text implies."""
    stated: list[Verdict] = [cast(Verdict, found["verdict"].lower()) for found in _STATED.finditer(report)]
    if stated:
        return [*dict.fromkeys(stated)]
    implied = _implied(_MARKS.sub("", report).lower())
    return [implied] if implied else []


def without_verdict_line(report: str) -> str:
    """Return a report without the lines that hold its verdict and nothing else."""
    return _STATED.sub(lambda found: found[0] if any(map(str.isalnum, found["rest"])) else "", report)


def _implied(text: str) -> Verdict | None:
    if _RECOVERED.search(text):
        return "recovered"
    if _CAUSE_UNKNOWN.search(text):
        return "unknown"
    if _CAUSE.search(text):
        return "diagnosed"
    if _HEALTHY.search(text):
        return "healthy"
    return "unknown" if _UNKNOWN.search(text) else None
