"""How the unsupported claims of a report are written in every view of a run (pure).

The body of a report has a mark behind each unsupported claim (``watchkeeper.incident.claim_marks``). These texts say
how many there are, which ones, and why.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchkeeper.contracts import Claim
from watchkeeper.text import one_line

CLAIM_CHARACTERS = 100
WHY_CHARACTERS = 200
NAMED = 5
"""Claims that one line names."""

LISTED = 20
"""Claims that a list has."""


def unsupported_count(claims: Sequence[Claim]) -> str:
    """Say how many claims are unsupported: ``2 statements of this report are not supported by what was read``."""
    subject = "1 statement of this report is" if len(claims) == 1 else f"{len(claims)} statements of this report are"
    return f"{subject} not supported by what was read"


def unsupported_line(claims: Sequence[Claim]) -> str:
    """Say how many claims are unsupported, and which ones, in one line; empty if none is."""
    if not claims:
        return ""
    named = [one_line(claim.text, CLAIM_CHARACTERS) for claim in claims[:NAMED]]
    more = [f"{len(claims) - NAMED} more"] if len(claims) > NAMED else []
    return f"{unsupported_count(claims)}: {', '.join([*named, *more])}"


def unsupported_list(claims: Sequence[Claim]) -> list[tuple[str, str]]:
    """Return the text of each unsupported claim, and why nothing supports it."""
    shown, more = claims[:LISTED], len(claims) - LISTED
    listed = [(one_line(claim.text, CLAIM_CHARACTERS), one_line(claim.why, WHY_CHARACTERS)) for claim in shown]
    return [*listed, (f"and {more} more", "the report marks them")] if more > 0 else listed
