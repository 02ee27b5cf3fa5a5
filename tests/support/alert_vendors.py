"""The messages that each vendor sends about two firings of one alert, as bodies and headers."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from tests.support.alert_requests import NOW, posted, source
from watchkeeper.alerts.source import Source
from watchkeeper.contracts import Alert

BEGAN = NOW - 3_600
"""When the first firing began, in Unix seconds."""

STARTS = {1: 0, 2: 120}
TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"


@dataclass(frozen=True)
class Message:
    """What a sender reports at a time, in seconds after ``BEGAN``."""

    firing: int
    at: int
    over: bool = False
    severity: str = "critical"

    @property
    def begins(self) -> bool:
        """Whether it is the first message of its firing."""
        return self.at == STARTS[self.firing]


FIRST = Message(1, 0)
REPEATED = Message(1, 10)
ENDED = Message(1, 60, over=True)
SECOND = Message(2, 120)
SECOND_ENDED = Message(2, 200, over=True)


@dataclass(frozen=True)
class Vendor:
    """A configured source and how its sender writes a message."""

    kind: str
    body: Callable[[Message], object]
    section: dict[str, Any] = field(default_factory=dict)
    headers: Callable[[Message], dict[str, str]] = lambda message: {}

    def source(self) -> Source[Any]:
        """Return the configured source."""
        return source(self.kind, **self.section)

    def alert(self, message: Message) -> Alert:
        """Return the alert in a message. A message is the same each time, with all its bytes and headers."""
        (alert,) = self.source().parse(posted(self.body(message), **self.headers(message))).alerts
        return alert


def iso(at: float) -> str:
    return datetime.fromtimestamp(BEGAN + at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _alertmanager(message: Message) -> object:
    starts, over = iso(STARTS[message.firing]), message.over
    labels = {"alertname": "Down", "severity": message.severity}
    alert: dict[str, object] = {"status": "resolved" if over else "firing", "labels": labels, "startsAt": starts}
    alert |= {"endsAt": iso(message.at) if over else "0001-01-01T00:00:00Z", "fingerprint": f"f-{message.severity}"}
    return {"version": "4", "groupKey": "{}:{}", "alerts": [alert]}


def _pagerduty(message: Message) -> object:
    event_type = "escalated" if message.severity == "critical" else "priority_updated"
    if message.begins:
        event_type = "triggered" if message.firing == 1 else "reopened"
    incident: dict[str, object] = {"id": "Q1", "type": "incident", "status": "triggered", "created_at": iso(0)}
    incident |= {"title": "Down", "urgency": "low"}
    incident["priority"] = {"summary": {"critical": "P1", "warning": "P3"}[message.severity]}
    if message.over:
        event_type, incident["status"] = "resolved", "resolved"
    event = {"event_type": f"incident.{event_type}", "occurred_at": iso(message.at), "data": incident}
    return {"event": event}


def _datadog(message: Message) -> dict[str, object]:
    transition = "Recovered" if message.over else "Triggered" if message.begins else "Renotify"
    return {
        "monitor_id": "7",
        "scopes": "service:checkout",
        "alert_cycle_key": f"cycle-{message.firing}",
        "alert_transition": "Warn" if message.severity == "warning" and not message.over else transition,
        "alert_type": "success" if message.over else "error",
        "severity": "P1",
        "alert_title": "Down",
        "date": f"{(BEGAN + message.at) * 1000:.0f}",
    }


def _datadog_without_cycle(message: Message) -> object:
    return {**_datadog(message), "alert_cycle_key": "$ALERT_CYCLE_KEY"}


def _sentry_issue(message: Message) -> object:
    if message.over:
        issue = {"id": "1", "title": "Down", "level": "error", "status": "resolved", "count": f"{message.at}"}
        return {"action": "resolved", "data": {"issue": issue}}
    level = {"critical": "fatal", "warning": "warning"}[message.severity]
    event = {"issue_id": "1", "event_id": f"{message.at}", "title": "Down", "level": level}
    return {"action": "triggered", "data": {"event": {**event, "received": BEGAN + message.at}}}


def _sentry_issue_headers(message: Message) -> dict[str, str]:
    resource = "issue" if message.over else "event_alert"
    return {"sentry_hook_resource": resource, "sentry_hook_timestamp": f"{BEGAN + message.at:.0f}"}


def _sentry_metric(message: Message) -> object:
    alert: dict[str, object] = {"id": f"{message.firing}", "title": "Down", "date_started": iso(STARTS[message.firing])}
    alert |= {"date_closed": iso(message.at) if message.over else None, "alert_rule": {"id": "9"}}
    return {"action": "resolved" if message.over else message.severity, "data": {"metric_alert": alert}}


def _sentry_metric_headers(message: Message) -> dict[str, str]:
    return {**_sentry_issue_headers(message), "sentry_hook_resource": "metric_alert"}


def _cloudwatch(message: Message) -> object:
    since = message.at if message.over else STARTS[message.firing]
    alarm = {"AlarmName": "Down", "AlarmArn": "arn:aws:cloudwatch:eu-west-1:1:alarm:Down"}
    alarm |= {"NewStateValue": "OK" if message.over else "ALARM", "StateChangeTime": iso(since)}
    envelope = {"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": json.dumps(alarm)}
    return envelope | {"Timestamp": "", "SignatureVersion": "2", "Signature": "", "SigningCertURL": ""}


def _opsgenie(message: Message) -> object:
    action = "Close" if message.over else "Create" if message.begins else "UpdatePriority"
    alert: dict[str, object] = {"alertId": f"a{message.firing}", "alias": "down", "message": "Down"}
    alert |= {"createdAt": (BEGAN + STARTS[message.firing]) * 1e3, "updatedAt": (BEGAN + message.at) * 1e3}
    alert["priority"] = {"critical": "P1", "warning": "P3"}[message.severity]
    return {"action": action, "alert": alert}


def _bare(message: Message) -> dict[str, object]:
    return {"id": "1", "title": "Down", "status": "up" if message.over else "down", "severity": message.severity}


def _generic(message: Message) -> dict[str, object]:
    ends = {"endsAt": iso(message.at)} if message.over else {}
    return {**_bare(message), "startsAt": iso(STARTS[message.firing]), **ends}


def _same_start(message: Message) -> dict[str, object]:
    return {**_generic(message), "startsAt": iso(0)}


def _with_episode(message: Message) -> object:
    return {**_generic(message), "outage": f"o{message.firing}"}


def _with_time(message: Message) -> object:
    return {**_same_start(message), "sent": iso(message.at)}


def _webhook_id(message: Message) -> dict[str, str]:
    return {"webhook_id": f"msg_{message}"}


_RESOLVED = {"resolved": ["up"]}
_DATADOG = Vendor("datadog", _datadog, {"also": ["renotify"]})

VENDORS = {
    "alertmanager": Vendor("alertmanager", _alertmanager),
    "grafana": Vendor("grafana", _alertmanager),
    "pagerduty": Vendor("pagerduty", _pagerduty),
    "datadog": _DATADOG,
    "datadog without `$ALERT_CYCLE_KEY`": replace(_DATADOG, body=_datadog_without_cycle),
    "sentry, issues": Vendor("sentry", _sentry_issue, headers=_sentry_issue_headers),
    "sentry, metric alerts": Vendor("sentry", _sentry_metric, headers=_sentry_metric_headers),
    "cloudwatch": Vendor("cloudwatch", _cloudwatch, {"topics": [TOPIC]}),
    "opsgenie": Vendor("opsgenie", _opsgenie),
    "standard_webhooks": Vendor("standard_webhooks", _generic, _RESOLVED, _webhook_id),
    "generic with `episode`": Vendor("generic", _with_episode, {**_RESOLVED, "fields": {"episode": "outage"}}),
    "generic with `at`": Vendor("generic", _with_time, {**_RESOLVED, "fields": {"at": "sent"}}),
    "generic with `starts_at`": Vendor("generic", _generic, _RESOLVED),
    "generic, `starts_at` always the same": Vendor("generic", _same_start, _RESOLVED),
    "generic without times": Vendor("generic", _bare, _RESOLVED),
}
"""Every kind of source and, where a kind tells firings apart in several ways, each of them."""
