"""JSON payloads without a fixed format. Settings map their fields; the defaults cover common names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import ClassVar, TypeVar

from pydantic import Field

from watchkeeper.alerts.alert_selection import AlertSelection
from watchkeeper.alerts.builder import make_alert
from watchkeeper.alerts.identity import episode_from_time, identity
from watchkeeper.alerts.json_items import read_items
from watchkeeper.alerts.json_path import Paths, all_values, first_value
from watchkeeper.alerts.json_text import label_values, name_of, text_of
from watchkeeper.alerts.mapped_status import StatusReader, flag_meanings, matches
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
from watchkeeper.alerts.status_words import Meaning
from watchkeeper.config.alert_source import Names, Patterns, SourceSection
from watchkeeper.config.field_types import Section
from watchkeeper.contracts import Alert, AlertReason, JsonObject

_INSIDE = ("data", "data.attributes", "incident", "alert", "event", "payload", "issue")
"""Objects of a body that many senders put the fields of an alert into."""

_FLAGS: dict[str, Meaning] = {
    **dict.fromkeys(
        ("resolved", "is_resolved", "isResolved", "recovered", "healthy", "is_healthy", "is_up"), "resolved"
    ),
    **dict.fromkeys(("firing", "is_firing", "isFiring", "active", "is_active", "isActive"), "firing"),
}
"""Names of JSON's true and false that say whether an alert fires, and what true means."""

_MONTH = 30 * 86_400.0


def _default_paths(*names: str) -> list[str]:
    return [*names, *(f"{outer}.{name}" for outer in _INSIDE for name in names)]


class FieldPaths(Section):
    """Paths of each field of an alert. The first path that holds a value is used."""

    title: Paths = _default_paths("title", "summary", "message", "name")
    description: Paths = _default_paths("description", "body", "details", "text", "cause")
    status: Paths = Field(
        default=_default_paths(
            *("status", "state", "current_state", "condition", "transition", "action", "event", "event_type"),
            *("eventType", "event_name", "type", "new_state", "newState", "new_status", "newStatus", "currentState"),
            *("current_status", "currentStatus", "alert_status", "alertStatus", "alert_state", "alertState"),
            *("incident_status", "incidentStatus", "incident_state", "monitor_status", "event_action"),
            *("notification_type", "notificationType", "message_type"),
        ),
        description="Default: of these, the first whose value says whether the alert fires.",
    )
    fingerprint: Paths = _default_paths(
        "fingerprint", "incidentId", "incident_id", "alertId", "alert_id", "dedup_key", "id"
    )
    group: Paths = Field(default=[], description="Default: each fingerprint is a group.")
    episode: Paths = Field(default=[], description="A value that differs from firing to firing. Default: starts_at.")
    severity: Paths = _default_paths("severity", "priority", "level", "urgency")
    service: Paths = _default_paths("service.name", "service", "services.0", "app", "component")
    team: Paths = _default_paths("team.name", "team", "owner")
    starts_at: Paths = _default_paths("startsAt", "starts_at", "started_at", "created_at", "createdAt")
    at: Paths = Field(
        default=[],
        description="Time of an event, which orders events: an alert that fires began then, a resolved one ended then.",
    )
    ends_at: Paths = _default_paths(
        *("endsAt", "ends_at", "resolvedAt", "resolved_at", "closedAt", "closed_at", "endedAt", "ended_at"),
        *("recoveredAt", "recovered_at", "clearedAt", "cleared_at"),
    )
    labels: Paths = Field(
        default=_default_paths("labels", "tags", "metadata"), description="The labels of all these are used."
    )
    runbook: Paths = _default_paths("runbook_url", "runbook", "labels.runbook_url")
    link: Paths = _default_paths("url", "link", "html_url", "permalink")


class MappedSection(SourceSection):
    """Settings of a sender whose payload has no fixed format."""

    signs: ClassVar[bool] = True

    alerts: str | None = Field(default=None, description="Path of a list of alerts. Default: the body is one alert.")
    fields: FieldPaths = FieldPaths()
    resolved: Names = Field(
        default=[],
        description="Status values that mean resolved, with * and ?. Default: by their meaning, in English.",
    )
    firing: Names = Field(
        default=[],
        description="Status values that mean firing. Default: every other value. Other statuses are ignored.",
    )
    no_data: Names = Field(default=[], description="Status values of which an alert only says that data is missing.")
    repeats: bool = Field(
        default=False, description="The sender repeats a firing with a new time, so that a time is no new firing."
    )
    appends_id: bool = Field(default=False, description="The sender appends /ID to the URL.")
    rest_statuses: bool = Field(default=False, description="The sender expects 201 for a POST and 202 for a PUT.")
    severity_names: dict[str, str] = Field(
        default_factory=dict, description="Our severity for each of the sender's, where they differ."
    )
    tests: Patterns = Field(
        default_factory=dict, description="For each path, patterns of values with which a body is a test."
    )


M = TypeVar("M", bound=MappedSection)


class MappedSource(Source[M]):
    """Base class of the sources whose payload has no fixed format."""

    def parse(self, request: WebhookRequest) -> ParsedPayload:
        """Parse the alerts of a body with the paths of the settings."""
        payload, selection, times = ParsedPayload(), AlertSelection(self.section), UnreadableTimes()
        for location, item in self._items(request.body):
            if not isinstance(item, dict):
                raise MalformedPayload(f"{location}: should be an object")
            self._parse_item(item, location, payload, request.received_at, times)
            while payload.alerts:
                selection.add(payload.alerts.pop())
        payload.alerts = selection.finish()
        payload.left_out = dict(selection.left_out)
        payload.unlisted = {group: firing for group, firing in selection.left_out_firing.items() if firing}
        payload.notes.extend(times.notes())
        return payload

    def _items(self, body: bytes) -> Iterator[tuple[str, object]]:
        path = self.section.alerts
        if path is None:
            yield "", parse_json(body)
            return
        _, items = read_items(body, path)
        if items is None:
            raise MalformedPayload(f"{path}: should be a list of alerts, as the settings of this source say")
        for number, item in enumerate(items):
            yield f"{path}[{number}]", item

    def _parse_item(
        self, item: JsonObject, location: str, payload: ParsedPayload, now: float, times: UnreadableTimes
    ) -> None:
        paths = self.section.fields
        values = {
            name: value if name in _UNNAMED else name_of(value)
            for name in FieldPaths.model_fields
            if (value := first_value(item, getattr(paths, name))) is not None
        }
        try:
            fields = parse_model(_Fields, values, times)
        except MalformedPayload as error:
            raise MalformedPayload(f"{location}, {error}" if location else str(error)) from None
        status = self._status.read(all_values(item, paths.status), fields.ends_at, now, self._flags(item))
        if status is None and fields.status:
            payload.ignored.append("its status is neither firing nor resolved")
        elif not (fields.fingerprint or fields.title):
            raise MalformedPayload(
                f"{location or 'the body'}: nothing says which alert this is; looked at "
                f"{_outer_paths([*paths.fingerprint, *paths.title])}. Set "
                "fields.fingerprint or fields.title in the settings of this source"
            )
        elif status is None:
            raise MalformedPayload(
                f"{location or 'the body'}: nothing says whether the alert fires; looked at "
                f"{_outer_paths(paths.status)}"
            )
        else:
            labels = label_values(all_values(item, paths.labels))
            payload.alerts.append(self._alert(fields, status, labels, self._occasion(item, fields), now))

    def _flags(self, item: JsonObject) -> list[Meaning]:
        section = self.section
        return [] if section.firing or section.resolved else flag_meanings(item, _FLAGS, _INSIDE)

    @property
    def _status(self) -> StatusReader:
        section = self.section
        return StatusReader(section.resolved, section.firing, "status" in section.fields.model_fields_set)

    def _occasion(self, item: JsonObject, fields: _Fields) -> AlertReason | None:
        tests = self.section.tests.items()
        if any(matches(text_of(first_value(item, [path])), patterns) for path, patterns in tests):
            return "test"
        return "no_data" if matches(fields.status, self.section.no_data) else None

    def _alert(
        self,
        fields: _Fields,
        status: Meaning,
        labels: Mapping[str, str],
        occasion: AlertReason | None,
        now: float,
    ) -> Alert:
        fingerprint = identity(fields.fingerprint or fields.title)
        starts_at = fields.starts_at if fields.starts_at or status == "resolved" else fields.at
        by_time = None if self.section.repeats else episode_from_time(starts_at)
        return make_alert(
            self.name,
            now=now,
            group=identity(fields.group) if fields.group else fingerprint,
            fingerprint=fingerprint,
            episode=identity(fields.episode) if fields.episode else by_time,
            status=status,
            title=fields.title or fields.fingerprint,
            description=fields.description,
            starts_at=starts_at,
            ends_at=fields.ends_at or fields.at,
            as_of=fields.at or (starts_at if status == "firing" else fields.ends_at),
            occasion=occasion,
            severity=self._severity(fields.severity),
            # Many senders give a check, and not each of its firings, the time that is read as the start.
            late_for=None if fields.episode else _MONTH if fields.at else 0.0,
            service=fields.service,
            team=fields.team,
            labels=labels,
            links={"runbook": fields.runbook, "source": fields.link},
        )

    def _severity(self, severity: str) -> str:
        names = {name.lower(): ours for name, ours in self.section.severity_names.items()}
        return names.get(severity.strip().lower(), severity)


class _Fields(Payload):
    title: Text = ""
    description: Text = ""
    status: Text = ""
    fingerprint: Text = ""
    group: Text = ""
    episode: Text = ""
    severity: Severity = ""
    service: Text = ""
    team: Text = ""
    starts_at: Time = None
    at: Time = None
    ends_at: Time = None
    runbook: Text = ""
    link: Text = ""


_UNNAMED = {"severity", "starts_at", "at", "ends_at", "labels"}
"""Fields that are no plain text. Of the others, an object counts by its name."""


def _outer_paths(paths: Sequence[str]) -> str:
    """Return the paths as text, leaving out every path that starts inside another object."""
    outer = [path for path in paths if not any(path.startswith(f"{name}.") for name in _INSIDE)]
    return ", ".join(outer or paths)
