"""Misspelled severities. Apart from the severities, because workflow code uses those and must not load ``difflib``."""

from __future__ import annotations

import difflib

from watchkeeper.alerts.severity import SEVERITIES, normalize

_SIMILARITY = 0.75
_SHORTEST = 4


def similar_severity(severity: str) -> str | None:
    """Return the known severity of which this is probably a misspelling; None for a known or an unrelated one."""
    word = normalize(severity)
    if word in SEVERITIES or len(word) < _SHORTEST or not word.isalpha():
        return None
    known = [one for one in SEVERITIES if one.isalpha() and len(one) >= _SHORTEST]
    similar = difflib.get_close_matches(word, known, 1, _SIMILARITY)
    return similar[0] if similar else None
