"""Sentry's integration platform: alerts of issues and metrics, and what becomes of the issues."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from watchkeeper.alerts.builder import make_alert
from watchkeeper.alerts.identity import identity
from watchkeeper.alerts.payload import MalformedPayload, Payload, Text, Time, parse_json, parse_model
from watchkeeper.alerts.source import FetchCertificate, ParsedPayload, Source, WebhookRequest
from watchkeeper.alerts.verification import check_signatures, hmac_sha256, secret_bytes
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.contracts import Alert

_CLOSES = {"resolved", "archived", "ignored"}
_OPENS = {"created", "unresolved"}


class SentrySection(SourceSection):
    """What counts as an alert."""

    signs: ClassVar[bool] = True

    issues: bool = Field(
        default=False,
        description="Whether every issue that is new or back is an alert, not only what alert rules pick.",
    )


class _Project(Payload):
    slug: Text = ""


class _Issue(Payload):
    id: Text
    title: Text = ""
    culprit: Text = ""
    level: Text = ""
    permalink: Text = ""
    web_url: Text = ""
    project: object = None


class _IssueEvent(Payload):
    issue_id: Text = ""
    event_id: Text = ""
    title: Text = ""
    culprit: Text = ""
    level: Text = ""
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
    """Signed with HMAC-SHA256 over the body by the client secret. Its timestamp is not signed, so it proves nothing."""

    Section = SentrySection

    async def verify(self, posted: WebhookRequest, fetch: FetchCertificate) -> None:
        """Check the signature."""
        await super().verify(posted, fetch)
        if not self.section.secrets:
            return
        shown = posted.headers.get("sentry-hook-signature", "").strip()
        good = [hmac_sha256(key, posted.body).hex().encode() for key in secret_bytes(self.section.secrets)]
        check_signatures([shown] if shown else [], good)

    def parse(self, posted: WebhookRequest) -> ParsedPayload:
        """Read what happened, by the resource that the header names."""
        hook = parse_model(_Hook, parse_json(posted.body))
        resource = posted.headers.get("sentry-hook-resource", "").strip()
        match resource:
            case "event_alert":
                return self._event_alert(hook, posted.now)
            case "metric_alert":
                return ParsedPayload(alerts=[self._metric_alert(hook, posted.now)])
            case "issue":
                return self._issue(hook, posted.now)
            case "":
                raise MalformedPayload("the header Sentry-Hook-Resource: is missing; it says what the body is about")
            case _:
                return ParsedPayload(ignored=["its resource is no alert"])

    def _event_alert(self, hook: _Hook, now: float) -> ParsedPayload:
        event = hook.data.event
        if event is None or not event.issue_id:
            raise MalformedPayload("data.event.issue_id: is missing; it says which issue the alert is about")
        tags = _tags(event.tags)
        alert = make_alert(
            self.name,
            now=now,
            group=_name("issue", event.issue_id),
            fingerprint=_name("issue", event.issue_id),
            status="firing",
            title=event.title,
            description="\n".join(part for part in (event.culprit, hook.data.triggered_rule) if part),
            occasion="test" if tags.get("sample_event") == "yes" else None,
            severity=event.level,
            service=tags.get("service") or tags.get("server_name"),
            team=tags.get("team"),
            labels={
                **tags,
                **_said(environment=event.environment, culprit=event.culprit, rule=hook.data.triggered_rule),
            },
            links={"issue": event.web_url},
        )
        return ParsedPayload(alerts=[alert])

    def _issue(self, hook: _Hook, now: float) -> ParsedPayload:
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
            now=now,
            group=_name("issue", issue.id),
            fingerprint=_name("issue", issue.id),
            status="resolved" if closes else "firing",
            title=issue.title,
            description=issue.culprit,
            severity=issue.level,
            service=project,
            labels=_said(project=project, culprit=issue.culprit),
            links={"issue": issue.web_url or issue.permalink},
        )
        return ParsedPayload(alerts=[alert])

    def _metric_alert(self, hook: _Hook, now: float) -> Alert:
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
            severity=hook.action if hook.action in {"critical", "warning"} else None,
            service=project,
            labels=_said(project=project, rule=rule.name),
            links={"alert": hook.data.web_url},
        )


def _name(kind: str, vendor_id: str) -> str:
    return identity(f"{kind} {vendor_id}")


def _said(**labels: str) -> dict[str, str]:
    return {name: value for name, value in labels.items() if value}


def _tags(listed: object) -> dict[str, str]:
    """Read ``[["level", "error"], ...]``; what looks otherwise is left out."""
    pairs = [tag for tag in listed if isinstance(tag, list) and len(tag) == 2] if isinstance(listed, list) else []
    return {name: value for name, value in pairs if isinstance(name, str) and isinstance(value, str)}
