"""Webhooks of Sentry's integration platform: issue alerts, metric alerts and changes of issues."""

from __future__ import annotations

import re
from dataclasses import replace
from hashlib import sha256
from typing import ClassVar

from pydantic import Field

from watchkeeper.alerts.builder import make_alert
from watchkeeper.alerts.identity import identity
from watchkeeper.alerts.payload import (
    MalformedPayload,
    Payload,
    Severity,
    Text,
    Time,
    UnreadableTimes,
    parse_json,
    parse_model,
)
from watchkeeper.alerts.source import FetchCertificate, ParsedPayload, Source, WebhookRequest
from watchkeeper.alerts.timestamps import parse_timestamp
from watchkeeper.alerts.verification import check_signatures, hmac_sha256, secret_bytes
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.contracts import Alert

_PROJECT = re.compile(r"/projects/[^/\s]+/(?P<project>[^/\s]+)/")
_SECOND = 1_000_000
_CLOSES = {"resolved", "archived", "ignored"}
_OPENS = {"created", "unresolved"}


class SentrySection(SourceSection):
    """Settings of a Sentry source."""

    signs: ClassVar[bool] = True

    issues: bool = Field(
        default=False,
        description="Whether every new or reopened issue is an alert. Otherwise only alert rules send alerts.",
    )


class _Project(Payload):
    slug: Text = ""


class _Issue(Payload):
    id: Text
    title: Text = ""
    culprit: Text = ""
    level: Severity = ""
    permalink: Text = ""
    web_url: Text = ""
    project: object = None


class _IssueEvent(Payload):
    url: Text = ""
    project_slug: Text = ""
    project_name: Text = ""
    project: object = None
    issue_id: Text = ""
    event_id: Text = ""
    title: Text = ""
    culprit: Text = ""
    level: Severity = ""
    received: Time = None
    environment: Text = ""
    web_url: Text = ""
    tags: object = None


class _Rule(Payload):
    id: Text = ""
    name: Text = ""


class _MetricAlert(Payload):
    id: Text
    title: Text = ""
    alert_rule: _Rule | None = None
    projects: object = None
    date_started: Time = None
    date_closed: Time = None


class _Data(Payload):
    event: _IssueEvent | None = None
    issue: _Issue | None = None
    metric_alert: _MetricAlert | None = None
    triggered_rule: Text = ""
    description_text: Text = ""
    description_title: Text = ""
    web_url: Text = ""


class _Hook(Payload):
    action: Text = ""
    data: _Data


class Sentry(Source[SentrySection]):
    """Signed with HMAC-SHA256 over the body. Sentry does not sign the timestamp, so it is not checked."""

    Section = SentrySection

    async def verify(self, request: WebhookRequest, fetch: FetchCertificate) -> None:
        """Check the credentials and the signature."""
        await super().verify(request, fetch)
        if not self.section.secrets:
            return
        signature = request.headers.get("sentry-hook-signature", "").strip()
        expected = [hmac_sha256(key, request.body).hex().encode() for key in secret_bytes(self.section.secrets)]
        check_signatures([signature] if signature else [], expected)

    def parse(self, request: WebhookRequest) -> ParsedPayload:
        """Parse an event of the resource that the header names."""
        times = UnreadableTimes()
        hook = parse_model(_Hook, parse_json(request.body), times)
        sent_at = _sent_at(request)
        resource = request.headers.get("sentry-hook-resource", "").strip()
        match resource:
            case "event_alert":
                payload = self._event_alert(hook, request.received_at, sent_at)
                return replace(payload, notes=times.notes())
            case "metric_alert":
                return ParsedPayload(
                    alerts=[self._metric_alert(hook, request.received_at, sent_at)], notes=times.notes()
                )
            case "issue":
                return self._issue(hook, request, sent_at)
            case "":
                raise MalformedPayload("the header Sentry-Hook-Resource: is missing; it says what the body is about")
            case _:
                return ParsedPayload(ignored=["its resource is no alert"])

    def _event_alert(self, hook: _Hook, now: float, sent_at: int | None) -> ParsedPayload:
        event = hook.data.event
        if event is None or not event.issue_id:
            raise MalformedPayload("data.event.issue_id: is missing; it says which issue the alert is about")
        tags, project = _tags(event.tags), _project(event)
        alert = make_alert(
            self.name,
            now=now,
            group=_name("issue", event.issue_id),
            fingerprint=_name("issue", event.issue_id),
            status="firing",
            title=event.title,
            description="\n".join(part for part in (event.culprit, hook.data.triggered_rule) if part),
            starts_at=event.received,
            as_of=event.received or _not_after(now, sent_at),
            occasion="test" if tags.get("sample_event") == "yes" else None,
            severity=event.level,
            service=tags.get("service") or project or tags.get("server_name"),
            team=tags.get("team"),
            labels={
                **tags,
                **_present(
                    project=project,
                    environment=event.environment,
                    culprit=event.culprit,
                    rule=hook.data.triggered_rule,
                ),
            },
            links={"issue": event.web_url},
        )
        return ParsedPayload(alerts=[alert])

    def _issue(self, hook: _Hook, request: WebhookRequest, sent_at: int | None) -> ParsedPayload:
        issue = hook.data.issue
        if issue is None:
            raise MalformedPayload("data.issue: is missing; it says which issue this is about")
        closes = hook.action in _CLOSES
        if not closes and hook.action not in _OPENS:
            return ParsedPayload(ignored=["it does not change whether the issue is open"])
        if not closes and not self.section.issues:
            return ParsedPayload(
                ignored=["an issue opened; alert rules say which of them matter (or set issues = true)"]
            )
        project = parse_model(_Project, issue.project).slug if isinstance(issue.project, dict) else ""
        alert = make_alert(
            self.name,
            now=request.received_at,
            group=_name("issue", issue.id),
            fingerprint=_name("issue", issue.id),
            status="resolved" if closes else "firing",
            title=issue.title,
            description=issue.culprit,
            as_of=sent_at + _SECOND - 1 if closes and sent_at is not None else _not_after(request.received_at, sent_at),
            # The body says no time, and the header is not signed: an end that is sent again is recognized by its body.
            message=sha256(request.body).hexdigest() if closes else None,
            severity=issue.level,
            service=project,
            labels=_present(project=project, culprit=issue.culprit),
            links={"issue": issue.web_url or issue.permalink},
        )
        return ParsedPayload(alerts=[alert])

    def _metric_alert(self, hook: _Hook, now: float, sent_at: int | None) -> Alert:
        metric = hook.data.metric_alert
        if metric is None:
            raise MalformedPayload("data.metric_alert: is missing; it says which alert this is about")
        projects = metric.projects if isinstance(metric.projects, list) else []
        project = next((name for name in projects if isinstance(name, str)), "")
        rule = metric.alert_rule or _Rule()
        return make_alert(
            self.name,
            now=now,
            group=_name("metric", rule.id or metric.id),
            fingerprint=_name("metric", rule.id or metric.id),
            episode=identity(metric.id),
            status="resolved" if hook.action == "resolved" else "firing",
            title=hook.data.description_title or metric.title,
            description=hook.data.description_text,
            starts_at=metric.date_started,
            ends_at=metric.date_closed,
            as_of=metric.date_closed if hook.action == "resolved" and metric.date_closed else _not_after(now, sent_at),
            severity=hook.action if hook.action in {"critical", "warning"} else None,
            service=project,
            labels=_present(project=project, rule=rule.name),
            links={"alert": hook.data.web_url},
        )


def _sent_at(request: WebhookRequest) -> int | None:
    """Return when Sentry sent a request, in microseconds: its clock's second (``Sentry-Hook-Timestamp``)."""
    try:
        return parse_timestamp(request.headers.get("sentry-hook-timestamp"))
    except ValueError:
        return None


def _not_after(arrival: float, sent_at: int | None) -> int | None:
    """Bound the time of a firing, whose header is not signed: a time in the future would hide every end."""
    return None if sent_at is None else min(sent_at, int(arrival * _SECOND))


def _name(kind: str, vendor_id: str) -> str:
    return identity(f"{kind} {vendor_id}")


def _present(**labels: str) -> dict[str, str]:
    return {name: value for name, value in labels.items() if value}


def _project(event: _IssueEvent) -> str:
    """Return the slug of an event's project: its API address is ``.../projects/ORGANIZATION/PROJECT/events/ID/``.

    ``project`` itself is a number (https://docs.sentry.io/product/integrations/integration-platform/webhooks/issue-alerts).
    """
    if event.project_slug:
        return event.project_slug
    if isinstance(event.project, dict):
        return parse_model(_Project, event.project).slug
    address = _PROJECT.search(event.url)
    return address["project"] if address else event.project_name


def _tags(tags: object) -> dict[str, str]:
    """Read ``[["level", "error"], ...]``. Entries of another form are left out."""
    pairs = [tag for tag in tags if isinstance(tag, list) and len(tag) == 2] if isinstance(tags, list) else []
    return {name: value for name, value in pairs if isinstance(name, str) and isinstance(value, str)}
