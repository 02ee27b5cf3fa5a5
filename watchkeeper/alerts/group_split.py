"""Separate alerts of equal groups by labels, such as the cluster: ``split_by`` in the settings of a source.

Alertmanagers of two clusters with the same configuration give the same group key to alerts of both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TypeVar

from watchkeeper.alerts.identity import identity
from watchkeeper.alerts.source import ParsedPayload
from watchkeeper.contracts import Alert

T = TypeVar("T")


def split_groups(payload: ParsedPayload, labels: Sequence[str]) -> ParsedPayload:
    """Return a payload whose groups are split by the values of labels. An alert with none of them keeps its group."""
    if not labels:
        return payload
    alerts = [_split(alert, labels) for alert in payload.alerts]
    before = {alert.group: earlier.group for earlier, alert in zip(payload.alerts, alerts, strict=True)}
    return replace(
        payload,
        alerts=alerts,
        opened_keys=_renamed(payload.opened_keys, before),
        unlisted=_renamed(payload.unlisted, before),
        left_out=_renamed(payload.left_out, before),
    )


def _renamed(values: Mapping[str, T], before: Mapping[str, str]) -> dict[str, T]:
    return {group: values[earlier] for group, earlier in before.items() if earlier in values}


def _split(alert: Alert, labels: Sequence[str]) -> Alert:
    values = [alert.labels.get(label, "") for label in labels]
    return alert.model_copy(update={"group": identity(alert.group, *values)}) if any(values) else alert
