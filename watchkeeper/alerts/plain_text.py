"""Remove invisible characters from text."""

from __future__ import annotations

import re

from watchkeeper.text import clean

# Control characters, characters that reorder text, and invisible letters that only a model would read.
_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u202a-\u202e\u2060-\u206f\ufeff\U000e0000-\U000e0fff]")


def printable(text: str) -> str:
    """Replace characters that cannot be displayed or stored. Line breaks and tabs stay."""
    return _UNSEEN.sub("\ufffd", clean(text).replace("\r\n", "\n"))


def printable_line(text: str) -> str:
    """Return a text as one printable line."""
    return printable(" ".join(text.split()))
