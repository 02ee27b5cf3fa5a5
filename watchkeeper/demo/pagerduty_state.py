"""The state of the simulated PagerDuty: received events and open incidents. Also the rules for an event."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from uuid import uuid4

from watchkeeper.contracts import JsonObject

FIRST_NUMBER = 4827
SEVERITIES = ("critical", "error", "warning", "info")
MAX_SUMMARY = 1024
MAX_DEDUP_KEY = 255


@dataclass(frozen=True)
class PagerDutyEvent:
    """One accepted event; duplicates are included."""

    team: str
    action: Literal["trigger", "acknowledge", "resolve"]
    dedup_key: str
    summary: str | None
    severity: str | None
    event: JsonObject = field(repr=False)


@dataclass
class PagerDutyIncident:
    """An incident, by which a person is paged."""

    number: int
    team: str
    key: str
    """The dedup_key of the event that opened it."""
    title: str
    status: Literal["triggered", "acknowledged", "resolved"]
    opened_at: float
    alerts: int = 1
    """Number of trigger events, the first one included."""
    notes: list[str] = field(default_factory=list)

    @property
    def id(self) -> str:
        """The id in the REST API."""
        return f"Q{self.number:07d}"


class PagerDutyState:
    """All accepted events and the incidents that they opened."""

    def __init__(self, routing_keys: Mapping[str, str]) -> None:
        self._teams = {key: team for team, key in routing_keys.items()}
        self.events: list[PagerDutyEvent] = []
        self.incidents: list[PagerDutyIncident] = []
        self.rest_delay = 0.0
        """Seconds until the REST API shows an incident that the Events API has accepted."""

    def accept(self, event: JsonObject) -> PagerDutyEvent:
        """Process a valid event.

        A trigger joins the open incident with the same routing key and dedup_key, or opens one. Acknowledge and resolve
        are ignored if no incident is open.
        """
        accepted = _received_event(self._teams[event["routing_key"]], event)
        self.events.append(accepted)
        same = (i for i in self.incidents if (i.team, i.key) == (accepted.team, accepted.dedup_key))
        incident = next((incident for incident in same if incident.status != "resolved"), None)
        match accepted.action, incident:
            case "trigger", None:
                self._open(accepted)
            case "trigger", PagerDutyIncident():
                incident.alerts += 1
            case "acknowledge", PagerDutyIncident():
                incident.status = "acknowledged"
            case "resolve", PagerDutyIncident():
                incident.status = "resolved"
        return accepted

    def _open(self, accepted: PagerDutyEvent) -> None:
        number = FIRST_NUMBER + len(self.incidents)
        title = accepted.summary or ""
        self.incidents.append(
            PagerDutyIncident(number, accepted.team, accepted.dedup_key, title, "triggered", time.time())
        )

    def find_faults(self, event: object) -> list[str]:
        """Return the errors that PagerDuty reports for an event."""
        if not isinstance(event, dict):
            return ["event must be a JSON object"]
        faults = _key_faults(event, self._teams)
        action, dedup_key = event.get("event_action"), event.get("dedup_key")
        if action not in ("trigger", "acknowledge", "resolve"):
            faults.append("'event_action' is invalid (must be one of: trigger, acknowledge, resolve)")
        if dedup_key is not None and not (isinstance(dedup_key, str) and len(dedup_key) <= MAX_DEDUP_KEY):
            faults.append(f"'dedup_key' is invalid (must be a string of at most {MAX_DEDUP_KEY} characters)")
        if action in ("acknowledge", "resolve") and not dedup_key:
            faults.append("'dedup_key' is missing or blank")
        if action == "trigger":
            faults += [*_payload_faults(event.get("payload")), *_context_faults(event)]
        return faults


def _received_event(team: str, event: JsonObject) -> PagerDutyEvent:
    payload = event.get("payload") or {}
    return PagerDutyEvent(
        team=team,
        action=event["event_action"],
        dedup_key=event.get("dedup_key") or uuid4().hex,
        summary=payload.get("summary"),
        severity=payload.get("severity"),
        event=event,
    )


def _key_faults(event: JsonObject, known: Mapping[str, str]) -> list[str]:
    key = event.get("routing_key")
    if not isinstance(key, str) or not key:
        return ["'routing_key' is missing or blank"]
    if len(key) != 32:
        return ["Length of 'routing_key' is incorrect (should be 32 characters)"]
    return [] if key in known else ["Invalid routing key"]


def _payload_faults(payload: object) -> list[str]:
    if not isinstance(payload, dict):
        return ["'payload' is missing or blank"]
    faults = [
        f"'payload.{name}' is missing or blank"
        for name in ("summary", "source", "severity")
        if not isinstance(payload.get(name), str) or not payload[name].strip()
    ]
    if not faults and payload["severity"] not in SEVERITIES:
        faults.append(f"'payload.severity' is invalid (must be one of: {', '.join(SEVERITIES)})")
    if not faults and len(payload["summary"]) > MAX_SUMMARY:
        faults.append(f"'payload.summary' is too long (maximum is {MAX_SUMMARY} characters)")
    if not isinstance(payload.get("custom_details", {}), dict | str):
        faults.append("'payload.custom_details' is invalid (must be an object)")
    return faults


def _context_faults(event: JsonObject) -> list[str]:
    """Check what leads people from a page to other systems: the sending program, links and images."""
    faults = [
        f"{name!r} is invalid (must be a string)"
        for name in ("client", "client_url")
        if not isinstance(event.get(name, ""), str)
    ]
    if isinstance(address := event.get("client_url"), str) and not _is_address(address):
        faults.append("'client_url' is invalid (must be a URL)")
    for name, required in (("links", "href"), ("images", "src")):
        entries = event.get(name, [])
        if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
            faults.append(f"{name!r} is invalid (must be an array of objects)")
            continue
        for entry in entries:
            if not _is_address(entry.get(required)):
                faults.append(f"'{name}.{required}' is invalid (must be a URL)")
            if not isinstance(entry.get("text", ""), str):
                faults.append(f"'{name}.text' is invalid (must be a string)")
    return faults


def _is_address(value: object) -> bool:
    return isinstance(value, str) and value.startswith(("http://", "https://")) and value.isprintable()
