"""Which firing of an alert a notification is about (pure).

Notifications may be late, repeated and out of order, and an end belongs to one firing. The reference is the table "In
any order" of ``docs/alerts.md``, whose tests play every ordering.
"""

from __future__ import annotations

from typing import Literal, TypeAlias

from watchkeeper.contracts import Alert, AlertState, severity_rank

FiringEffect: TypeAlias = Literal["again", "raised", "lowered", "repeat", "late"]
"""What a firing notification of a known alert is: another firing, a change of its severity, a repetition of what is
known, or the late notification of a firing that has ended."""

EndEffect: TypeAlias = Literal["ends", "known", "older"]
"""What an end is: of the open firing, of one that is known to have ended, or of an earlier firing than the open one."""


def firing_effect(alert: Alert, known: AlertState, at: float) -> FiringEffect:
    """Return what a firing notification means for a known alert. ``at``: when it came, in Unix seconds."""
    if known.status == "resolved":
        return "again" if _fires_again(alert, known, at) else "late"
    if _is_before(alert.as_of, known.as_of):
        return "late"
    if _differs(alert, known):
        return "again" if _began_later(alert, known) else "late"
    if alert.severity is None or severity_rank(alert.severity) == severity_rank(known.severity):
        return "repeat"
    return "raised" if severity_rank(alert.severity) < severity_rank(known.severity) else "lowered"


def end_effect(alert: Alert, known: AlertState) -> EndEffect:
    """Return what a resolved notification means for a known alert."""
    if known.status == "resolved":
        return "known"
    return "ends" if _ends(alert, known) else "older"


def is_repeat(alert: Alert, earlier: Alert) -> bool:
    """Return whether a firing alert may be the same firing as an earlier one."""
    return alert.fingerprint == earlier.fingerprint and not _differs(alert, state_of(earlier))


def ends_firing(resolved: Alert, fired: Alert) -> bool:
    """Return whether a resolved alert ends a firing one."""
    return resolved.fingerprint == fired.fingerprint and _ends(resolved, state_of(fired))


def state_of(alert: Alert, at: float | None = None) -> AlertState:
    """Return an alert, of which nothing was known, as it is known from now on. ``at``: when it came."""
    is_firing = alert.status == "firing"
    fields = {
        "fingerprint": alert.fingerprint,
        "status": alert.status,
        "title": alert.title,
        "severity": alert.severity,
        "episode": alert.episode,
        "starts_at": alert.starts_at,
        "ends_at": None if is_firing else alert.ends_at or at,
        "as_of": alert.as_of,
        "ended_as_of": None if is_firing else alert.as_of,
        "changed_at": None if is_firing else at,
        "late_for": alert.late_for,
    }
    return AlertState.model_validate({name: value for name, value in fields.items() if value is not None})


def names_firing(alert: Alert, known: AlertState) -> bool:
    """Return whether a late notification holds the episode of the open firing, which was not known yet."""
    if known.status != "firing" or alert.episode is None:
        return False
    return known.episode is None or (_differs(alert, known) and _began_later(alert, known))


def has_order(alert: Alert) -> bool:
    """Return whether an alert comes from an intake that knows these rules, so that its run follows them."""
    return alert.as_of is not None or alert.late_for is not None or alert.message is not None


def _fires_again(alert: Alert, known: AlertState, at: float) -> bool:
    """Return whether an alert fires again after an end. In doubt it does: a second run is better than a lost alert."""
    if _differs(alert, known):
        over = alert.late_for is None and _is_before(alert.as_of, known.ended_as_of)
        return not over and _began_later(alert, known)
    same_episode = alert.episode is not None and alert.episode == known.episode
    if same_episode and alert.late_for is None:
        return False
    if same_episode and not _has_own_time(alert):
        ended_at = known.changed_at or known.ends_at
        return ended_at is None or at >= ended_at + (alert.late_for or 0.0)
    return not _is_before(alert.as_of, known.ended_as_of)


def _ends(alert: Alert, known: AlertState) -> bool:
    same_episode = alert.episode is not None and alert.episode == known.episode
    if same_episode and alert.late_for is None:
        return True
    if same_episode and known.ended_as_of is None:
        return not (_was_seen_after_start(known) and _is_before(alert.as_of, known.as_of))
    if alert.as_of is not None and known.ended_as_of is not None and alert.as_of <= known.ended_as_of:
        return False  # the end of an earlier firing, sent again or late
    if same_episode:
        return True
    if _differs(alert, known):
        return _ends_another(alert, known)
    return not _is_before(alert.as_of, known.as_of)


def _ends_another(alert: Alert, known: AlertState) -> bool:
    """Return whether the end of another firing ends the known one too: a later one, or one that the sender merged."""
    if alert.starts_at is not None and known.starts_at is not None:
        if alert.starts_at > known.starts_at:
            return True
        if not alert.late_for:
            return False
    return alert.as_of is not None and known.as_of is not None and alert.as_of > known.as_of


def _began_later(alert: Alert, known: AlertState) -> bool:
    """Return whether a firing of another episode began after the known one. In doubt it did."""
    if alert.starts_at is not None and known.starts_at is not None:
        return alert.starts_at > known.starts_at
    return not _is_before(alert.as_of, known.as_of)


def _has_own_time(alert: Alert) -> bool:
    """Return whether a notification says when it was sent, and not only when its firing began."""
    return alert.as_of is not None and (alert.starts_at is None or alert.as_of > alert.starts_at)


def _was_seen_after_start(known: AlertState) -> bool:
    return known.as_of is not None and known.starts_at is not None and known.as_of > known.starts_at


def _differs(alert: Alert, known: AlertState) -> bool:
    return alert.episode is not None and known.episode is not None and alert.episode != known.episode


def _is_before(one: float | None, other: float | None) -> bool:
    return one is not None and other is not None and one < other
