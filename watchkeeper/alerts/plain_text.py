"""Text that shows all it holds."""

from __future__ import annotations

import re

from watchkeeper.text import clean

# What terminals obey, what reorders text, and the invisible letters that only a model reads.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]")


def printable(text: str) -> str:
    """Return a text without what cannot be seen or stored; lines and tabs stay."""
    return _UNSEEN.sub("\ufffd", clean(text).replace("\r\n", "\n"))


def printable_line(text: str) -> str:
    """Return a text as one such line."""
    return printable(" ".join(text.split()))
