"""How bad, in one vocabulary."""

from __future__ import annotations

from watchkeeper.text import cap, clean

_WORDS = {
    "critical": "critical crit fatal emergency emerg disaster page p0 p1 sev0 sev1 sev-0 sev-1",
    "error": "error err major high p2 sev2 sev-2",
    "warning": "warning warn minor medium moderate average p3 sev3 sev-3",
    "info": "info information informational notice debug low none ok success p4 p5 sev4 sev5 sev-4 sev-5",
}
_MEANING = {word: severity for severity, words in _WORDS.items() for word in words.split()}
_ORDER = list(_WORDS)

MAX_BYTES = 50

_PRIORITY = {"critical": 1, "error": 2, "warning": 4, "info": 5}
_UNKNOWN = 3


def normalize(word: str) -> str:
    """Translate a vendor's word, to itself in lower case where its meaning is not known."""
    lower = " ".join(clean(word).lower().split())
    return _MEANING.get(lower, cap(lower, MAX_BYTES)[0])


def worst_severity(*words: str | None) -> str | None:
    """Return the worst of what is said, in our vocabulary; a word that is not in it counts least."""
    said = [normalize(word) for word in words if word]
    return min(said, key=lambda word: _ORDER.index(word) if word in _ORDER else len(_ORDER), default=None)


def temporal_priority(severity: str | None) -> int:
    """Return Temporal's priority for a severity in anybody's words, from 1, which goes first, to 5.

    What is not known goes in the middle: it may be bad.
    """
    return _PRIORITY.get(normalize(severity or ""), _UNKNOWN)
