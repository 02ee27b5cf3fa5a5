"""What the rules for pages say about a call, from the calls before it (pure). Workflow code uses it."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper.contracts import CallRecord, Incident, PageRules, RequestedCall
from watchkeeper.text import json_summary, shortened

MEASURED = 3
"""How many results, of the latest reads, a page shows."""

MEASURED_BYTES = 250

_SERVICE = re.compile(r'"service"\s*:\s*"([^"\\]+)"')
"""A service in arguments that were cut, so that they are no JSON."""


@dataclass(frozen=True)
class PageGate:
    """The rules for the pages of a run, with the incident as it is now."""

    rules: PageRules
    reads: tuple[str, ...]
    """Names of the tools that change nothing."""
    forced: str | None = None
    """Tool that the person who started the run has forced."""

    def has_looked(self, records: Sequence[CallRecord]) -> bool:
        """Return whether a read has succeeded."""
        return any(self._successful_reads(records))

    def is_allowed_to_page(self, call: RequestedCall, records: Sequence[CallRecord]) -> bool:
        """Return whether a page may be sent although it may be the first call of the run."""
        return call.name == self.forced or self.has_looked(records)

    def team_to_approve(self, call: RequestedCall, records: Sequence[CallRecord]) -> str | None:
        """Return the team that a call would page, if a person must approve that first.

        None also if no team of the catalogue is named: the tool refuses such a call.
        """
        rules, team = self.rules, self._team(call)
        if team is None or team in rules.teams:
            return None
        if rules.teams or rules.unowned:
            return team
        if call.name == self.forced:
            return None
        return None if team in self._teams_read(records) else team

    def incident(self, records: Sequence[CallRecord]) -> Incident:
        """Return the incident with what was measured, the latest result last."""
        latest = self._successful_reads(records)[-MEASURED:]
        measured = [
            shortened(f"{record.name}: {json_summary(record.finding)}", MEASURED_BYTES)
            for record in latest
            if record.finding
        ]
        incident = self.rules.incident
        return incident.model_copy(update={"measured": measured}) if measured else incident

    def _successful_reads(self, records: Sequence[CallRecord]) -> list[CallRecord]:
        return [record for record in records if record.status == "ok" and record.name in self.reads]

    def _team(self, call: RequestedCall) -> str | None:
        arguments = _object(call.arguments)
        service, team = arguments.get("service"), arguments.get("team")
        if isinstance(service, str):
            return self.rules.owners.get(service)
        known = [*self.rules.owners.values(), *self.rules.others, *self.rules.teams]
        return team if isinstance(team, str) and team in known else None

    def _teams_read(self, records: Sequence[CallRecord]) -> list[str]:
        """Return the owner of each service that a successful read was about."""
        services = [name for record in self._successful_reads(records) for name in _services(record.arguments)]
        return [self.rules.owners[name] for name in services if name in self.rules.owners]


def _services(arguments: str) -> list[str]:
    values = _object(arguments)
    named = values.get("service", values.get("services"))
    if isinstance(named, list):
        return [name for name in named if isinstance(name, str)]
    return [named] if isinstance(named, str) else _SERVICE.findall(arguments)


def _object(text: str) -> dict[str, object]:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
