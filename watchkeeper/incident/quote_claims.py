"""The check of quotations: log lines and messages in quotes or code must have been read (pure)."""

from __future__ import annotations

import re

from watchkeeper.incident.claim_spans import Check
from watchkeeper.incident.vocabulary import quote_words

MOST_WORDS_READ = 0.85
_CLOSING = " .,;:!?()[]{}|\"'"


def check_quotes(check: Check) -> None:
    """Flag quotations of at least three parts that were never read."""
    plain = check.report.plain
    spans = [(found.start(1), found.end(1), True) for found in quote_words.QUOTED.finditer(plain)]
    spans += [(start, end, False) for start, end in check.report.code]
    for start, end, quoted in spans:
        text = plain[start:end]
        said = quote_words.SAID_HERE.search(plain, max(0, start - 40), start)
        if (
            len(text.split()) < (2 if said else 3)
            or not check.is_stated(start)
            or not check.is_stated(start + len(text.rstrip(_CLOSING)) - 1)
        ):
            continue
        before = plain[max(0, start - 90) : start - 1]
        if (quoted and not quote_words.SAID.search(before.rpartition("\n")[2])) or (
            not quoted and quote_words.OPERATOR.search(text)
        ):
            continue
        if not all(_is_read(check, part) for part in quote_words.GAP.split(text)):
            check.flag(start, end, "quote", "no result has this text")


def _is_read(check: Check, part: str) -> bool:
    words = re.sub(r"[\W_]+", " ", part.casefold()).split()
    if len(words) < 2:
        return True
    if " ".join(words) in check.evidence.sequence:
        return True
    unread = [word for word in words if word not in check.evidence.alphanumerics]
    if any(char.isdigit() for word in unread for char in word):
        return False
    return len(words) >= 6 and 1 - len(unread) / len(words) >= MOST_WORDS_READ
