"""PagerDuty: page the people on call of a team, and find incidents. Every page is sent from here."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from httpx2 import AsyncClient
from pydantic import BaseModel, SecretStr

from watchkeeper.alerts.severity import PagerDutySeverity
from watchkeeper.alerts.sources.pagerduty import PAGE_CLIENT
from watchkeeper.backend import fetch_as
from watchkeeper.config.settings import Settings, env_variable
from watchkeeper.contracts import Incident
from watchkeeper.page_content import PageContent
from watchkeeper.text import visible
from watchkeeper.tool import ToolError, ToolUnavailable
from watchkeeper.tool_calling.definition import effect_key

PAGER_TOOL = "page_engineer"
"""The tool that pages people. Its deduplication key is the run and the team, so a run pages a team only once."""

LOOK_UP = timedelta(seconds=3)
"""How long a page waits for the answer whether the alerting system has opened an incident."""


OPEN = ("triggered", "acknowledged")
"""The statuses of an incident that a page with its deduplication key joins."""


class NoRoutingKey(ToolError):
    """The team has no routing key. The message names the settings to change."""


class KnownIncident(BaseModel):
    """An incident as PagerDuty lists it."""

    id: str = ""
    incident_number: int
    html_url: str | None = None

    @property
    def number(self) -> str:
        """The number as people write it, such as INC-4827."""
        return f"INC-{self.incident_number}"


class _Listed(BaseModel):
    incidents: list[KnownIncident]


class _Accepted(BaseModel):
    status: Literal["success"]


def page_key(run: str, team: str) -> str:
    """Return the dedup key for pages of a run to a team. The model, the hand-off and the watchdog share it.

    Args:
        run: First execution run id.
        team: Name of the team.
    """
    return effect_key(run, PAGER_TOOL, [team])


async def joined_key(http: AsyncClient, settings: Settings, incident: Incident | None) -> str | None:
    """Return the dedup key of the incident that the alerting system has opened, if it is open; None if none is.

    A page with this key joins that incident. If it cannot be looked up, the page must wake a person itself: None.
    """
    if incident is None or incident.opened_key is None or incident.surely_opened:
        return incident.opened_key if incident else None
    try:
        async with asyncio.timeout(LOOK_UP.total_seconds()):
            found = await find_incidents(http, settings, incident.opened_key, only_open=True)
    except (ToolError, ToolUnavailable, TimeoutError):
        return None
    return incident.opened_key if found else None


async def send_page(http: AsyncClient, settings: Settings, team: str, content: PageContent, dedup_key: str) -> None:
    """Send a page about an incident. Raises as ``page`` does."""
    await page(
        http,
        settings,
        team,
        summary=content.summary,
        severity=content.severity,
        dedup_key=dedup_key,
        details=content.details,
        links=content.links,
        run_url=content.run_url,
    )


async def page(
    http: AsyncClient,
    settings: Settings,
    team: str,
    *,
    summary: str,
    severity: PagerDutySeverity,
    dedup_key: str,
    details: Mapping[str, str],
    links: Mapping[str, str] | None = None,
    run_url: str | None = None,
) -> None:
    """Page a team. A page with the same key as an open page wakes no one again.

    Args:
        http: HTTP client of the process.
        settings: Settings of the operator.
        team: Team to page.
        summary: What is wrong; 1 to 1,024 characters.
        severity: Severity in PagerDuty.
        dedup_key: At most 255 characters.
        details: Shown to the paged person.
        links: http(s) addresses by the text that people click on.
        run_url: Web address of the run.

    Raises:
        NoRoutingKey: The team has no routing key.
        ToolError: PagerDuty refuses the page. A retry would not help.
        ToolUnavailable: PagerDuty does not answer, or asks to try later.
    """
    if not (routing_key := settings.routing_key(team)):
        raise NoRoutingKey(
            f"no one was paged: team {team!r} has no PagerDuty routing key; the operator can set "
            f"teams.{team}.routing_key ({env_variable('teams', team, 'routing_key')}), or pagerduty.routing_key "
            f"for all teams ({env_variable('pagerduty', 'routing_key')})"
        )
    event: dict[str, object] = {
        "routing_key": routing_key.get_secret_value(),
        "event_action": "trigger",
        "dedup_key": dedup_key,
        "client": PAGE_CLIENT,
        "payload": {
            "summary": visible(summary),
            "source": "watchkeeper",
            "severity": severity,
            "custom_details": {visible(name): visible(text) for name, text in details.items()},
        },
    }
    if run_url:
        event["client_url"] = run_url
    if links:
        event["links"] = [{"href": url, "text": visible(text)} for text, url in links.items()]
    await fetch_as(_Accepted, http, "POST", f"{settings.pagerduty.events_url}/v2/enqueue", json=event)


async def resolve(http: AsyncClient, settings: Settings, team: str, *, dedup_key: str) -> None:
    """Resolve what a page with this key opened; nothing happens if it opened nothing. Raises as ``page``."""
    if routing_key := settings.routing_key(team):
        key = routing_key.get_secret_value()
        event = {"routing_key": key, "event_action": "resolve", "dedup_key": dedup_key}
        await fetch_as(_Accepted, http, "POST", f"{settings.pagerduty.events_url}/v2/enqueue", json=event)


def rest_headers(token: SecretStr) -> dict[str, str]:
    """Return the headers of a request to the REST API."""
    return {
        "Authorization": f"Token token={token.get_secret_value()}",
        "Accept": "application/vnd.pagerduty+json;version=2",
    }


async def find_incidents(
    http: AsyncClient, settings: Settings, key: str, *, only_open: bool = False
) -> list[KnownIncident]:
    """Return the incidents with an alert of this deduplication key, the latest first; none without a token.

    PagerDuty lists an incident some seconds after it has accepted the event that opens it.

    Raises ToolError and ToolUnavailable.
    """
    token = settings.pagerduty.api_token
    if token is None:
        return []
    params: dict[str, str | list[str]] = {"incident_key": key, "date_range": "all"}
    if only_open:
        params["statuses[]"] = list(OPEN)
    url = f"{settings.pagerduty.api_url}/incidents"
    answer = await fetch_as(_Listed, http, "GET", url, params=params, headers=rest_headers(token))
    return sorted(answer.incidents, key=lambda incident: incident.incident_number, reverse=True)
