"""Prometheus Alertmanager, webhook version 4. It repeats a notification for as long as a group is firing."""

from __future__ import annotations

import re
from hashlib import sha256
from typing import Literal, TypeVar

from pydantic import Field

from watchkeeper.alerts.alert_selection import AlertSelection
from watchkeeper.alerts.builder import make_alert
from watchkeeper.alerts.identity import episode_from_time, identity
from watchkeeper.alerts.json_items import read_items
from watchkeeper.alerts.payload import (
    Items,
    MalformedPayload,
    Payload,
    Text,
    Texts,
    Time,
    UnreadableTimes,
    parse_model,
    parse_models,
)
from watchkeeper.alerts.silence_link import alertmanager_silence_url
from watchkeeper.alerts.source import ParsedPayload, Source, WebhookRequest
from watchkeeper.alerts.status_words import status_meaning
from watchkeeper.config.alert_source import Names, SourceSection
from watchkeeper.contracts import Alert, AlertReason

_RUNBOOK = ("runbook_url", "runbook")
_COUNT = re.compile(r"[0-9]+", re.ASCII)
LATE_SECONDS = 120.0
"""How long after an end a notification of the same firing is late. Instances of a cluster notify up to a minute apart.

After that it fires again: where Prometheus was cut off from Alertmanager, an alert resolves by itself and then
continues with the ``startsAt`` that it had.
"""

_DASHBOARD = ("dashboard_url", "dashboard", "grafana_url")


class GroupingSection(SourceSection):
    """Settings of a sender whose groups are equal in clusters with the same configuration."""

    split_by: Names = Field(default=["cluster"])


G = TypeVar("G", bound=GroupingSection)


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


class GroupingSource(Source[G]):
    """Base class of the sources with Alertmanager's notification format."""

    def parse(self, request: WebhookRequest) -> ParsedPayload:
        """Parse a notification. Each alert has its own status; the status of the group is ignored."""
        body, items = read_items(request.body, "alerts")
        if "alerts" not in body:
            if body.keys() >= {"ruleId", "state"}:
                raise MalformedPayload(
                    "alerts: is missing; this is the format of Grafana's legacy alerting. Set kind to grafana_legacy, "
                    "or send from a contact point of Grafana Alerting"
                )
            raise MalformedPayload("alerts: is missing; send the standard notification, not a custom template")
        times = UnreadableTimes()
        group = parse_model(AlertmanagerGroup, body if items is None else {**body, "alerts": []}, times)
        selection = AlertSelection(self.section)
        for alert in parse_models(AlertmanagerAlert, items or (), "alerts", times):
            selection.add(self._alert(alert, group, request.received_at))
        payload = ParsedPayload(selection.finish())
        payload.notes.extend(times.notes())
        payload.left_out = dict(selection.left_out)
        left_out = int(group.truncatedAlerts[:9]) if _COUNT.fullmatch(group.truncatedAlerts) else 0
        if left_out:
            payload.notes.append(f"the sender left {left_out} alerts out of this group (its max_alerts)")
        for name in {alert.group for alert in payload.alerts}:
            payload.unlisted[name] = left_out + selection.left_out_firing[name]
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
        fingerprint, status = alert.fingerprint or _joined(labels), _status(alert, now)
        return make_alert(
            self.name,
            now=now,
            group=identity(group.groupKey or _joined(group.groupLabels) or fingerprint or "(no labels)"),
            fingerprint=identity(fingerprint or "(no labels)"),
            status=status,
            title=f"{name}: {summary}" if name and summary else name or summary,
            description=notes.get("description") or notes.get("message") or "",
            episode=episode_from_time(alert.startsAt),
            starts_at=alert.startsAt,
            ends_at=alert.endsAt,
            as_of=alert.startsAt if status == "firing" else alert.endsAt,
            late_for=LATE_SECONDS,
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


class Alertmanager(GroupingSource[GroupingSection]):
    """Alertmanager does not sign. Configure a token, a password or a header in its ``http_config``."""

    Section = GroupingSection

    def silence(self, alert: AlertmanagerAlert, group: AlertmanagerGroup) -> str | None:
        """Return the URL of Alertmanager's silence form for all labels of the alert."""
        return alertmanager_silence_url(group.externalURL, alert.labels)


def _status(alert: AlertmanagerAlert, now: float) -> Literal["firing", "resolved"]:
    if alert.status:
        return "resolved" if status_meaning(alert.status) == "resolved" else "firing"
    return "resolved" if alert.endsAt and alert.endsAt <= now * 1e6 else "firing"


def _joined(labels: dict[str, str]) -> str:
    return ",".join(f"{name}={labels[name]}" for name in sorted(labels))


def _first(values: dict[str, str], names: tuple[str, ...]) -> str | None:
    return next((values[name] for name in names if values.get(name)), None)
