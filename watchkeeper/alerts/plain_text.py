"""Remove invisible characters from text."""

from __future__ import annotations

from watchkeeper.text import clean, visible


def printable(text: str) -> str:
    """Replace characters that cannot be displayed or stored. Line breaks and tabs stay."""
    return visible(clean(text).replace("\r\n", "\n"))


def printable_line(text: str) -> str:
    """Return a text as one printable line."""
    return printable(" ".join(text.split()))
