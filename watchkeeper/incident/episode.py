"""An episode: the alerts of one group while one run is about them (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from watchkeeper.contracts import Alert, AlertNotification, AlertState, digest_of
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.text import cap

MAX_TRACKED_ALERTS = 500
"""Alerts that a run tells apart; beyond these it only knows that there are more."""

MAX_UNREAD = 30
"""Changes of alerts, the latest ones, that wait to be put to the model."""

DETAILS = ("description", "labels", "links")
TITLE_BYTES = 150
MAX_ALERT_BYTES = 4_000
"""How much of an alert is remembered: what is carried into another execution is bounded, with all else that is."""


class Episode:
    """What is known of a group's alerts, and what of it the model has not read."""

    def __init__(self, states: Iterable[AlertState] = (), unread: Iterable[Alert] = ()) -> None:
        self._states = {state.fingerprint: state for state in states}
        self.unread = list(unread)
        self.joined = sum(alert.status == "firing" for alert in self.unread)
        """How many of the unread fire for the first time in this episode, or after all were over."""
        self.untracked = 0
        """Alerts beyond those that are told apart."""

    def __eq__(self, other: object) -> bool:
        """Whether the same is known."""
        return isinstance(other, Episode) and (self.states, self.unread) == (other.states, other.unread)

    @property
    def states(self) -> list[AlertState]:
        """Every alert that is told apart, in the order in which they came."""
        return list(self._states.values())

    @property
    def firing(self) -> int:
        """How many alerts fire."""
        return sum(state.status == "firing" for state in self._states.values())

    @property
    def recovered_at(self) -> float | None:
        """When the last alert was over, in Unix seconds; None while one fires, or when there is none."""
        if not self._states or self.firing:
            return None
        return max(state.ends_at or 0.0 for state in self._states.values())

    @property
    def refired(self) -> int:
        """How often alerts of it fired again."""
        return sum(state.again for state in self._states.values())

    def apply(self, told: AlertNotification) -> bool:
        """Take what a sender says, which may be late, twice or out of order; True if anything changed by it."""
        changed = [alert for alert in told.alerts if self._apply(alert, told.at)]
        self.unread = [*self.unread, *map(_bounded, changed)][-MAX_UNREAD:]
        return bool(changed)

    def take_unread(self) -> list[Alert]:
        """Give what the model has not read, which it then has."""
        unread, self.unread, self.joined = self.unread, [], 0
        return unread

    def _apply(self, alert: Alert, at: float) -> bool:
        known = self._states.get(alert.fingerprint)
        if known is None:
            return self._add(alert, at)
        if alert.status == "firing":
            return self._fire(alert, known)
        return self._end(alert, known, at)

    def _add(self, alert: Alert, at: float) -> bool:
        """Know one more alert; what is over before it was known to fire is known, so that its firing comes too late."""
        if len(self._states) >= MAX_TRACKED_ALERTS and not self._forget():
            self.untracked += 1
            return False
        fires = alert.status == "firing"
        facts = {
            "fingerprint": alert.fingerprint,
            "status": alert.status,
            "title": cap(alert.title, TITLE_BYTES)[0],
            "severity": alert.severity,
            "episode": alert.episode,
            "starts_at": alert.starts_at,
            "ends_at": None if fires else alert.ends_at or at,
        }
        present = {name: fact for name, fact in facts.items() if fact is not None}
        self._states[alert.fingerprint] = AlertState.model_validate(present)
        self.joined += fires
        return fires

    def _forget(self) -> bool:
        over = next((state for state in self._states.values() if state.status == "resolved"), None)
        if over is not None:
            del self._states[over.fingerprint]
        return over is not None

    def _fire(self, alert: Alert, known: AlertState) -> bool:
        if known.status == "firing" and is_repeat(alert, known):
            return False
        if known.status == "resolved" and alert.episode is not None and alert.episode == known.episode:
            return False  # it overtook its own end
        if alert.starts_at is not None and known.starts_at is not None and alert.starts_at <= known.starts_at:
            return False  # an earlier firing, told late
        self.joined += self.recovered_at is not None
        fired = {"status": "firing", "starts_at": alert.starts_at, "ends_at": None, "again": known.again + 1}
        title = cap(alert.title, TITLE_BYTES)[0]
        self._set(known, **fired, title=title, severity=alert.severity, episode=alert.episode)
        return True

    def _end(self, alert: Alert, known: AlertState, at: float) -> bool:
        """Take the end of a firing, which may be of one that is not known to have begun: that then comes too late."""
        later = alert.starts_at is not None and known.starts_at is not None and alert.starts_at > known.starts_at
        fired = known.status == "firing"
        if not later and not (fired and ends_firing(alert, known)):
            return False
        which = {"starts_at": alert.starts_at, "episode": alert.episode} if later else {}
        self._set(known, status="resolved", ends_at=alert.ends_at or at, **which)
        return fired

    def _set(self, known: AlertState, **facts: object) -> None:
        now = {
            name: fact for name, fact in {**known.model_dump(exclude_unset=True), **facts}.items() if fact is not None
        }
        self._states[known.fingerprint] = AlertState.model_validate(now)


def is_repeat(alert: Alert, earlier: Alert | AlertState) -> bool:
    """Tell whether an alert that fires is one that fires already, of the same group."""
    return alert.fingerprint == earlier.fingerprint and _same(alert.episode, earlier.episode)


def ends_firing(resolved: Alert, fired: Alert | AlertState) -> bool:
    """Tell whether a resolved alert ends one that fires: the same firing, or a later moment of the same alert.

    Requests overtake each other, so the end of an earlier firing may come after the next has begun.
    """
    if resolved.fingerprint != fired.fingerprint:
        return False
    later = resolved.ends_at is not None and fired.starts_at is not None and resolved.ends_at >= fired.starts_at
    return later or _same(resolved.episode, fired.episode)


def firing_id(alert: Alert | AlertState) -> str | None:
    """Name a firing in few letters, the same each time it is told; None if its sender tells none from another."""
    if alert.episode is None:
        return None
    return digest_of(canonical_json([alert.fingerprint, alert.episode]))[:11]


def firing_ids(states: Sequence[AlertState]) -> list[str]:
    """Name the latest firing of each alert."""
    return [name for state in states if (name := firing_id(state)) is not None]


def without_details(alert: Alert) -> Alert:
    """Return an alert without the details that make it large."""
    said = alert.model_dump(exclude_unset=True)
    return Alert.model_validate({name: fact for name, fact in said.items() if name not in DETAILS})


def _bounded(alert: Alert) -> Alert:
    large = len(canonical_json(alert.model_dump(mode="json", exclude_unset=True))) > MAX_ALERT_BYTES
    return without_details(alert) if large else alert


def _same(episode: str | None, other: str | None) -> bool:
    return episode is None or other is None or episode == other
