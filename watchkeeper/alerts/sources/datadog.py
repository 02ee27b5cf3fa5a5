"""Datadog webhooks. The user writes the body as a template of variables; common field names are recognized."""

from __future__ import annotations

import re
from collections.abc import Mapping

from pydantic import AliasChoices, Field, field_validator

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
from watchkeeper.alerts.source import ParsedPayload, Source, WebhookRequest
from watchkeeper.alerts.status_words import status_meaning
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.contracts import Alert, AlertReason
from watchkeeper.text import excerpt

_SHOWN_BYTES = 200

_UNSET = re.compile(r"\$[A-Z][A-Z0-9_]*|null|None")
_TEST = re.compile(r"\[TEST\]")
_TYPES = {"error": "error", "warning": "warning", "info": "info", "success": "info"}


def _of(*names: str) -> AliasChoices:
    return AliasChoices(*names)


class _Event(Payload):
    transition: Text = Field(default="", validation_alias=_of("alert_transition", "transition"))
    monitor: Text = Field(default="", validation_alias=_of("monitor_id", "alert_id"))
    scope: Text = Field(default="", validation_alias=_of("scopes", "alert_scope", "scope"))
    cycle: Text = Field(default="", validation_alias=_of("alert_cycle_key", "cycle_key"))
    aggregation: Text = Field(default="", validation_alias=_of("aggreg_key", "aggregation_key"))
    event: Text = Field(default="", validation_alias=_of("id", "event_id"))
    title: Text = Field(default="", validation_alias=_of("alert_title", "title", "event_title"))
    message: Text = Field(default="", validation_alias=_of("body", "event_msg", "message", "text_only_msg"))
    priority: Severity = Field(default="", validation_alias=_of("severity", "alert_priority", "priority"))
    kind: Text = Field(default="", validation_alias=_of("alert_type", "type"))
    query: Text = Field(default="", validation_alias=_of("alert_query", "query"))
    date: Time = Field(default=None, validation_alias=_of("date", "date_posix", "last_updated"))
    link: Text = Field(default="", validation_alias=_of("url", "link"))
    snapshot: Text = ""
    tags: Text = ""
    hostname: Text = ""

    @field_validator("*", mode="before")
    @classmethod
    def _set(cls, value: object) -> object:
        """Treat a variable that Datadog did not replace as empty."""
        return "" if isinstance(value, str) and _UNSET.fullmatch(value.strip()) else value


_KNOWN = frozenset(
    choice
    for name, field in _Event.model_fields.items()
    for choice in (field.validation_alias.choices if isinstance(field.validation_alias, AliasChoices) else [name])
)
_WHICH = {"monitor_id", "alert_id", "aggreg_key", "aggregation_key", "alert_cycle_key", "cycle_key"}
_EXPECTED = '"monitor_id": "$ALERT_ID", "alert_transition": "$ALERT_TRANSITION", "alert_title": "$EVENT_TITLE"'


class Datadog(Source[SourceSection]):
    """Datadog does not sign. Configure a password in the URL or a custom header."""

    def parse(self, request: WebhookRequest) -> ParsedPayload:
        """Parse an event of a monitor. Other events are ignored."""
        body = parse_json(request.body)
        lower = {name.lower(): value for name, value in body.items()}
        times = UnreadableTimes()
        event = parse_model(_Event, lower, times)
        if not (event.monitor or event.aggregation or event.cycle):
            _refuse_unknown_template(lower)
            if _TEST.match(event.title) or (lower.keys() & _WHICH and not any(value for _, value in event)):
                return ParsedPayload(ignored=["a test: no variable is set"])
            raise MalformedPayload(
                'monitor_id: is missing; put "monitor_id": "$ALERT_ID" into the payload of the webhook'
            )
        transition = event.transition.strip().lower()
        if not transition and not event.kind:
            raise MalformedPayload(
                'alert_transition: is missing; put "alert_transition": "$ALERT_TRANSITION" into the payload of the '
                "webhook, it says whether the monitor recovered"
            )
        return ParsedPayload(alerts=[self._alert(event, transition, request.received_at)], notes=times.notes())

    def _alert(self, event: _Event, transition: str, now: float) -> Alert:
        tags = _tags(event.tags, event.scope)
        which = (event.monitor, event.scope) if event.monitor else (event.aggregation or event.cycle,)
        recovered = status_meaning(transition) == "resolved" or (not transition and event.kind == "success")
        return make_alert(
            self.name,
            now=now,
            group=identity(*which),
            fingerprint=identity(*which),
            # The date belongs to the event, and each reminder is an event. Only the cycle identifies the firing.
            episode=identity(event.cycle) if event.cycle else None,
            status="resolved" if recovered else "firing",
            title=event.title,
            description=event.message,
            starts_at=None if recovered else event.date,
            ends_at=event.date,
            as_of=event.date,
            occasion=_occasion(event, transition),
            severity=_severity(event, transition),
            service=tags.get("service"),
            team=tags.get("team"),
            labels={**tags, **_labels(event)},
            links={"event": event.link, "snapshot": event.snapshot},
        )


def _refuse_unknown_template(body: Mapping[str, object]) -> None:
    if body.keys() & _KNOWN:
        return
    found = excerpt(", ".join(map(repr, body)) or "none", _SHOWN_BYTES)
    raise MalformedPayload(
        f"the payload of the webhook has no key that is known; expected {_EXPECTED} and others (docs/alerts.md); "
        f"found: {found}"
    )


def _occasion(event: _Event, transition: str) -> AlertReason | None:
    if _TEST.match(event.title):
        return "test"
    if transition in {"no data", "re-no data"}:
        return "no_data"
    return "renotify" if transition == "renotify" else None


def _severity(event: _Event, transition: str) -> str | None:
    if transition in {"warn", "re-warn"}:
        return "warning"
    return event.priority or _TYPES.get(event.kind.lower())


def _labels(event: _Event) -> dict[str, str]:
    labels = {
        "monitor_id": event.monitor,
        "scope": event.scope,
        "transition": event.transition,
        "query": event.query,
        "host": event.hostname,
    }
    return {name: value for name, value in labels.items() if value}


def _tags(*lists: str) -> dict[str, str]:
    """Read ``service:checkout,env:prod``, or the same as a JSON list. The first value of a repeated tag is used."""
    tags: dict[str, str] = {}
    for tag in ",".join(lists).replace('"', "").strip("[]").split(","):
        name, _, value = tag.strip().partition(":")
        if name and value:
            tags.setdefault(name, value)
    return tags
