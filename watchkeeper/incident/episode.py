"""The state of an episode: the alerts of one group that concern one run (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from watchkeeper.contracts import Alert, AlertNotification, AlertState, digest_of
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.text import cap

MAX_TRACKED_ALERTS = 500
"""Alerts that a run tracks by fingerprint. It only counts further ones."""

MAX_UNREAD = 30
"""Changes of alerts that wait for the next model request. Only the latest are kept."""

DETAILS = ("description", "labels", "links")
TITLE_BYTES = 150
MAX_ALERT_BYTES = 4_000
"""Size of an alert up to which its details are kept, because continue-as-new carries a bounded state."""


class Episode:
    """The alerts of a group, and the changes that the model has not read."""

    def __init__(self, states: Iterable[AlertState] = (), unread: Iterable[Alert] = ()) -> None:
        self._states = {state.fingerprint: state for state in states}
        self.unread = list(unread)
        self._joined = dict.fromkeys(alert.fingerprint for alert in self.unread if alert.status == "firing")
        self.untracked = 0
        """Number of alerts beyond ``MAX_TRACKED_ALERTS``."""

    def __eq__(self, other: object) -> bool:
        """Compare the alerts and the unread changes."""
        return isinstance(other, Episode) and (self.states, self.unread) == (other.states, other.unread)

    @property
    def states(self) -> list[AlertState]:
        """Every tracked alert, in order of arrival."""
        return list(self._states.values())

    @property
    def joined(self) -> int:
        """How many unread alerts fire for the first time in this episode, or after every alert had resolved."""
        return len(self._joined)

    @property
    def joined_alerts(self) -> list[AlertState]:
        """Return those alerts, in order of arrival."""
        return [state for state in self.states if state.fingerprint in self._joined]

    @property
    def firing(self) -> int:
        """Number of firing alerts."""
        return sum(state.status == "firing" for state in self._states.values())

    @property
    def recovered_at(self) -> float | None:
        """When the last alert resolved, in Unix seconds; None while an alert fires or if there is no alert."""
        if not self._states or self.firing:
            return None
        return max(state.ends_at or 0.0 for state in self._states.values())

    @property
    def refired(self) -> int:
        """How often alerts fired again after they had resolved."""
        return sum(state.again for state in self._states.values())

    def apply(self, notification: AlertNotification) -> bool:
        """Apply a notification, which may be late, repeated or out of order. Returns whether anything changed."""
        changed = [alert for alert in notification.alerts if self._apply(alert, notification.at)]
        self.unread = [*self.unread, *map(_bounded, changed)][-MAX_UNREAD:]
        return bool(changed)

    def take_unread(self) -> list[Alert]:
        """Return the unread changes, and mark them as read."""
        unread, self.unread, self._joined = self.unread, [], {}
        return unread

    def take_joined(self, fingerprints: Iterable[str] | None = None) -> list[AlertState]:
        """Return the alerts that joined, all or some, and count them as joined no longer. They stay unread."""
        alerts = self.joined_alerts
        for fingerprint in list(self._joined) if fingerprints is None else fingerprints:
            self._joined.pop(fingerprint, None)
        return alerts

    def _apply(self, alert: Alert, at: float) -> bool:
        known = self._states.get(alert.fingerprint)
        if known is None:
            return self._add(alert, at)
        if alert.status == "firing":
            return self._fire(alert, known)
        return self._end(alert, known, at)

    def _add(self, alert: Alert, at: float) -> bool:
        """Track a new alert. A resolved one is tracked too, so that its late firing notification is recognized."""
        if len(self._states) >= MAX_TRACKED_ALERTS and not self._forget():
            self.untracked += 1
            return False
        is_firing = alert.status == "firing"
        fields = {
            "fingerprint": alert.fingerprint,
            "status": alert.status,
            "title": cap(alert.title, TITLE_BYTES)[0],
            "severity": alert.severity,
            "episode": alert.episode,
            "starts_at": alert.starts_at,
            "ends_at": None if is_firing else alert.ends_at or at,
        }
        present = {name: value for name, value in fields.items() if value is not None}
        self._states[alert.fingerprint] = AlertState.model_validate(present)
        if is_firing:
            self._joined[alert.fingerprint] = None
        return is_firing

    def _forget(self) -> bool:
        resolved = next((state for state in self._states.values() if state.status == "resolved"), None)
        if resolved is not None:
            del self._states[resolved.fingerprint]
        return resolved is not None

    def _fire(self, alert: Alert, known: AlertState) -> bool:
        if known.status == "firing" and is_repeat(alert, known):
            return False
        if known.status == "resolved" and alert.episode is not None and alert.episode == known.episode:
            return False  # the notification was delayed; this firing has resolved
        if alert.starts_at is not None and known.starts_at is not None and alert.starts_at <= known.starts_at:
            return False  # a delayed notification of an earlier firing
        if self.recovered_at is not None:
            self._joined[alert.fingerprint] = None
        fired = {"status": "firing", "starts_at": alert.starts_at, "ends_at": None, "again": known.again + 1}
        title = cap(alert.title, TITLE_BYTES)[0]
        self._set(known, **fired, title=title, severity=alert.severity, episode=alert.episode)
        return True

    def _end(self, alert: Alert, known: AlertState, at: float) -> bool:
        """Resolve an alert. If the firing it ends began later than the known one, its start was never received."""
        later = alert.starts_at is not None and known.starts_at is not None and alert.starts_at > known.starts_at
        was_firing = known.status == "firing"
        if not later and not (was_firing and ends_firing(alert, known)):
            return False
        firing = {"starts_at": alert.starts_at, "episode": alert.episode} if later else {}
        self._set(known, status="resolved", ends_at=alert.ends_at or at, **firing)
        return was_firing

    def _set(self, known: AlertState, **changes: object) -> None:
        fields = {**known.model_dump(exclude_unset=True), **changes}
        present = {name: value for name, value in fields.items() if value is not None}
        self._states[known.fingerprint] = AlertState.model_validate(present)


def is_repeat(alert: Alert, earlier: Alert | AlertState) -> bool:
    """Return whether a firing alert of the same group is the same firing as an earlier one."""
    return alert.fingerprint == earlier.fingerprint and _same(alert.episode, earlier.episode)


def ends_firing(resolved: Alert, fired: Alert | AlertState) -> bool:
    """Return whether a resolved alert ends a firing one: it is the same firing, or it ended after that firing began.

    Requests can arrive out of order: the end of an earlier firing may arrive after the next one has begun.
    """
    if resolved.fingerprint != fired.fingerprint:
        return False
    later = resolved.ends_at is not None and fired.starts_at is not None and resolved.ends_at >= fired.starts_at
    return later or _same(resolved.episode, fired.episode)


def firing_id(alert: Alert | AlertState) -> str | None:
    """Return a short id of a firing; None if its sender does not tell one firing from another."""
    if alert.episode is None:
        return None
    return digest_of(canonical_json([alert.fingerprint, alert.episode]))[:11]


def firing_ids(states: Sequence[AlertState]) -> list[str]:
    """Return the id of the latest firing of each alert."""
    return [name for state in states if (name := firing_id(state)) is not None]


def without_details(alert: Alert) -> Alert:
    """Return an alert without its large fields, ``DETAILS``."""
    fields = alert.model_dump(exclude_unset=True)
    return Alert.model_validate({name: value for name, value in fields.items() if name not in DETAILS})


def _bounded(alert: Alert) -> Alert:
    large = len(canonical_json(alert.model_dump(mode="json", exclude_unset=True))) > MAX_ALERT_BYTES
    return without_details(alert) if large else alert


def _same(episode: str | None, other: str | None) -> bool:
    return episode is None or other is None or episode == other
