"""The signals that report the alerts of one group to its run, each within the size that Temporal accepts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from watchkeeper.alerts.silence_link import silence_url
from watchkeeper.alerts.source import ParsedPayload
from watchkeeper.contracts import Alert, AlertNotification, CompactAlert
from watchkeeper.incident.episode import MAX_TRACKED_ALERTS, TITLE_BYTES, without_details
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.runs.group_payloads import MAX_DETAILED
from watchkeeper.text import cap

DETAILS_BYTES = 256 * 1024
"""Size of the alerts with details in one signal. Further ones are sent without details."""

COMPACT_BYTES = 512 * 1024
"""Size of the compact alerts in one signal. Further ones are sent in further signals; Temporal refuses 2 MiB."""


def notifications(payload: ParsedPayload, kind: str, received_at: float) -> list[AlertNotification]:
    """Return the signals about one group, in the order in which the run must receive them.

    A signal that lists what fires comes first: a run that has only the first one never takes the group for recovered.

    Args:
        payload: Alerts of one group. If there are many, the worst are first.
        kind: Kind of the source.
        received_at: Unix seconds.
    """
    alerts, group = payload.alerts, payload.alerts[0].group
    first, further = alerts[:MAX_DETAILED], list(_chunks(alerts[MAX_DETAILED:]))
    signals = [_notification(_within_size(first), further[0] if further else [], received_at)]
    signals += [_notification([without_details(chunk[0])], chunk[1:], received_at) for chunk in further[1:]]
    notes = [*payload.notes, *_size_notes(payload, group)]
    optional = {
        "notes": notes,
        "silence": payload.silences.get(group) or silence_url(kind, alerts),
        "unlisted": payload.unlisted.get(group),
    }
    present = {name: value for name, value in optional.items() if value or value == 0}
    return [signals[0].model_copy(update=present), *signals[1:]]


def _notification(alerts: list[Alert], more: Sequence[Alert], at: float) -> AlertNotification:
    notification = AlertNotification(alerts=alerts, at=at, tracked=MAX_TRACKED_ALERTS)
    if not more:
        return notification
    titles = list(dict.fromkeys(_title(alert) for alert in more))
    numbers = {title: number for number, title in enumerate(titles)}
    rows = [_compact(alert, numbers[_title(alert)]) for alert in more]
    return notification.model_copy(update={"more": rows, "titles": titles})


def _size_notes(payload: ParsedPayload, group: str) -> list[str]:
    alerts = payload.alerts
    notes = list[str]()
    if len(alerts) > MAX_DETAILED:
        firing = sum(alert.status == "firing" for alert in alerts)
        notes.append(
            f"one notification held {len(alerts)} alerts of the group, {firing} of them firing; the worst "
            f"{MAX_DETAILED} have details"
        )
    if left_out := payload.left_out.get(group, 0):
        notes.append(f"{left_out} more alerts of the notification were not read; the firing and the worst ones were")
    return notes


def _within_size(alerts: Sequence[Alert]) -> list[Alert]:
    """Remove the details of the alerts that exceed ``DETAILS_BYTES``."""
    room, kept = DETAILS_BYTES, list[Alert]()
    for alert in alerts:
        room -= len(canonical_json(alert.model_dump(mode="json", exclude_unset=True)))
        kept.append(alert if room > 0 else without_details(alert))
    return kept


def _chunks(alerts: Sequence[Alert]) -> Iterator[list[Alert]]:
    chunk, room = list[Alert](), COMPACT_BYTES
    for alert in alerts:
        room -= len(canonical_json(_compact(alert, 0))) + len(_title(alert).encode())
        if room < 0 and chunk:
            yield chunk
            chunk, room = [], COMPACT_BYTES
        chunk.append(alert)
    if chunk:
        yield chunk


def _compact(alert: Alert, title: int) -> CompactAlert:
    return CompactAlert(
        alert.fingerprint,
        alert.status,
        title,
        alert.severity,
        alert.starts_at,
        alert.ends_at,
        alert.episode,
    )


def _title(alert: Alert) -> str:
    return cap(alert.title, TITLE_BYTES)[0]
