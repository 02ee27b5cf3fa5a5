"""Opsgenie's webhook integration. Atlassian will shut Opsgenie down in April 2027."""

from __future__ import annotations

from pydantic import Field

from watchkeeper.alerts.builder import make_alert
from watchkeeper.alerts.identity import identity
from watchkeeper.alerts.payload import (
    Items,
    MalformedPayload,
    Payload,
    Severity,
    Text,
    Texts,
    Time,
    UnreadableTimes,
    parse_json,
    parse_model,
)
from watchkeeper.alerts.source import ParsedPayload, Source, WebhookRequest
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.contracts import Alert

_CLOSES = {"close", "delete"}
_FIRES = {"create", "updatepriority"}


class _Alert(Payload):
    alertId: Text = ""
    alias: Text = ""
    tinyId: Text = ""
    message: Text = ""
    description: Text = ""
    entity: Text = ""
    priority: Severity = ""
    createdAt: Time = None
    updatedAt: Time = None
    source: Text = ""
    team: Text = ""
    tags: Items[Text] = Field(default_factory=list)
    details: Texts = Field(default_factory=dict)


class _Webhook(Payload):
    action: Text
    alert: _Alert
    integrationName: Text = ""


class Opsgenie(Source[SourceSection]):
    """Opsgenie does not sign. Configure a custom header with a token."""

    def parse(self, request: WebhookRequest) -> ParsedPayload:
        """Parse an action that opens or closes an alert, or changes its priority."""
        times = UnreadableTimes()
        webhook = parse_model(_Webhook, parse_json(request.body), times)
        action = webhook.action.lower()
        if action not in _FIRES and action not in _CLOSES:
            return ParsedPayload(ignored=["it changes neither whether the alert is open nor its priority"])
        if not (webhook.alert.alias or webhook.alert.alertId):
            raise MalformedPayload("alert.alias: is missing, and alert.alertId too; one must say which alert this is")
        alert = self._alert(webhook.alert, action in _CLOSES, request.received_at)
        return ParsedPayload(alerts=[alert], notes=times.notes())

    def _alert(self, alert: _Alert, closed: bool, now: float) -> Alert:
        name = identity(alert.alias or alert.alertId)
        tags = dict(_tag(tag) for tag in alert.tags)
        return make_alert(
            self.name,
            now=now,
            group=name,
            fingerprint=name,
            episode=identity(alert.alertId) if alert.alertId else None,
            status="resolved" if closed else "firing",
            title=alert.message,
            description=alert.description,
            starts_at=alert.createdAt,
            ends_at=alert.updatedAt,
            as_of=alert.updatedAt or alert.createdAt,
            severity=alert.priority,
            service=alert.details.get("service") or tags.get("service") or alert.entity,
            team=alert.details.get("team") or tags.get("team"),
            labels={**tags, **alert.details, **_present(entity=alert.entity, source=alert.source, number=alert.tinyId)},
            links={"runbook": alert.details.get("runbook_url") or alert.details.get("runbook")},
        )


def _tag(tag: str) -> tuple[str, str]:
    name, _, value = tag.partition(":")
    return name.strip(), value.strip()


def _present(**labels: str) -> dict[str, str]:
    return {name: value for name, value in labels.items() if value}
