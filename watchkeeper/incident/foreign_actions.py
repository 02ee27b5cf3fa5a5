"""Statements about actions in German, French, Spanish and Japanese (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from watchkeeper.incident.claim_spans import Check
from watchkeeper.incident.vocabulary import foreign_action_words as words

_NEAR = 120
"""Characters around a participle in which its auxiliary verb and a negation are looked for."""

_DONE = {
    verb: re.compile(rf"(?<![\w-])(?:{participles})(?!\w)", re.IGNORECASE)
    for verb, participles in words.PARTICIPLES.items()
}
_SIMPLE = {verb: re.compile(pattern, re.IGNORECASE) for verb, pattern in words.SIMPLE.items()}
_BEFORE = re.compile(r"[.;!?\n](?=\s|$)|\u3002")


def foreign_actions(check: Check) -> Iterator[tuple[str, re.Match[str], bool]]:
    """Yield the English verb and the place of each statement, and whether the writer claims to have done it."""
    text = check.report.plain
    if text.isascii() and not words.OURS.search(text) and not words.PASSIVE.search(text):
        return
    for verb, pattern in _DONE.items():
        for found in pattern.finditer(text):
            before = _BEFORE.split(text[max(0, found.start() - _NEAR) : found.start()])[-1]
            after = _BEFORE.split(text[found.end() : found.end() + _NEAR // 2])[0]
            ours = bool(words.OURS.search(before))
            if (ours or words.PASSIVE.search(before) or words.PASSIVE.match(after.lstrip())) and _is_claim(
                before, after
            ):
                yield verb, found, ours
    for verb, pattern in _SIMPLE.items():
        for found in pattern.finditer(text):
            before = _BEFORE.split(text[max(0, found.start() - _NEAR) : found.start()])[-1]
            if _is_claim(before, _BEFORE.split(text[found.end() : found.end() + _NEAR // 2])[0]):
                yield verb, found, False


def _is_claim(before: str, after: str) -> bool:
    if words.NEGATION.search(before) or words.NEVER_AFTER.match(after):
        return False
    return not (words.BY_OTHERS.search(before) or words.BY_OTHERS.search(after))
