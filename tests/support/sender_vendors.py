"""The messages that each ready-made sender writes about two firings of one alert: its sample with other values."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from tests.support.alert_requests import payload
from tests.support.alert_vendors import BEGAN, STARTS, Message, Vendor, iso

Changes = dict[str, object]


def body(kind: str, changes: Changes) -> dict[str, Any]:
    """Return the sample of a sender with other values, by path."""
    sent: dict[str, Any] = json.loads(payload(kind.replace("_", "-")))
    for path, value in changes.items():
        *outer, last = path.split(".")
        place = sent
        for name in outer:
            place = place[name]
        place[last] = value
    return sent


def _millis(at: float) -> int:
    return round((BEGAN + at) * 1_000)


def _word(message: Message, critical: str, warning: str) -> str:
    return critical if message.severity == "critical" else warning


def _better_stack(message: Message) -> Changes:
    event = "resolved" if message.over else "started" if message.begins else "acknowledged"
    times = {"started_at": iso(STARTS[message.firing]), "resolved_at": iso(message.at) if message.over else None}
    changes: Changes = {f"data.attributes.{name}": value for name, value in times.items()}
    return {"event": event, "data.id": f"{message.firing}", **changes}


def _healthchecks(message: Message) -> Changes:
    now = iso(message.at if message.over else STARTS[message.firing])
    return {"status": "up" if message.over else "down", "now": now}


def _signalfx(message: Message) -> Changes:
    changes: Changes = {"incidentId": f"D{message.firing}", "timestamp": iso(message.at)}
    changes["severity"] = _word(message, "Critical", "Warning")
    return {**changes, "statusExtended": "ok" if message.over else "anomalous"}


def _vrealize(message: Message) -> Changes:
    level = f"ALERT_CRITICALITY_LEVEL_{_word(message, 'CRITICAL', 'WARNING')}"
    changes: Changes = {"alertId": f"a{message.firing}", "startDate": _millis(STARTS[message.firing])}
    changes |= {"criticality": level, "cancelDate": _millis(message.at) if message.over else 0}
    return {**changes, "status": "CANCELED" if message.over else "ACTIVE"}


def _uptime_kuma(message: Message) -> Changes:
    return {"heartbeat.status": 1 if message.over else 0, "heartbeat.time": iso(message.at).replace("T", " ")[:-1]}


def _zabbix(message: Message) -> Changes:
    changes: Changes = {"event_id": f"{message.firing}", "value": "0" if message.over else "1"}
    return {**changes, "severity": _word(message, "5", "2")}


def _icinga2(message: Message) -> Changes:
    state = "OK" if message.over else _word(message, "CRITICAL", "WARNING")
    return {"type": "RECOVERY" if message.over else "PROBLEM", "state": state, "time": BEGAN + message.at}


def _azure_monitor(message: Message) -> Changes:
    essentials = {
        "alertId": f"/alerts/{message.firing}",
        "firedDateTime": iso(STARTS[message.firing]),
        "resolvedDateTime": iso(message.at) if message.over else None,
        "monitorCondition": "Resolved" if message.over else "Fired",
        "severity": _word(message, "Sev0", "Sev2"),
    }
    return {f"data.essentials.{name}": value for name, value in essentials.items()}


def _google_cloud_monitoring(message: Message) -> Changes:
    incident = {
        "incident_id": f"0.{message.firing}",
        "started_at": BEGAN + STARTS[message.firing],
        "ended_at": BEGAN + message.at if message.over else None,
        "state": "closed" if message.over else "open",
        "severity": _word(message, "Critical", "Warning"),
    }
    return {f"incident.{name}": value for name, value in incident.items()}


def _new_relic(message: Message) -> Changes:
    changes: Changes = {"id": f"issue-{message.firing}", "createdAt": _millis(STARTS[message.firing])}
    changes |= {"updatedAt": _millis(message.at), "priority": _word(message, "CRITICAL", "MEDIUM")}
    return {**changes, "state": "CLOSED" if message.over else "ACTIVATED"}


def _grafana_legacy(message: Message) -> Changes:
    return {"state": "ok" if message.over else "alerting", "tags.severity": message.severity}


_CHANGES: dict[str, Callable[[Message], Changes]] = {
    "azure_monitor": _azure_monitor,
    "better_stack": _better_stack,
    "google_cloud_monitoring": _google_cloud_monitoring,
    "grafana_legacy": _grafana_legacy,
    "healthchecks": _healthchecks,
    "icinga2": _icinga2,
    "new_relic": _new_relic,
    "signalfx": _signalfx,
    "uptime_kuma": _uptime_kuma,
    "vrealize": _vrealize,
    "zabbix": _zabbix,
}


def _vendor(kind: str) -> Vendor:
    return Vendor(kind, lambda message: body(kind, _CHANGES[kind](message)))


SENDERS = {kind: _vendor(kind) for kind in _CHANGES}
