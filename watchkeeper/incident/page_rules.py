"""The rules for the pages of a run, made from the settings when the run is briefed (pure)."""

from __future__ import annotations

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Incident, PageRules, RunInput
from watchkeeper.text import excerpt

TITLE_BYTES = 300


def incident_of(run_input: RunInput, *, is_open: bool = False, opened_number: str | None = None) -> Incident:
    """Return what pages of a run say first, as far as it is known at the start.

    ``is_open``: whether the sender of the alerts has opened an incident in PagerDuty that is still open, and
    ``opened_number`` is its number.
    """
    origin = run_input.origin
    first_line = next((line.strip() for line in run_input.text.splitlines() if line.strip()), run_input.text)
    fields = {
        "title": excerpt(first_line, TITLE_BYTES),
        "service": run_input.service,
        "unknown_service": origin.unknown_service if origin else None,
        "severity": run_input.severity,
        "opened_key": origin.opened_key if origin else None,
        "surely_opened": bool(origin and origin.surely_opened),
        "is_open": is_open,
        "opened_number": opened_number,
    }
    return Incident.model_validate({name: value for name, value in fields.items() if value})


def page_rules(settings: Settings, run_input: RunInput, incident: Incident, look_first: str) -> PageRules:
    """Return the rules. They name the teams that the run may page without approval.

    These are the owner of its service, the alert's team and related teams: the owners of the services that its service
    calls, and of the services that call it. If the catalogue does not name the service, it is the fallback team.
    """
    service = run_input.service if run_input.service in settings.services else None
    alert_team = run_input.origin.team if run_input.origin else None
    teams = [settings.team_of(service), alert_team, *(settings.teams_related_to(service) if service else [])]
    unowned = bool(run_input.origin and run_input.origin.unknown_service and not alert_team)
    if unowned:
        teams.append(settings.reports.team)
    owners = {name: found.team for name, found in sorted(settings.services.items())}
    others = sorted(set(settings.catalogue["team"]) - set(owners.values()))
    rules = PageRules(incident=incident, approval=settings.approval.timeout, look_first=look_first)
    lists = {"owners": owners, "others": others, "teams": [team for team in dict.fromkeys(teams) if team]}
    optional = {**lists, "unowned": unowned, "on_call": settings.on_call(run_input.service, alert_team)}
    return rules.model_copy(update={name: value for name, value in optional.items() if value})
