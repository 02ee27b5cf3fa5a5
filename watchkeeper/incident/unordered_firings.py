"""Which firing a notification is about, by the rules that runs followed before ``firing_order`` (pure).

A run that began with these rules keeps them until it continues as new: its history was recorded with them.
"""

from __future__ import annotations

from watchkeeper.contracts import Alert, AlertState
from watchkeeper.incident.firing_order import EndEffect, FiringEffect


def firing_effect(alert: Alert, known: AlertState) -> FiringEffect:
    """Return what a firing notification means for a known alert."""
    if known.status == "firing" and _same(alert.episode, known.episode):
        return "repeat"
    if known.status == "resolved" and alert.episode is not None and alert.episode == known.episode:
        return "late"
    if alert.starts_at is not None and known.starts_at is not None and alert.starts_at <= known.starts_at:
        return "late"
    return "again"


def end_effect(alert: Alert, known: AlertState) -> EndEffect:
    """Return what a resolved notification means for a known alert."""
    later = alert.starts_at is not None and known.starts_at is not None and alert.starts_at > known.starts_at
    if known.status == "resolved":
        return "ends" if later else "known"
    after = alert.ends_at is not None and known.starts_at is not None and alert.ends_at >= known.starts_at
    return "ends" if later or after or _same(alert.episode, known.episode) else "older"


def _same(episode: str | None, other: str | None) -> bool:
    return episode is None or other is None or episode == other
