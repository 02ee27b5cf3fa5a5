"""Distinguish a report from the text around a call, by its headings (pure)."""

from __future__ import annotations

import re

_HEADING = re.compile(
    r"^[ \t]{0,3}(?:[-*][ \t]+|\d+[.)][ \t]+)?(?:#{1,6}[ \t]+|\*\*|__)?(?:\d+[.)][ \t]+)?"
    r"(?:verdict|(?:current )?status|(?:root |likely |probable )?cause|impact|evidence|(?:recommended )?next steps?"
    r"|summary|diagnosis|timeline|recommendations?|findings?|conclusion|report|what happened|what was done"
    r"|actions? taken|unknowns?|resolution|mitigation"
    r"|sources?|(?:calls|tools) (?:made|used)|what (?:i|was) (?:looked at|checked|read))\b"
    r"[^\n:*]{0,40}(?:\*\*|__)?(?::|(?:\*\*|__)?[ \t]*$)",
    re.IGNORECASE | re.MULTILINE,
)


def is_report(text: str) -> bool:
    """Return whether a text has a heading or a label of a report."""
    return _HEADING.search(text) is not None
