"""Whether a conclusion wakes people: decided from the review and the records (pure)."""

from __future__ import annotations

from collections.abc import Container, Sequence

from watchkeeper.contracts import CallRecord, Review

URGENT = ("critical", "error")
"""Severities for which a person is woken unless the records show that this is not needed."""


def unsent_page(calls: Sequence[CallRecord], pagers: Container[str], look_first: str = "") -> str | None:
    """Say which page the model wanted that was not sent; None if it wanted none, or if any page was sent.

    A page that was refused with ``look_first`` does not count: the model was to look first, and may have found that
    no one needs to be woken.
    """
    pages = [call for call in calls if call.name in pagers]
    if any(call.status == "ok" for call in pages):
        return None
    wanted = [call for call in pages if not (look_first and call.finding.startswith(look_first[:40]))]
    if not wanted:
        return None
    last = wanted[-1]
    return f"the model wanted to page ({last.key} {last.name}), and the page was not sent ({last.status})"


def wake_reason(review: Review, *, severity: str | None, firing: int, is_paged: bool) -> str | None:
    """Say why people are woken for a conclusion; None if they are not.

    An urgent alert that still fires wakes a person, unless one was woken already, or the latest read says that the
    service is healthy and nothing in the report contradicts the records.
    """
    if is_paged or not firing or severity not in URGENT:
        return None
    if review.verdict in ("healthy", "recovered") and review.shown_healthy and not review.unsupported:
        return None
    alerts = "alert still fires" if firing == 1 else f"{firing} alerts still fire"
    return f"{severity}: {alerts}, and no one was paged"
