"""Prometheus Alertmanager, webhook version 4. It repeats a notification for as long as a group is firing."""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

from pydantic import Field

from watchkeeper.alerts.builder import make_alert
from watchkeeper.alerts.identity import episode_from_time, identity
from watchkeeper.alerts.payload import Items, MalformedPayload, Payload, Text, Texts, Time, parse_json, parse_model
from watchkeeper.alerts.silence_link import alertmanager_silence_url
from watchkeeper.alerts.source import MAX_ALERTS, ParsedPayload, S, Source, WebhookRequest
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.contracts import Alert, AlertReason

_RUNBOOK = ("runbook_url", "runbook")
_DASHBOARD = ("dashboard_url", "dashboard", "grafana_url")


class AlertmanagerAlert(Payload):
    """One alert of a group. The last three fields come from Grafana only."""

    status: Text = ""
    labels: Texts = Field(default_factory=dict)
    annotations: Texts = Field(default_factory=dict)
    startsAt: Time = None
    endsAt: Time = None
    generatorURL: Text = ""
    fingerprint: Text = ""
    silenceURL: Text = ""
    dashboardURL: Text = ""
    panelURL: Text = ""


class AlertmanagerGroup(Payload):
    """The body of a notification."""

    groupKey: Text = ""
    groupLabels: Texts = Field(default_factory=dict)
    truncatedAlerts: Text = ""
    externalURL: Text = ""
    alerts: Items[AlertmanagerAlert]


def pagerduty_key(group_key: str) -> str:
    """Return the deduplication key of Alertmanager's PagerDuty notifier for a group (``Key.Hash`` in its notify.go).

    A group key names the route and the group labels: only a notifier in the same route has the same key.
    """
    return sha256(group_key.encode("utf-8", "surrogatepass")).hexdigest()


class GroupingSource(Source[S]):
    """Base class of the sources with Alertmanager's notification format."""

    def parse(self, request: WebhookRequest) -> ParsedPayload:
        """Parse a notification. Each alert has its own status; the status of the group is ignored."""
        body = parse_json(request.body)
        if "alerts" not in body:
            raise MalformedPayload("alerts: is missing; send the standard notification, not a custom template")
        alerts = body["alerts"]
        cut = len(alerts) - MAX_ALERTS if isinstance(alerts, list) else 0
        group = parse_model(AlertmanagerGroup, {**body, "alerts": alerts[:MAX_ALERTS]} if cut > 0 else body)
        payload = ParsedPayload(alerts=[self._alert(alert, group, request.received_at) for alert in group.alerts])
        if cut > 0:
            payload.notes.append(f"only the first {MAX_ALERTS} alerts of this group were read; {cut} more came")
        left_out = group.truncatedAlerts
        if left_out.isascii() and left_out.isdecimal() and left_out.strip("0"):
            payload.notes.append(f"the sender left {left_out[:9]} alerts out of this group (its max_alerts)")
        if not payload.alerts:
            payload.ignored.append("the group holds no alert")
        if group.groupKey:
            key = pagerduty_key(group.groupKey)
            payload.opened_keys.update({alert.group: key for alert in payload.alerts})
        return payload

    def occasion(self, alert: AlertmanagerAlert, group: AlertmanagerGroup) -> AlertReason | None:
        """Return the reason of an alert that is not about trouble, such as a test."""
        return None

    def silence(self, alert: AlertmanagerAlert, group: AlertmanagerGroup) -> str | None:
        """Return the URL at which a person can silence an alert."""
        return alert.silenceURL

    def _alert(self, alert: AlertmanagerAlert, group: AlertmanagerGroup, now: float) -> Alert:
        labels, notes = alert.labels, alert.annotations
        name = labels.get("alertname", "")
        summary = notes.get("summary") or notes.get("title") or notes.get("message") or ""
        fingerprint = alert.fingerprint or _joined(labels)
        return make_alert(
            self.name,
            now=now,
            group=identity(group.groupKey or _joined(group.groupLabels) or fingerprint or "(no labels)"),
            fingerprint=identity(fingerprint or "(no labels)"),
            status=_status(alert, now),
            title=f"{name}: {summary}" if name and summary else name or summary,
            description=notes.get("description") or notes.get("message") or "",
            episode=episode_from_time(alert.startsAt),
            starts_at=alert.startsAt,
            ends_at=alert.endsAt,
            occasion=self.occasion(alert, group),
            severity=labels.get("severity") or labels.get("priority") or notes.get("severity"),
            service=labels.get("service"),
            team=labels.get("team") or labels.get("owner"),
            labels=labels,
            links={
                "runbook": _first(notes, _RUNBOOK) or _first(labels, _RUNBOOK),
                "dashboard": alert.dashboardURL or _first(notes, _DASHBOARD),
                "panel": alert.panelURL,
                "source": alert.generatorURL,
                "silence": self.silence(alert, group),
            },
        )


class Alertmanager(GroupingSource[SourceSection]):
    """Alertmanager does not sign. Configure a token, a password or a header in its ``http_config``."""

    def silence(self, alert: AlertmanagerAlert, group: AlertmanagerGroup) -> str | None:
        """Return the URL of Alertmanager's silence form for all labels of the alert."""
        return alertmanager_silence_url(group.externalURL, alert.labels)


def _status(alert: AlertmanagerAlert, now: float) -> Literal["firing", "resolved"]:
    if alert.status:
        return "resolved" if alert.status == "resolved" else "firing"
    return "resolved" if alert.endsAt and alert.endsAt <= now * 1e6 else "firing"


def _joined(labels: dict[str, str]) -> str:
    return ",".join(f"{name}={labels[name]}" for name in sorted(labels))


def _first(values: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((values[name] for name in names if values.get(name)), None)
