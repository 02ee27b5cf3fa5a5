"""Alerts of large groups without their titles, and short ids of firings (pure)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import overload

from watchkeeper.contracts import (
    Alert,
    AlertNotification,
    AlertState,
    CompactAlert,
    CompactState,
    digest_of,
    severity_rank,
)
from watchkeeper.llm.conversation import canonical_json

MAX_TITLED_ALERTS = 500
"""Alerts of which a run keeps fingerprint and title. Of further ones it keeps a digest and whether they fire."""

NO_TITLE = f"(one of over {MAX_TITLED_ALERTS} alerts; its title is not kept)"

SHORT_ID = 6
"""Characters of a firing's id where thousands of ids are kept: one in 14 million of other firings has the same."""


def listed_compactly(notification: AlertNotification, is_needed: Callable[[CompactAlert], bool]) -> Iterator[Alert]:
    """Yield the alerts that a notification lists without details, each if it is needed when its turn comes.

    The notification also lists at least one with details.
    """
    if not notification.alerts:
        return
    first, titles = notification.alerts[0], notification.titles
    for row in notification.more:
        if not is_needed(row):
            continue
        fields = {
            "source": first.source,
            "group": first.group,
            "fingerprint": row.fingerprint,
            "status": row.status,
            "title": titles[row.title] if 0 <= row.title < len(titles) else NO_TITLE,
            "severity": row.severity,
            "starts_at": row.starts_at,
            "ends_at": row.ends_at,
            "episode": row.episode,
            "as_of": None if first.as_of is None else _as_of(row),
            "late_for": first.late_for,
        }
        yield Alert.model_validate({name: value for name, value in fields.items() if value is not None})


def says_nothing_new(row: CompactAlert, known: AlertState, *, is_ordered: bool) -> bool:
    """Return whether an alert is just what is known of it. In a large group most are, each time it is notified.

    ``is_ordered``: the notification says when its alerts were so.
    """
    if row.status != known.status or known.episode is None:
        return False
    as_of = _as_of(row) if is_ordered else None
    if row.status == "resolved":
        return row.starts_at in (None, known.starts_at) and as_of in (None, known.ended_as_of)
    if as_of not in (None, known.as_of) or severity_rank(row.severity) != severity_rank(known.severity):
        return False
    return known.episode == (_short_id(row.fingerprint, row.episode) if known.title == NO_TITLE else row.episode)


def _as_of(row: CompactAlert) -> float | None:
    return row.starts_at if row.status == "firing" else row.ends_at


def firing_id(alert: Alert | AlertState) -> str | None:
    """Return a short id of a firing; None if its sender does not tell one firing from another."""
    if alert.episode is None or (isinstance(alert, AlertState) and alert.title == NO_TITLE):
        return alert.episode
    return _short_id(alert.fingerprint, alert.episode)


def _short_id(fingerprint: str, episode: str | None) -> str | None:
    return None if episode is None else digest_of(canonical_json([fingerprint, episode]))[:11]


def message_id(message: str) -> str:
    """Return the short id under which a run remembers a message."""
    return digest_of(message.encode("utf-8", "surrogatepass"))[:11]


def firing_ids(states: Sequence[AlertState]) -> list[str]:
    """Return the id of the latest firing of each alert that has a title and whose episode cannot come again."""
    titled = (state for state in states if state.title != NO_TITLE and _is_final(state))
    return [name for state in titled if (name := firing_id(state)) is not None]


def short_firing_ids(states: Sequence[AlertState]) -> str:
    """Return the joined beginnings of the firing ids of the alerts without a title."""
    untitled = (state for state in states if state.title == NO_TITLE and _is_final(state))
    return "".join(state.episode[:SHORT_ID] for state in untitled if state.episode)


def _is_final(state: AlertState) -> bool:
    return state.status == "firing" or state.late_for is None


def short_fingerprint(fingerprint: str) -> str:
    """Return the digest under which an alert without a title is known."""
    return "~" + digest_of(fingerprint.encode("utf-8", "surrogatepass"))[:15]


@overload
def compacted(alert: Alert) -> Alert: ...
@overload
def compacted(alert: AlertState) -> AlertState: ...
def compacted(alert: Alert | AlertState) -> Alert | AlertState:
    """Return an alert with identifiers of a fixed size and without its title."""
    changes = {"fingerprint": short_fingerprint(alert.fingerprint), "episode": firing_id(alert), "title": NO_TITLE}
    return alert.model_copy(update=changes)


def to_row(state: AlertState) -> CompactState:
    """Return an alert without a title, to carry."""
    return CompactState(
        state.fingerprint,
        state.status,
        state.severity,
        state.starts_at,
        state.ends_at,
        state.episode,
        state.again,
        state.late_for,
    )


def from_row(row: CompactState) -> AlertState:
    """Return an alert that was carried."""
    is_firing = row.status == "firing"
    fields = {
        "fingerprint": row.fingerprint,
        "status": row.status,
        "title": NO_TITLE,
        "severity": row.severity,
        "episode": row.firing,
        "starts_at": row.starts_at,
        "ends_at": row.ends_at,
        "again": row.again or None,
        "as_of": row.starts_at if is_firing else row.ends_at,
        "ended_as_of": None if is_firing else row.ends_at,
        "late_for": row.late_for,
    }
    return AlertState.model_validate({name: value for name, value in fields.items() if value is not None})
