"""PagerDuty: the report as a note of the incident behind the alert, and of the incidents that the run opened."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from httpx2 import AsyncClient
from pydantic import BaseModel, Field
from temporalio import activity

from watchkeeper.backend import fetch_as, send
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ReportDelivery
from watchkeeper.paging import PAGER_TOOL
from watchkeeper.text import excerpt
from watchkeeper.tool import Tool, ToolCall, ToolError, ToolUnavailable

NOTE_BYTES = 20_000

PAGE_LOOKUP_ATTEMPTS = 5
"""Attempts to find the incident of the hand-off page, which another delivery may be sending at the same time."""


class _Incident(BaseModel):
    id: str


class _Incidents(BaseModel):
    incidents: list[_Incident]


class _Note(BaseModel):
    content: str = ""


class _Notes(BaseModel):
    notes: list[_Note] = Field(default_factory=list)


async def add_notes(
    delivery: ReportDelivery, settings: Settings, tools: Mapping[str, Tool[Any]], http: AsyncClient
) -> bool:
    """Add the note once to each incident, also if one of them fails. False: there is no incident.

    Raises ToolUnavailable if any may take it later, else ToolError if any never will.
    """
    if not settings.notes_incidents:
        return False
    incidents, failed = await _incidents(delivery, settings, tools, http)
    for incident in incidents:
        try:
            await _note(delivery, incident, settings, http)
        except (ToolError, ToolUnavailable) as error:
            failed.append(error)
    if failed:
        raise next((error for error in failed if isinstance(error, ToolUnavailable)), failed[0])
    if not incidents and _is_paged(delivery, settings) and activity.info().attempt <= PAGE_LOOKUP_ATTEMPTS:
        raise ToolUnavailable("PagerDuty does not have the incident of the hand-off page yet")
    return bool(incidents)


async def _incidents(
    delivery: ReportDelivery, settings: Settings, tools: Mapping[str, Tool[Any]], http: AsyncClient
) -> tuple[list[str], list[ToolError | ToolUnavailable]]:
    """Return the ids of the incidents, each once, and the errors of failed searches."""
    found: dict[str, None] = {}
    failed: list[ToolError | ToolUnavailable] = []
    if delivery.origin is not None and delivery.origin.kind == "pagerduty":
        found[delivery.origin.group] = None
    for key in _page_keys(delivery, settings, tools):
        try:
            known = await fetch_as(
                _Incidents,
                http,
                "GET",
                f"{settings.pagerduty.api_url}/incidents",
                params={"incident_key": key, "date_range": "all"},
                headers=_headers(settings),
            )
        except (ToolError, ToolUnavailable) as error:
            failed.append(error)
            continue
        found.update({incident.id: None for incident in known.incidents})
    return list(found), failed


def _page_keys(delivery: ReportDelivery, settings: Settings, tools: Mapping[str, Tool[Any]]) -> list[str]:
    """Return the keys of the pages that the run may have sent: to its team, the fallback, the model's choice."""
    if (pager := tools.get(PAGER_TOOL)) is None:
        return []
    teams = [settings.on_call(delivery.service), delivery.origin.team if delivery.origin else None]
    teams += [_team(found.arguments) for found in delivery.report.evidence if found.tool == PAGER_TOOL]
    call = ToolCall(run=delivery.run, key="report", arguments="{}")
    by_team = {team: pager.arguments.model_construct(team=team) for team in teams if team}
    return [pager.idempotency_key(call, arguments) for arguments in by_team.values()]


def _team(arguments: str) -> str | None:
    try:
        team = json.loads(arguments).get("team")
    except (ValueError, AttributeError):
        return None
    return team if isinstance(team, str) else None


async def _note(delivery: ReportDelivery, incident: str, settings: Settings, http: AsyncClient) -> None:
    place = f"{settings.pagerduty.api_url}/incidents/{quote(incident, safe='')}/notes"
    marker = f"watchkeeper run={delivery.run} part={delivery.part}"
    existing = await fetch_as(_Notes, http, "GET", place, headers=_headers(settings))
    if any(marker in note.content.splitlines() for note in existing.notes):
        return
    report = delivery.report
    text = excerpt(f"{report.summary}\n\n{report.body}", NOTE_BYTES)
    headers = {**_headers(settings), "From": settings.pagerduty.from_email or ""}
    await send(http, "POST", place, json={"note": {"content": f"{text}\n\n{marker}"}}, headers=headers)


def _headers(settings: Settings) -> dict[str, str]:
    token = settings.pagerduty.api_token
    return {
        "Authorization": f"Token token={token.get_secret_value() if token else ''}",
        "Accept": "application/vnd.pagerduty+json;version=2",
    }


def _is_paged(delivery: ReportDelivery, settings: Settings) -> bool:
    """Tell whether a page is sent with this report."""
    unfinished = delivery.status in ("limit_reached", "failed") and not delivery.follow_up
    return unfinished and settings.reports.page_on_hand_off and settings.on_call(delivery.service) is not None
