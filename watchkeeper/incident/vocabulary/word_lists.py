"""Lists of words, written as text (pure)."""

from __future__ import annotations

import re


def word_list(words: str) -> list[str]:
    """Return the words of a text."""
    return words.split()


def any_of(words: str) -> str:
    """Return a pattern for any of the words or patterns of a text; ``_`` in them is a space."""
    return "|".join(re.sub("_", " ", word) for word in words.split())
