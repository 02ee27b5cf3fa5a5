"""Bodies of no known form: settings say where they hold what an alert needs; what is usual is known."""

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


def _usual(*names: str) -> list[str]:
    return [*names, *(f"data.{name}" for name in names)]


class FieldPaths(Section):
    """Where to look for each part of an alert; of several places the first that holds something counts."""

    title: Paths = _usual("title", "summary", "message", "name")
    description: Paths = _usual("description", "body", "details", "text")
    status: Paths = _usual("status", "state", "action", "event_type", "type")
    fingerprint: Paths = _usual("fingerprint", "incidentId", "incident_id", "alertId", "alert_id", "dedup_key", "id")
    group: Paths = Field(default=[], description="Default: each fingerprint is a group.")
    episode: Paths = Field(default=[], description="What differs from firing to firing; default: starts_at.")
    severity: Paths = _usual("severity", "priority", "level", "urgency")
    service: Paths = _usual("service.name", "service", "app", "component")
    team: Paths = _usual("team.name", "team", "owner")
    starts_at: Paths = _usual("startsAt", "starts_at", "started_at", "created_at", "createdAt")
    ends_at: Paths = _usual("endsAt", "ends_at", "resolved_at", "closed_at")
    labels: Paths = _usual("labels", "tags", "metadata")
    runbook: Paths = _usual("runbook_url", "runbook", "labels.runbook_url")
    link: Paths = _usual("url", "link", "html_url", "permalink")


class MappedSection(SourceSection):
    """How to read the bodies of a sender that is not known by name."""

    signs: ClassVar[bool] = True

    alerts: str | None = Field(default=None, description="Where a list of alerts is; default: the body is one.")
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
        description="Words for a status that is over, with * and ?.",
    )
    firing: Names = Field(default=[], description="Words for one that is not; default: any other. The rest is ignored.")


M = TypeVar("M", bound=MappedSection)


class MappedSource(Source[M]):
    """What sources without a form of their own have in common."""

    def parse(self, posted: WebhookRequest) -> ParsedPayload:
        """Read the alerts of a body by the paths of the settings."""
        body = parse_json(posted.body)
        listed = self._listed(body)
        received = ParsedPayload()
        for where, item in listed[:MAX_ALERTS]:
            if not isinstance(item, dict):
                raise MalformedPayload(f"{where}: should be an object")
            self._read(item, where, received, posted.now)
        if cut := len(listed[MAX_ALERTS:]):
            received.notes.append(f"only the first {MAX_ALERTS} alerts were read; {cut} more came")
        return received

    def _listed(self, body: JsonObject) -> list[tuple[str, object]]:
        where = self.section.alerts
        if where is None:
            return [("", body)]
        found = first_value(body, [where])
        if not isinstance(found, list):
            raise MalformedPayload(f"{where}: should be a list of alerts, as the settings of this source say")
        return [(f"{where}[{number}]", item) for number, item in enumerate(found)]

    def _read(self, item: JsonObject, where: str, received: ParsedPayload, now: float) -> None:
        paths = self.section.fields
        found = {name: first_value(item, getattr(paths, name)) for name in FieldPaths.model_fields}
        try:
            said = parse_model(_Said, {name: value for name, value in found.items() if value is not None})
        except MalformedPayload as error:
            raise MalformedPayload(f"{where}, {error}" if where else str(error)) from None
        status = self._status(said.status)
        if status is None:
            received.ignored.append("its status is neither one that fires nor one that is over")
        elif not (said.fingerprint or said.title):
            places = ", ".join([*paths.fingerprint, *paths.title])
            raise MalformedPayload(
                f"{where or 'the body'}: nothing says which alert this is; looked at {places}. Set fields.fingerprint "
                "or fields.title in the settings of this source"
            )
        else:
            received.alerts.append(self._alert(said, status, found.get("labels"), now))

    def _status(self, said: str) -> Literal["firing", "resolved"] | None:
        word = said.strip().lower()
        if any(fnmatchcase(word, pattern.lower()) for pattern in self.section.resolved):
            return "resolved"
        fires = not self.section.firing or any(fnmatchcase(word, pattern.lower()) for pattern in self.section.firing)
        return "firing" if fires else None

    def _alert(self, said: _Said, status: Literal["firing", "resolved"], labels: object, now: float) -> Alert:
        fingerprint = identity(said.fingerprint or said.title)
        return make_alert(
            self.name,
            now=now,
            group=identity(said.group) if said.group else fingerprint,
            fingerprint=fingerprint,
            episode=identity(said.episode) if said.episode else episode_from_time(said.starts_at),
            status=status,
            title=said.title or said.fingerprint,
            description=said.description,
            starts_at=said.starts_at,
            ends_at=said.ends_at,
            severity=said.severity,
            service=said.service,
            team=said.team,
            labels=_scalars(labels),
            links={"runbook": said.runbook, "source": said.link},
        )


class _Said(Payload):
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
    flat = parse_model(_Labels, {"labels": {name: v for name, v in labels.items() if not isinstance(v, dict | list)}})
    return flat.labels


class _Labels(Payload):
    labels: dict[str, Text]
