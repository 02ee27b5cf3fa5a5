"""Translate the severities of vendors to one vocabulary: critical, error, warning, info."""

from __future__ import annotations

from typing import Literal, TypeAlias

from watchkeeper.text import cap, clean

PagerDutySeverity: TypeAlias = Literal["critical", "error", "warning", "info"]

_SYNONYMS = {
    "critical": "critical crit fatal emergency emerg disaster page p0 p1 sev0 sev1 sev-0 sev-1",
    "error": "error err major high p2 sev2 sev-2",
    "warning": "warning warn minor medium moderate average p3 sev3 sev-3",
    "info": "info information informational notice debug low none ok success p4 p5 sev4 sev5 sev-4 sev-5",
}
SEVERITIES = {word: severity for severity, words in _SYNONYMS.items() for word in words.split()}
"""The severity of each known word."""

_ORDER = list(_SYNONYMS)

MAX_BYTES = 50


_PRIORITY = {"critical": 1, "error": 2, "warning": 4, "info": 5}
_UNKNOWN = 3


def normalize(severity: str) -> str:
    """Translate a vendor's severity. An unknown one is returned in lower case."""
    lower = " ".join(clean(severity).lower().split())
    return SEVERITIES.get(lower, cap(lower, MAX_BYTES)[0])


def worst_severity(*severities: str | None) -> str | None:
    """Return the worst of these severities, translated. Unknown ones rank last."""
    known = [normalize(severity) for severity in severities if severity]
    return min(known, key=lambda name: _ORDER.index(name) if name in _ORDER else len(_ORDER), default=None)


def temporal_priority(severity: str | None) -> int:
    """Return the Temporal priority of a severity: 1 (first) to 5. An unknown severity gets 3, as it may be serious."""
    return _PRIORITY.get(normalize(severity or ""), _UNKNOWN)


def page_severity(severity: str | None) -> PagerDutySeverity:
    """Return the severity of a page about an alert of this severity: the same, never above it.

    An unknown word, or none, may be serious: ``error``, which wakes people as a rule but is below ``critical``.
    """
    match normalize(severity or ""):
        case "critical" | "warning" | "info" as known:
            return known
        case _:
            return "error"
