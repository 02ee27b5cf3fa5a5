"""A tool call in a report: one line about it, and an excerpt of its result (pure)."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.contracts import CallStatus
from watchkeeper.report_page.timeline_layout import STYLES
from watchkeeper.run_view.entries import Call
from watchkeeper.run_view.run_phrases import call_result_phrases, same_effect_phrase, status_phrase
from watchkeeper.text import arguments_text, cap, one_line, size, visible

MANY_CALLS = 150
"""From this number of calls on, a report shows shorter excerpts."""

_EXCERPT_BYTES, _SHORT_EXCERPT_BYTES = 6_000, 1_000
_REQUEST_LENGTH = 300


@dataclass(frozen=True)
class CallText:
    """The texts of one call."""

    key: str
    name: str
    status: CallStatus
    sign: str
    request: str
    """Arguments in one line."""
    facts: Sequence[str]
    """Status, attempts, duration, size of the result: what is known."""
    arguments: str
    """Arguments as the model wrote them."""
    excerpt: str
    """Beginning of the result, JSON with line breaks; empty if no result exists."""
    missing: str
    """What of the result the excerpt does not show; empty if nothing is missing."""


def call_text(call: Call, excerpt_bytes: int) -> CallText:
    """Return the texts of a call; ``excerpt_bytes`` is the size limit of the excerpt."""
    request = one_line(arguments_text(call.arguments), _REQUEST_LENGTH)
    sign = STYLES[call.status][1] or ("✓" if call.status == "ok" else "…")
    excerpt, missing = _excerpt(call, excerpt_bytes)
    return CallText(call.key, call.name, call.status, sign, request, _facts(call), call.arguments, excerpt, missing)


def excerpt_bytes(calls: int) -> int:
    """Return the size limit of each excerpt in a report with a number of calls."""
    return _EXCERPT_BYTES if calls < MANY_CALLS else _SHORT_EXCERPT_BYTES


def _facts(call: Call) -> list[str]:
    same = [same_effect_phrase(call.same_as)] if call.same_as is not None else []
    return [status_phrase(call.status), *same, *call_result_phrases(call)]


def _excerpt(call: Call, max_bytes: int) -> tuple[str, str]:
    if call.result is None:
        return "", ""
    shown, cut = cap(_with_line_breaks(call.result), max_bytes)
    missing = [f"{size(cut)} are left out here"] if cut else []
    missing += [f"{size(call.cut)} were cut before the model read it"] if call.cut else []
    return visible(shown), "; ".join(missing)


def _with_line_breaks(result: str) -> str:
    try:
        value = json.loads(result)
    except ValueError:
        return result
    return value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
