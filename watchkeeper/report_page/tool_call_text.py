"""What a call was, in the few words and the one excerpt that a page shows of it (pure)."""

from __future__ import annotations

import json
from collections.abc import Sequence

from watchkeeper.console import arguments, duration, one_line, size, visible
from watchkeeper.report_page.timeline_layout import SIGNS
from watchkeeper.run_view.entries import Call
from watchkeeper.text import cap

MANY = 150
"""Calls from which on a page shows less of each."""

_WHOLE, _SHORT = 6_000, 1_000


def sign(call: Call) -> str:
    """Return the sign of how a call ended."""
    return SIGNS.get(call.status, "✓" if call.status == "ok" else "…")


def asked(call: Call, width: int) -> str:
    """Return what a call was given, in one line."""
    return one_line(arguments(call.arguments), width)


def outcome(call: Call) -> list[str]:
    """Return how a call ended: its status, how long it took, how large its result is."""
    facts = [call.status.replace("_", " ")]
    if call.same_as is not None:
        facts.append(f"one effect with {call.same_as}")
    if call.attempts > 1:
        facts.append(f"{call.attempts} attempts")
    if call.started_at and call.ended_at:
        facts.append(duration((call.ended_at - call.started_at).total_seconds()))
    if call.result is not None:
        facts.append(size(len(call.result.encode())))
    return facts


def excerpt_bytes(calls: Sequence[Call]) -> int:
    """Return how much of each result a page shows."""
    return _WHOLE if len(calls) < MANY else _SHORT


def found(call: Call, most: int) -> tuple[str, str]:
    """Return what a call gave, JSON laid out, and what is missing of it."""
    if call.result is None:
        return "", ""
    shown, cut = cap(_laid_out(call.result), most)
    missing = [f"{size(cut)} are left out here"] if cut else []
    missing += [f"{size(call.cut)} were cut before the model read it"] if call.cut else []
    return visible(shown), "; ".join(missing)


def _laid_out(text: str) -> str:
    try:
        value = json.loads(text)
    except ValueError:
        return text
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
