"""JSON payloads without a fixed format. Settings map their fields; the defaults cover common names."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from typing import ClassVar, Literal, TypeVar

from pydantic import Field

from watchkeeper.alerts.builder import make_alert
from watchkeeper.alerts.identity import episode_from_time, identity
from watchkeeper.alerts.json_path import Paths, first_value
from watchkeeper.alerts.payload import MalformedPayload, Payload, Text, Time, parse_json, parse_model
from watchkeeper.alerts.source import MAX_ALERTS, ParsedPayload, Source, WebhookRequest
from watchkeeper.config.alert_source import Names, SourceSection
from watchkeeper.config.field_types import Section
from watchkeeper.contracts import Alert, JsonObject


def _default_paths(*names: str) -> list[str]:
    return [*names, *(f"data.{name}" for name in names)]


class FieldPaths(Section):
    """Paths of each field of an alert. The first path that holds a value is used."""

    title: Paths = _default_paths("title", "summary", "message", "name")
    description: Paths = _default_paths("description", "body", "details", "text")
    status: Paths = _default_paths("status", "state", "action", "event_type", "type")
    fingerprint: Paths = _default_paths(
        "fingerprint", "incidentId", "incident_id", "alertId", "alert_id", "dedup_key", "id"
    )
    group: Paths = Field(default=[], description="Default: each fingerprint is a group.")
    episode: Paths = Field(default=[], description="A value that differs from firing to firing. Default: starts_at.")
    severity: Paths = _default_paths("severity", "priority", "level", "urgency")
    service: Paths = _default_paths("service.name", "service", "app", "component")
    team: Paths = _default_paths("team.name", "team", "owner")
    starts_at: Paths = _default_paths("startsAt", "starts_at", "started_at", "created_at", "createdAt")
    ends_at: Paths = _default_paths("endsAt", "ends_at", "resolved_at", "closed_at")
    labels: Paths = _default_paths("labels", "tags", "metadata")
    runbook: Paths = _default_paths("runbook_url", "runbook", "labels.runbook_url")
    link: Paths = _default_paths("url", "link", "html_url", "permalink")


class MappedSection(SourceSection):
    """Settings of a sender whose payload has no fixed format."""

    signs: ClassVar[bool] = True

    alerts: str | None = Field(default=None, description="Path of a list of alerts. Default: the body is one alert.")
    fields: FieldPaths = FieldPaths()
    resolved: Names = Field(
        default=[
            "resolved",
            "resolve",
            "ok",
            "closed",
            "close",
            "recovered",
            "normal",
            "cleared",
            "completed",
            "fixed",
        ],
        description="Status values that mean resolved, with * and ?.",
    )
    firing: Names = Field(
        default=[],
        description="Status values that mean firing. Default: every other value. Other statuses are ignored.",
    )


M = TypeVar("M", bound=MappedSection)


class MappedSource(Source[M]):
    """Base class of the sources whose payload has no fixed format."""

    def parse(self, request: WebhookRequest) -> ParsedPayload:
        """Parse the alerts of a body with the paths of the settings."""
        body = parse_json(request.body)
        items = self._items(body)
        payload = ParsedPayload()
        for location, item in items[:MAX_ALERTS]:
            if not isinstance(item, dict):
                raise MalformedPayload(f"{location}: should be an object")
            self._parse_item(item, location, payload, request.received_at)
        if cut := len(items[MAX_ALERTS:]):
            payload.notes.append(f"only the first {MAX_ALERTS} alerts were read; {cut} more came")
        return payload

    def _items(self, body: JsonObject) -> list[tuple[str, object]]:
        path = self.section.alerts
        if path is None:
            return [("", body)]
        items = first_value(body, [path])
        if not isinstance(items, list):
            raise MalformedPayload(f"{path}: should be a list of alerts, as the settings of this source say")
        return [(f"{path}[{number}]", item) for number, item in enumerate(items)]

    def _parse_item(self, item: JsonObject, location: str, payload: ParsedPayload, now: float) -> None:
        paths = self.section.fields
        values = {name: first_value(item, getattr(paths, name)) for name in FieldPaths.model_fields}
        try:
            fields = parse_model(_Fields, {name: value for name, value in values.items() if value is not None})
        except MalformedPayload as error:
            raise MalformedPayload(f"{location}, {error}" if location else str(error)) from None
        status = self._status(fields.status)
        if status is None:
            payload.ignored.append("its status is neither firing nor resolved")
        elif not (fields.fingerprint or fields.title):
            searched = ", ".join([*paths.fingerprint, *paths.title])
            raise MalformedPayload(
                f"{location or 'the body'}: nothing says which alert this is; looked at {searched}. Set "
                "fields.fingerprint or fields.title in the settings of this source"
            )
        else:
            payload.alerts.append(self._alert(fields, status, values.get("labels"), now))

    def _status(self, status: str) -> Literal["firing", "resolved"] | None:
        lower = status.strip().lower()
        if any(fnmatchcase(lower, pattern.lower()) for pattern in self.section.resolved):
            return "resolved"
        firing = not self.section.firing or any(fnmatchcase(lower, pattern.lower()) for pattern in self.section.firing)
        return "firing" if firing else None

    def _alert(self, fields: _Fields, status: Literal["firing", "resolved"], labels: object, now: float) -> Alert:
        fingerprint = identity(fields.fingerprint or fields.title)
        return make_alert(
            self.name,
            now=now,
            group=identity(fields.group) if fields.group else fingerprint,
            fingerprint=fingerprint,
            episode=identity(fields.episode) if fields.episode else episode_from_time(fields.starts_at),
            status=status,
            title=fields.title or fields.fingerprint,
            description=fields.description,
            starts_at=fields.starts_at,
            ends_at=fields.ends_at,
            severity=fields.severity,
            service=fields.service,
            team=fields.team,
            labels=_scalars(labels),
            links={"runbook": fields.runbook, "source": fields.link},
        )


class _Fields(Payload):
    title: Text = ""
    description: Text = ""
    status: Text = ""
    fingerprint: Text = ""
    group: Text = ""
    episode: Text = ""
    severity: Text = ""
    service: Text = ""
    team: Text = ""
    starts_at: Time = None
    ends_at: Time = None
    runbook: Text = ""
    link: Text = ""


def _scalars(labels: object) -> dict[str, str]:
    if not isinstance(labels, Mapping):
        return {}
    scalars = {name: value for name, value in labels.items() if not isinstance(value, dict | list)}
    return parse_model(_Labels, {"labels": scalars}).labels


class _Labels(Payload):
    labels: dict[str, Text]
