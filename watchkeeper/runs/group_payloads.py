"""Separate the groups of a body. Of a large group only the worst alerts keep their details."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from watchkeeper.alerts.alert_selection import worst_first
from watchkeeper.alerts.silence_link import silence_url
from watchkeeper.alerts.source import ParsedPayload
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.contracts import Alert
from watchkeeper.incident.episode import MAX_UNREAD, without_details

MAX_DETAILED = MAX_UNREAD
"""Alerts of one group that keep their details: the model reads at most this number at once."""


def group_payloads(payload: ParsedPayload, section: SourceSection) -> list[ParsedPayload]:
    """Return a payload for each group.

    A group of more than ``MAX_DETAILED`` alerts is ordered by what fires and is worst, and its further alerts have no
    details. So a body of any size takes little memory while Temporal accepts its groups.
    """
    if payload.is_group:
        return [payload]
    groups: dict[str, list[Alert]] = {}
    for alert in payload.alerts:
        groups.setdefault(alert.group, []).append(alert)
    return [_group_payload(payload, section, alerts) for alerts in groups.values()]


def _group_payload(payload: ParsedPayload, section: SourceSection, alerts: Sequence[Alert]) -> ParsedPayload:
    group = alerts[0].group
    silences = payload.silences
    if len(alerts) > MAX_DETAILED:
        silence = silences.get(group) or silence_url(section.kind, alerts)
        silences = {group: silence} if silence else {}
        ordered = worst_first(alerts, section)
        alerts = [*ordered[:MAX_DETAILED], *(_compact(alert, section) for alert in ordered[MAX_DETAILED:])]
    return replace(payload, alerts=list(alerts), silences=silences, ignored=[], confirm=None, is_group=True)


def _compact(alert: Alert, section: SourceSection) -> Alert:
    """Return an alert without details, except the labels that decide whether it starts a run and for which service."""
    names = {*section.labels, *section.ignore, *section.service_labels}
    labels = {name: value for name, value in alert.labels.items() if name in names}
    return without_details(alert).model_copy(update={"labels": labels} if labels else {})
