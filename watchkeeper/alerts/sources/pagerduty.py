"""PagerDuty V3 webhooks. Each incident is one alert group; each event reports a change of an incident."""

from __future__ import annotations

import re
from typing import ClassVar

from pydantic import Field

from watchkeeper.alerts.builder import make_alert
from watchkeeper.alerts.identity import episode_from_time, identity
from watchkeeper.alerts.payload import (
    Items,
    MalformedPayload,
    Payload,
    Text,
    Time,
    UnreadableTimes,
    parse_json,
    parse_model,
)
from watchkeeper.alerts.severity import is_known, worst_severity
from watchkeeper.alerts.source import FetchCertificate, ParsedPayload, Source, WebhookRequest
from watchkeeper.alerts.verification import check_signatures, hmac_sha256, secret_bytes
from watchkeeper.config.alert_source import Names, SourceSection
from watchkeeper.contracts import Alert

_FIRES = {"triggered", "reopened", "unacknowledged", "escalated", "priority_updated"}
_URGENCY = {"high": "error", "low": "warning"}

PAGE_CLIENT = "Watchkeeper"
"""Name of the program in every page that Watchkeeper sends."""

MAX_DEDUP_KEY = 255
"""Longest deduplication key of PagerDuty's Events API, in characters."""

_OWN_KEY = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/.+")
"""Idempotency key of a page that a run sent. PagerDuty keeps it as the key of the incident."""


class PagerDutySection(SourceSection):
    """Settings of a PagerDuty source."""

    signs: ClassVar[bool] = True

    own_agents: Names = Field(
        default_factory=list, description="Ids of the users and integrations Watchkeeper acts as."
    )


class _Reference(Payload):
    id: Text = ""
    summary: Text = ""
    html_url: Text = ""


class _Client(Payload):
    name: Text = ""


class _Body(Payload):
    details: Text = ""


class _Incident(Payload):
    id: Text = ""
    type: Text = ""
    number: Text = ""
    status: Text = ""
    incident_key: Text = ""
    created_at: Time = None
    title: Text = ""
    html_url: Text = ""
    urgency: Text = ""
    priority: _Reference | None = None
    service: _Reference | None = None
    escalation_policy: _Reference | None = None
    teams: Items[_Reference] = Field(default_factory=list)
    body: _Body | None = None


class _Event(Payload):
    event_type: Text
    occurred_at: Time = None
    agent: _Reference | None = None
    client: _Client | None = None
    data: object = None


class _Webhook(Payload):
    event: _Event


class PagerDuty(Source[PagerDutySection]):
    """Signed with HMAC-SHA256 over the body, with one signature per active secret."""

    Section = PagerDutySection

    async def verify(self, request: WebhookRequest, fetch: FetchCertificate) -> None:
        """Check the credentials and the signatures. One valid signature is enough."""
        await super().verify(request, fetch)
        if not self.section.secrets:
            return
        parts = [part.strip() for part in request.headers.get("x-pagerduty-signature", "").split(",")]
        signatures = [part.removeprefix("v1=") for part in parts if part.startswith("v1=")]
        check_signatures(
            signatures, [hmac_sha256(key, request.body).hex().encode() for key in secret_bytes(self.section.secrets)]
        )

    def parse(self, request: WebhookRequest) -> ParsedPayload:
        """Parse an event. Triggers and resolves are alerts; what people do in between is ignored."""
        times = UnreadableTimes()
        event = parse_model(_Webhook, parse_json(request.body), times).event
        family, _, action = event.event_type.partition(".")
        if family != "incident":
            return ParsedPayload(ignored=["a test" if family == "pagey" else "it is not about an incident"])
        if action != "resolved" and action not in _FIRES:
            return ParsedPayload(ignored=["it does not change whether the incident is open"])
        own = event.client is not None and event.client.name == PAGE_CLIENT
        if own or (event.agent and event.agent.id in self.section.own_agents):
            return ParsedPayload(ignored=["Watchkeeper did it itself"])
        incident = _incident(event.data, times)
        if _OWN_KEY.fullmatch(incident.incident_key):
            return ParsedPayload(ignored=["the incident is a page of Watchkeeper's own"])
        if action != "resolved" and incident.status not in {"triggered", ""}:
            return ParsedPayload(ignored=["people have the incident already"])
        alert = self._alert(event, incident, action, request.received_at)
        opened = {alert.group: incident.incident_key} if 0 < len(incident.incident_key) <= MAX_DEDUP_KEY else {}
        return ParsedPayload(alerts=[alert], opened_keys=opened, notes=times.notes())

    def _alert(self, event: _Event, incident: _Incident, action: str, now: float) -> Alert:
        name = identity(incident.id)
        urgency, priority = _URGENCY.get(incident.urgency), incident.priority.summary if incident.priority else ""
        severity = worst_severity(urgency, priority) if urgency is None or is_known(priority) else urgency
        return make_alert(
            self.name,
            now=now,
            group=name,
            fingerprint=name,
            status="resolved" if action == "resolved" else "firing",
            title=incident.title,
            description=incident.body.details if incident.body else "",
            episode=_episode(event, incident, action),
            starts_at=event.occurred_at if action == "reopened" else incident.created_at,
            ends_at=event.occurred_at,
            as_of=event.occurred_at or (incident.created_at if action == "triggered" else None),
            severity=severity,
            service=incident.service.summary if incident.service else None,
            team=incident.teams[0].summary if incident.teams else None,
            labels=_labels(incident),
            links={
                "incident": incident.html_url,
                "service": incident.service.html_url if incident.service else None,
            },
        )


def _episode(event: _Event, incident: _Incident, action: str) -> str | None:
    """Return the episode for events that begin one. Other events concern the open episode."""
    start = {"triggered": incident.created_at or event.occurred_at, "reopened": event.occurred_at}
    return episode_from_time(start.get(action))


def _incident(data: object, times: UnreadableTimes) -> _Incident:
    try:
        incident = parse_model(_Incident, data, times)
    except MalformedPayload as error:
        raise MalformedPayload(f"in event.data: {error}") from None
    if not incident.id:
        raise MalformedPayload("event.data.id: is missing; it says which incident this is")
    return incident


def _labels(incident: _Incident) -> dict[str, str]:
    labels = {
        "urgency": incident.urgency,
        "priority": incident.priority.summary if incident.priority else "",
        "number": incident.number,
        "incident_key": incident.incident_key,
        "service": incident.service.summary if incident.service else "",
        "escalation_policy": incident.escalation_policy.summary if incident.escalation_policy else "",
    }
    return {name: value for name, value in labels.items() if value}
