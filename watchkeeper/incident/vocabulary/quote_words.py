"""How a report quotes (pure)."""

from __future__ import annotations

import re

QUOTED = re.compile(r"\"([^\"\n]{6,400})\"")
SAID = re.compile(
    r"\b(?:logs?|logged|errors?|message|says?|said|shows?|reports?|reading|reads|with|exception|line|lines|entry"
    r"|entries|event|reason"
    r"|saw|see|contains?|stack ?trace|trace|found|returned?|returns|note|warning|warns?)\b[^\"`]{0,60}$",
    re.IGNORECASE,
)
GAP = re.compile(r"\.\.\.+|\u2026|\[\.\.\.\]|<[^<>]{0,40}>|\{[^{}]{0,40}\}|\*")
OPERATOR = re.compile(r"[=!]=|&&|\|\||=>|\(\)|\{\w+=|[<>]")
SAID_HERE = re.compile(
    r"\b(?:logged|logs|says?|said|message|exception|error|reason)(?: is| was| of)?:?\W*$", re.IGNORECASE
)
"""Right before a quotation, which is checked even if it has two words only."""
