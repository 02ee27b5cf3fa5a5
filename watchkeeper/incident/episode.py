"""The state of an episode: the alerts of one group that concern one run (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain

from watchkeeper.contracts import Alert, AlertNotification, AlertState, CompactAlert, CompactState, severity_rank
from watchkeeper.incident import unordered_firings
from watchkeeper.incident.compact_alerts import (
    MAX_TITLED_ALERTS,
    compacted,
    from_row,
    listed_compactly,
    message_id,
    says_nothing_new,
    short_fingerprint,
    to_row,
)
from watchkeeper.incident.firing_order import FiringEffect, end_effect, firing_effect, names_firing, state_of
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.text import cap

MAX_TRACKED_ALERTS = 5_000
"""Alerts of a group that a run tracks. It only counts further ones. The intake records this bound in each signal."""

MAX_MESSAGES = 50
"""Ids of messages that a run remembers, the latest ones."""

MAX_UNREAD = 30
"""Changes of alerts that wait for the next model request. Only the latest are kept."""

DETAILS = ("description", "labels", "links")
TITLE_BYTES = 150
MAX_ALERT_BYTES = 4_000
"""Size of an alert up to which its details are kept, because continue-as-new carries a bounded state."""


class Episode:
    """The alerts of a group, and the changes that the model has not read."""

    def __init__(
        self,
        states: Iterable[AlertState] = (),
        unread: Iterable[Alert] = (),
        compact: Iterable[CompactState] = (),
        unlisted: int = 0,
        messages: Iterable[str] = (),
    ) -> None:
        self._states: dict[str, AlertState] = {}
        self._compact: dict[str, None] = {}
        """Keys of the alerts without a title. Their key is a digest of the fingerprint."""
        self._resolved_compact: dict[str, None] = {}
        self._firing = 0
        self._bound = 0
        for state in states:
            self._put(state)
        for row in compact:
            self._compact[row.fingerprint] = None
            self._put(from_row(row))
            self._bound = MAX_TRACKED_ALERTS
        self.messages = list(messages)
        """Ids of the latest messages of senders whose times do not tell a message that is sent twice."""
        self.older_ends: list[Alert] = []
        """Ends in the latest notification that belong to earlier firings than the open ones."""
        self._lowered = False
        self.unread = list(unread)
        self._joined = dict.fromkeys(self._key(alert) for alert in self.unread if alert.status == "firing")
        self.untracked = 0
        """Number of alerts that arrived beyond the bound."""
        self.unlisted = unlisted
        """Number of alerts that may fire although the run does not track them: their sender left them out, or there
        were too many."""

    def __eq__(self, other: object) -> bool:
        """Compare the alerts and the unread changes."""
        return isinstance(other, Episode) and (self.states, self.unread, self.unlisted) == (
            other.states,
            other.unread,
            other.unlisted,
        )

    @property
    def states(self) -> list[AlertState]:
        """Every tracked alert, in order of arrival. Those without a title have ``NO_TITLE``."""
        return list(self._states.values())

    @property
    def titled(self) -> list[AlertState]:
        """The alerts with a title, in order of arrival."""
        return [state for key, state in self._states.items() if key not in self._compact]

    @property
    def compact(self) -> list[CompactState]:
        """The alerts without a title, to carry."""
        return [to_row(self._states[key]) for key in self._states if key in self._compact]

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
        return self._firing

    @property
    def recovered_at(self) -> float | None:
        """When the last alert resolved, in Unix seconds; None while an alert fires or may fire, or without any."""
        if not self._states or self._firing or self.unlisted:
            return None
        return max(state.ends_at or 0.0 for state in self._states.values())

    @property
    def refired(self) -> int:
        """How often alerts fired again after they had resolved."""
        return sum(state.again for state in self._states.values())

    def apply(self, notification: AlertNotification, *, in_order: bool = True) -> bool:
        """Apply a notification, which may be late, repeated or out of order. Returns whether anything changed.

        ``in_order=False`` is for runs that began with the rules of ``unordered_firings``.
        """
        before, at = self.unlisted, notification.at
        self.older_ends, self._lowered = [], False
        self._bound = bound = max(self._bound, notification.tracked or MAX_TITLED_ALERTS)
        if notification.unlisted is not None:
            self.unlisted = notification.unlisted
        is_ordered = bool(notification.alerts) and notification.alerts[0].as_of is not None

        def is_needed(row: CompactAlert) -> bool:
            known = self._known(row.fingerprint)
            return not in_order or known is None or not says_nothing_new(row, known, is_ordered=is_ordered)

        alerts = chain(notification.alerts, listed_compactly(notification, is_needed))
        changed = [alert for alert in alerts if self._apply(alert, at, bound, in_order=in_order)]
        if notification.more:
            changed = changed[:MAX_UNREAD]  # the worst ones come first
        self.unread = [*self.unread, *map(_bounded, changed)][-MAX_UNREAD:]
        return bool(changed) or self._lowered or self.unlisted != before

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

    def _key(self, alert: Alert) -> str:
        """Return the key of a known alert."""
        return alert.fingerprint if alert.fingerprint in self._states else short_fingerprint(alert.fingerprint)

    def _known(self, fingerprint: str) -> AlertState | None:
        known = self._states.get(fingerprint)
        return self._states.get(short_fingerprint(fingerprint)) if known is None and self._compact else known

    def _apply(self, alert: Alert, at: float, bound: int, *, in_order: bool) -> bool:
        """Apply an alert. Returns whether the model is to read it."""
        known = self._known(alert.fingerprint)
        if known is not None and known.fingerprint != alert.fingerprint:
            alert = compacted(alert)
        if in_order and self._is_second(alert):
            if known is not None and alert.status == "resolved":
                self._ignore_end(alert, known)
            return False
        if known is None:
            return self._add(alert, at, bound)
        if alert.status == "firing":
            return self._fire(alert, known, at, in_order=in_order)
        return self._end(alert, known, at, in_order=in_order)

    def _is_second(self, alert: Alert) -> bool:
        """Record the message of an alert; True if it has come before."""
        if alert.message is None:
            return False
        name = message_id(alert.message)
        if name in self.messages:
            return True
        self.messages = [*self.messages, name][-MAX_MESSAGES:]
        return False

    def _add(self, alert: Alert, at: float, bound: int) -> bool:
        """Track a new alert. A resolved one is tracked too, so that its late firing notification is recognized."""
        is_firing = alert.status == "firing"
        if len(self._states) >= bound and not self._forget():
            self.untracked += 1
            if is_firing and bound > MAX_TITLED_ALERTS:  # versions with a lower bound did not count it as firing
                self.unlisted += 1
            return False
        state = state_of(alert, at)
        if len(self._states) - len(self._compact) >= MAX_TITLED_ALERTS and not self._make_compact():
            state = compacted(state)
            self._compact[state.fingerprint] = None
        elif (title := cap(alert.title, TITLE_BYTES)[0]) != alert.title:
            state = state.model_copy(update={"title": title})
        self._put(state)
        if is_firing:
            self._joined[state.fingerprint] = None
        return is_firing

    def _forget(self) -> bool:
        """Forget a resolved alert; False if every alert fires."""
        key = next(iter(self._resolved_compact), None) or self._first_resolved()
        if key is None:
            return False
        self._drop(key)
        if self._bound > MAX_TITLED_ALERTS:  # versions with a lower bound left it
            self._joined.pop(key, None)
        return True

    def _make_compact(self) -> bool:
        """Keep no longer the title of a resolved alert; False if every alert with a title fires."""
        if (key := self._first_resolved()) is None:
            return False
        state = self._states[key]
        self._drop(key)
        self._joined.pop(key, None)
        untitled = compacted(state)
        self._compact[untitled.fingerprint] = None
        self._put(untitled)
        return True

    def _first_resolved(self) -> str | None:
        """Return the key of the first alert with a title that is resolved."""
        if len(self._states) - self._firing == len(self._resolved_compact):
            return None
        titled = ((key, state) for key, state in self._states.items() if key not in self._compact)
        return next((key for key, state in titled if state.status == "resolved"), None)

    def _put(self, state: AlertState) -> None:
        key, is_firing = state.fingerprint, state.status == "firing"
        before = self._states.get(key)
        self._firing += is_firing - (before is not None and before.status == "firing")
        self._states[key] = state
        if is_firing:
            self._resolved_compact.pop(key, None)
        elif key in self._compact:
            self._resolved_compact[key] = None

    def _drop(self, key: str) -> None:
        self._firing -= self._states.pop(key).status == "firing"
        self._compact.pop(key, None)
        self._resolved_compact.pop(key, None)

    def _fire(self, alert: Alert, known: AlertState, at: float, *, in_order: bool) -> bool:
        effect = firing_effect(alert, known, at) if in_order else unordered_firings.firing_effect(alert, known)
        if effect == "again":
            return self._fire_again(alert, known)
        if not in_order:
            return False
        if names_firing(alert, known):
            self._set(known, episode=alert.episode, starts_at=alert.starts_at or known.starts_at)
        if effect == "late":
            return False
        known = self._states[alert.fingerprint]
        self._set(known, as_of=_later(alert.as_of, known.as_of))
        return self._change_severity(alert, known, effect) if effect in ("raised", "lowered") else False

    def _fire_again(self, alert: Alert, known: AlertState) -> bool:
        if not self._firing:
            self._joined[alert.fingerprint] = None
        starts_at = alert.starts_at
        if known.ends_at is not None and starts_at is not None and alert.as_of is not None:
            starts_at = max(starts_at, min(known.ends_at, alert.as_of))
        fired = {"status": "firing", "starts_at": starts_at, "ends_at": None, "again": known.again + 1}
        order = {"as_of": alert.as_of, "changed_at": None, "late_for": alert.late_for}
        title = cap(alert.title, TITLE_BYTES)[0]
        self._set(known, **fired, **order, title=title, severity=alert.severity, episode=alert.episode)
        return True

    def _change_severity(self, alert: Alert, known: AlertState, effect: FiringEffect) -> bool:
        """Take another severity. Raised above all that it had, the alert counts as one that joins."""
        peak = min(known.severity, known.peak or known.severity, key=severity_rank)
        raised = effect == "raised" and severity_rank(alert.severity) < severity_rank(peak)
        if raised:
            self._joined[alert.fingerprint] = None
        self._set(self._states[alert.fingerprint], severity=alert.severity, peak=None if raised else peak)
        self._lowered = self._lowered or effect == "lowered"
        return effect == "raised"

    def _end(self, alert: Alert, known: AlertState, at: float, *, in_order: bool) -> bool:
        """Resolve an alert. If the firing it ends began later than the known one, its start was never received."""
        effect = end_effect(alert, known) if in_order else unordered_firings.end_effect(alert, known)
        if effect == "older":
            self._ignore_end(alert, known)
        later = alert.starts_at is not None and known.starts_at is not None and alert.starts_at > known.starts_at
        moved = in_order and effect == "known" and (later or _is_later(alert.as_of, known.ended_as_of))
        if effect != "ends" and not moved:
            return False
        firing = {"starts_at": alert.starts_at, "episode": alert.episode} if later else {}
        order = {"as_of": alert.as_of, "ended_as_of": _later(alert.as_of, known.ended_as_of), "changed_at": at}
        was_firing = known.status == "firing"
        self._set(known, status="resolved", ends_at=alert.ends_at or at, **firing, **order)
        return was_firing

    def _ignore_end(self, alert: Alert, known: AlertState) -> None:
        """Ignore the end of an earlier firing, and say so where the alert still fires."""
        if known.status == "firing":
            self._set(known, older_ends=known.older_ends + 1)
            self.older_ends.append(alert)

    def _set(self, known: AlertState, **changes: object) -> None:
        fields = {**known.model_dump(exclude_unset=True), **changes}
        present = {name: value for name, value in fields.items() if value is not None}
        self._put(AlertState.model_validate(present))


def without_details(alert: Alert) -> Alert:
    """Return an alert without its large fields, ``DETAILS``."""
    fields = alert.model_dump(exclude_unset=True)
    return Alert.model_validate({name: value for name, value in fields.items() if name not in DETAILS})


def _bounded(alert: Alert) -> Alert:
    large = len(canonical_json(alert.model_dump(mode="json", exclude_unset=True))) > MAX_ALERT_BYTES
    return without_details(alert) if large else alert


def _later(one: float | None, other: float | None) -> float | None:
    return max((at for at in (one, other) if at is not None), default=None)


def _is_later(one: float | None, other: float | None) -> bool:
    return one is not None and (other is None or one > other)
