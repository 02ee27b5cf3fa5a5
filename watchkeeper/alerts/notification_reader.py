"""Read the argument of the signal ``alert``. Anyone with access to Temporal can send one by hand, with any argument."""

from __future__ import annotations

from pydantic import ValidationError

from watchkeeper.alerts.identity import MAX_BYTES as IDENTITY_BYTES
from watchkeeper.alerts.identity import identity
from watchkeeper.alerts.plain_text import printable, printable_line
from watchkeeper.alerts.severity import MAX_BYTES as SEVERITY_BYTES
from watchkeeper.contracts import MAX_AHEAD, Alert, AlertNotification, CompactAlert
from watchkeeper.text import cap, excerpt

YEAR = 366 * 86_400.0
"""Seconds. A time further in the future is wrong, and timers cannot wait that long."""

ALERT_BYTES = 64_000
"""Largest alert whose details are kept. Alerts from the intake are smaller."""

_TEXTS = {"title": 2_000, "severity": 200, "service": 200, "team": 200}
"""Largest size of each text in bytes. The intake cuts them shorter."""

_MORE = 20_000
_NOTES = 100
_NOTE_BYTES = 2_000
_LINK_CHARACTERS = 2_000


def read_notification(value: object, now: float) -> AlertNotification | None:
    """Return the notification that a signal holds, within the bounds that the intake keeps; None if it holds none.

    Args:
        value: Decoded argument of the signal.
        now: Unix seconds at which a worker or a view reads the signal; it replaces a time of arrival that is no time.
    """
    try:
        read = AlertNotification.model_validate(value)
    except ValidationError:
        return None
    changes: dict[str, object] = {}
    alerts = [_bounded(alert, now) for alert in read.alerts]
    if any(bounded is not alert for bounded, alert in zip(alerts, read.alerts, strict=True)):
        changes["alerts"] = alerts
    if len(read.more) > _MORE or any(_bounded_row(row, now) is not row for row in read.more):
        changes["more"] = [_bounded_row(row, now) for row in read.more[:_MORE]]
    if not _is_time(read.at, now):
        changes["at"] = now
    if len(read.notes) > _NOTES or any(len(note) > _NOTE_BYTES for note in read.notes):
        changes["notes"] = [excerpt(printable(note), _NOTE_BYTES) for note in read.notes[:_NOTES]]
    if read.silence is not None and len(read.silence) > _LINK_CHARACTERS:
        changes["silence"] = None
    return read.model_copy(update=changes) if changes else read


def _bounded(alert: Alert, now: float) -> Alert:
    """Return the alert itself if it is within its bounds."""
    changes: dict[str, object] = {
        name: None
        for name, ahead in (("starts_at", YEAR), ("ends_at", YEAR), ("as_of", MAX_AHEAD))
        if (at := getattr(alert, name)) is not None and not 0 <= at <= now + ahead  # false for NaN
    }
    for name in ("fingerprint", "episode"):
        if (known := getattr(alert, name)) is not None and len(known) > IDENTITY_BYTES:
            changes[name] = identity(known)
    for name, most in _TEXTS.items():
        if (text := getattr(alert, name)) is not None and text != (line := cap(printable_line(text), most)[0]):
            changes[name] = line
    if _size(alert) > ALERT_BYTES:
        changes |= {"description": "", "labels": {}, "links": {}}
    return alert.model_copy(update=changes) if changes else alert


def _bounded_row(row: CompactAlert, now: float) -> CompactAlert:
    changes: dict[str, object] = {
        name: None
        for name in ("starts_at", "ends_at")
        if (at := getattr(row, name)) is not None and not _is_time(at, now)
    }
    for name in ("fingerprint", "episode"):
        if (known := getattr(row, name)) is not None and len(known) > IDENTITY_BYTES:
            changes[name] = identity(known)
    if row.severity is not None and row.severity != (line := cap(printable_line(row.severity), SEVERITY_BYTES)[0]):
        changes["severity"] = line
    return row._replace(**changes) if changes else row  # type: ignore[arg-type]  # each value is of its field's type


def _is_time(at: float, now: float) -> bool:
    return 0 <= at <= now + YEAR  # false for NaN


def _size(alert: Alert) -> int:
    texts = [alert.description, *alert.labels, *alert.labels.values(), *alert.links, *alert.links.values()]
    return sum(map(len, texts))
