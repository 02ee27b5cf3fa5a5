"""PagerDuty: the report as a note of the incident behind the alert, and of the incidents that the run opened."""

from __future__ import annotations

import json
from urllib.parse import quote

from httpx2 import AsyncClient
from pydantic import BaseModel, Field
from temporalio import activity

from watchkeeper.backend import fetch_as, send
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ReportDelivery
from watchkeeper.incident.claim_text import unsupported_line
from watchkeeper.paging import PAGER_TOOL, find_incidents, page_key, rest_headers
from watchkeeper.text import excerpt, harmless
from watchkeeper.tool import ToolError, ToolUnavailable

NOTE_BYTES = 20_000

PAGE_LOOKUP_ATTEMPTS = 5
"""Attempts to find the incident of the hand-off page, which another delivery may be sending at the same time."""


class _Note(BaseModel):
    content: str = ""


class _Notes(BaseModel):
    notes: list[_Note] = Field(default_factory=list)


async def add_notes(delivery: ReportDelivery, settings: Settings, http: AsyncClient) -> bool:
    """Add the note once to each incident, also if one of them fails. False: there is no incident.

    Raises ToolUnavailable if any may take it later, else ToolError if any never will.
    """
    if not settings.notes_incidents:
        return False
    incidents, failed = await _incidents(delivery, settings, http)
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
    delivery: ReportDelivery, settings: Settings, http: AsyncClient
) -> tuple[list[str], list[ToolError | ToolUnavailable]]:
    """Return the ids of the incidents, each once, and the errors of failed searches."""
    found: dict[str, None] = {}
    failed: list[ToolError | ToolUnavailable] = []
    if delivery.origin is not None and delivery.origin.kind == "pagerduty":
        found[delivery.origin.group] = None
    joined = delivery.incident.opened_key if delivery.incident else None
    for key in [*_page_keys(delivery, settings), *([joined] if joined else [])]:
        try:
            # An alerting system uses its key again for the next episode: the note is for an incident that is open.
            incidents = await find_incidents(http, settings, key, only_open=key == joined)
        except (ToolError, ToolUnavailable) as error:
            failed.append(error)
            continue
        found.update({incident.id: None for incident in incidents})
    return list(found), failed


def _page_keys(delivery: ReportDelivery, settings: Settings) -> list[str]:
    """Return the keys of the pages that the run may have sent: to the teams of its hand-off, and by the model."""
    teams: list[str | None] = [
        *settings.on_call_order(delivery.service),
        delivery.origin.team if delivery.origin else None,
    ]
    for found in delivery.report.evidence:
        if found.tool == PAGER_TOOL:
            teams += [settings.team_of(_argument(found.arguments, "service")), _argument(found.arguments, "team")]
    subjects = dict.fromkeys([delivery.run, delivery.page_subject])
    return [page_key(subject, team) for subject in subjects for team in dict.fromkeys(teams) if team]


def _argument(arguments: str, name: str) -> str | None:
    try:
        value = json.loads(arguments).get(name)
    except (ValueError, AttributeError):
        return None
    return value if isinstance(value, str) else None


async def _note(delivery: ReportDelivery, incident: str, settings: Settings, http: AsyncClient) -> None:
    place = f"{settings.pagerduty.api_url}/incidents/{quote(incident, safe='')}/notes"
    marker = f"watchkeeper run={delivery.run} part={delivery.part}"
    existing = await fetch_as(_Notes, http, "GET", place, headers=_headers(settings))
    if any(marker in note.content.splitlines() for note in existing.notes):
        return
    report = delivery.report
    parts = [report.summary, unsupported_line(report.unsupported), report.body]
    text = excerpt(harmless("\n\n".join(part for part in parts if part)), NOTE_BYTES)
    headers = {**_headers(settings), "From": settings.pagerduty.from_email or ""}
    await send(http, "POST", place, json={"note": {"content": f"{text}\n\n{marker}"}}, headers=headers)


def _headers(settings: Settings) -> dict[str, str]:
    token = settings.pagerduty.api_token
    assert token is not None, "notes need a token"
    return rest_headers(token)


def _is_paged(delivery: ReportDelivery, settings: Settings) -> bool:
    """Tell whether a page is sent with this report."""
    handed_off = delivery.status == "failed" or (delivery.status == "limit_reached" and delivery.origin is not None)
    unfinished = handed_off and not delivery.follow_up
    wakes = unfinished or delivery.wake is not None
    return wakes and settings.reports.page_on_hand_off and settings.on_call(delivery.service) is not None
