"""What the next run of a group knows about the firings that the last one has handled (pure)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from watchkeeper.contracts import Alert, AlertState, EpisodeMemo, digest_of
from watchkeeper.incident.compact_alerts import SHORT_ID, firing_id, message_id
from watchkeeper.incident.firing_order import firing_effect

MAX_REMEMBERED = 30
"""Alerts that the memo of a run holds: lists of runs read all memos, so that it must be small."""

_FACTS = ("status", "severity", "starts_at", "ends_at", "as_of", "ended_as_of", "changed_at", "late_for", "peak")


def remembered_alerts(states: Sequence[AlertState]) -> list[AlertState]:
    """Return the alerts that changed last, with short ids and without titles."""
    latest = sorted(states, key=lambda state: max(state.as_of or 0.0, state.changed_at or 0.0, state.starts_at or 0.0))
    return [_short(state) for state in latest[-MAX_REMEMBERED:]]


def are_handled(alerts: Iterable[Alert], memo: EpisodeMemo, at: float) -> bool:
    """Return whether the last run, which is closed, has handled these firing alerts: each repeats a firing or is late.

    One is not if its severity was raised since, or if its sender does not name its firings.
    """
    known, marks, more = {state.fingerprint: state for state in memo.alerts}, dict.fromkeys(memo.marks), memo.more
    beginnings = dict.fromkeys(more[start : start + SHORT_ID] for start in range(0, len(more), SHORT_ID))

    def has_mark(alert: Alert) -> bool:
        name = firing_id(alert)
        return name is not None and (name in marks or name[:SHORT_ID] in beginnings)

    for alert in alerts:
        state = known.get(_digest(alert.fingerprint))
        if not (_was_received(alert, memo) or (has_mark(alert) if state is None else _is_handled(alert, state, at))):
            return False
    return True


def _was_received(alert: Alert, memo: EpisodeMemo) -> bool:
    return alert.message is not None and message_id(alert.message) in memo.messages


def _is_handled(alert: Alert, known: AlertState, at: float) -> bool:
    episode = None if alert.episode is None else _digest(alert.episode)
    effect = firing_effect(alert.model_copy(update={"episode": episode}), known, at)
    if effect == "repeat":
        return episode is not None and episode == known.episode
    return effect in ("late", "lowered")


def _short(state: AlertState) -> AlertState:
    facts: dict[str, object] = {name: getattr(state, name) for name in _FACTS}
    facts |= {"fingerprint": _digest(state.fingerprint), "title": ""}
    facts["episode"] = None if state.episode is None else _digest(state.episode)
    return AlertState.model_validate({name: value for name, value in facts.items() if value is not None})


def _digest(text: str) -> str:
    return digest_of(text.encode("utf-8", "surrogatepass"))[:11]
