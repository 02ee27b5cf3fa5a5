"""Translate the severities of vendors to one vocabulary: critical, error, warning, info."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, TypeAlias

from watchkeeper.contracts import SEVERITY_RANKS, severity_rank
from watchkeeper.text import cap, clean

PagerDutySeverity: TypeAlias = Literal["critical", "error", "warning", "info"]

_SYNONYMS = {
    "critical": "critical crit fatal emergency emerg panic alert disaster blocker showstopper urgent highest severe "
    "page red p0 p1 sev0 sev1 sev-0 sev-1",
    "error": "error err major high serious important immediate orange p2 sev2 sev-2",
    "warning": "warning warn minor medium moderate average normal ticket yellow amber p3 sev3 sev-3",
    "info": "info information informational notice debug trace verbose low lowest trivial cosmetic none ok success "
    "clear planning cleared green p4 p5 sev4 sev5 sev-4 sev-5",
}
SEVERITIES = {word: severity for severity, words in _SYNONYMS.items() for word in words.split()}
"""The severity of each known word."""

MAX_BYTES = 50

_LEVELS = ("critical", "critical", "error", "warning", "info", "info")
_LEVEL = re.compile(r"(?<![a-z0-9])(?:severity|sev|priority|prio|pri|p|s)[\s:=_#.-]*([0-5])(?![a-z0-9]|[.,]\d)")
_TOKEN = re.compile(r"[^\W_]+")
_FILLERS = (
    *("severity", "sev", "priority", "prio", "level", "urgency", "criticality", "impact", "very", "incident", "alarm"),
    "event",
)
_ALERT = "alert"
"""The severity of syslog, but beside another word only what has the severity: ``warning alert``."""

# Members of an object that holds a severity, the most telling ones first.
_NAMES = (
    *("severity", "name", "value", "label", "display_name", "displayName", "display_value", "displayValue", "display"),
    *("summary", "title", "text", "slug", "key", "level", "priority", "code", "id", "data", "attributes"),
)
_DEPTH = 4


def normalize(severity: str) -> str:
    """Translate a vendor's severity. An unknown one is returned in lower case.

    Known are the synonyms above, levels such as ``P1``, ``Sev 1`` and ``S1``, and both together: ``P1 - Critical``. Of
    several the worst counts. A bare number is unknown, because for some vendors 5 is the worst and for others 1.
    """
    lower = " ".join(clean(severity).lower().split())
    if lower in SEVERITIES:
        return SEVERITIES[lower]
    found = [_LEVELS[int(level)] for level in _LEVEL.findall(lower)]
    words = [word for word in _TOKEN.findall(_LEVEL.sub(" ", lower)) if word not in _FILLERS and not word.isdecimal()]
    words = [word for word in words if word != _ALERT] or words
    if all(word in SEVERITIES for word in words):
        found += [SEVERITIES[word] for word in words]
    return min(found, key=severity_rank) if found else cap(lower, MAX_BYTES)[0]


def is_known(severity: str) -> bool:
    """Return whether a severity can be translated."""
    return normalize(severity) in SEVERITY_RANKS


def severity_text(value: object) -> str:
    """Return the severity in a JSON value: of an object its name, of several the worst. "" for none."""
    texts = [text for text in _texts(value, _DEPTH) if text.strip()]
    known = [text for text in texts if is_known(text)]
    if isinstance(value, list):
        return min(known or texts, key=lambda text: severity_rank(normalize(text)), default="")
    return next(iter(known or texts), "")


def _texts(value: object, depth: int) -> Iterator[str]:
    match value:
        case None:
            return
        case str():
            yield value
        case bool():
            yield str(value).lower()
        case int() | float():
            yield str(value)
        case list() if depth:
            for item in value:
                yield from _texts(item, depth - 1)
        case dict() if depth:
            for name in _NAMES:
                yield from _texts(value.get(name), depth - 1)


def worst_severity(*severities: str | None) -> str | None:
    """Return the worst of these severities, translated. An unknown one is worse than a warning."""
    known = [normalize(severity) for severity in severities if severity]
    return min(known, key=severity_rank, default=None)


def temporal_priority(severity: str | None) -> int:
    """Return the Temporal priority of a severity: 1 (first) to 5. An unknown severity gets 3, as it may be serious."""
    return severity_rank(normalize(severity or ""))


def page_severity(severity: str | None) -> PagerDutySeverity:
    """Return the severity of a page about an alert of this severity: the same, never above it.

    An unknown word, or none, may be serious: ``error``, which wakes people as a rule but is below ``critical``.
    """
    match normalize(severity or ""):
        case "critical" | "warning" | "info" as known:
            return known
        case _:
            return "error"
