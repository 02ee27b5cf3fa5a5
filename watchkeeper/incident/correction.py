"""The correction that a model gets for an answer that is no conclusion (pure)."""

from __future__ import annotations

import re

from watchkeeper.contracts import Review

_OWN_CHECK = re.compile(r"<report_check>.*?(?:</report_check>|\Z)", re.DOTALL)


def correction_text(introduction: str, review: Review) -> str:
    """Write what is wrong with an answer for the model. ``without_corrections`` finds the text again."""
    lines = [f"- {problem}" for problem in review.problems]
    lines += [f"- Not supported: {claim.text!r} ({claim.why})." for claim in review.unsupported]
    return "\n".join(["<report_check>", introduction.strip(), "", *lines, "</report_check>"])


def without_corrections(message: str) -> str:
    """Return a message without our own corrections: they quote false claims, and would support them."""
    return _OWN_CHECK.sub("", message)
