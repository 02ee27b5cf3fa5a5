"""Page the people on call of a team through PagerDuty's Events API. Every page is sent from here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias

from httpx2 import AsyncClient
from pydantic import BaseModel

from watchkeeper.backend import fetch_as
from watchkeeper.config.settings import Settings, env_variable
from watchkeeper.tool import ToolError
from watchkeeper.tool_calling.definition import effect_key

PAGER_TOOL = "page_engineer"
"""The tool that pages people. Its idempotency key is the run and the team, so a run pages a team only once."""

Severity: TypeAlias = Literal["critical", "error", "warning", "info"]


class NoRoutingKey(ToolError):
    """The team has no routing key. The message names the settings to change."""


class _Accepted(BaseModel):
    status: Literal["success"]


def page_key(run: str, team: str) -> str:
    """Return the dedup key for pages of a run to a team. The model, the hand-off and the watchdog share it.

    Args:
        run: First execution run id.
        team: Name of the team.
    """
    return effect_key(run, PAGER_TOOL, [team])


async def page(
    http: AsyncClient,
    settings: Settings,
    team: str,
    *,
    summary: str,
    severity: Severity,
    dedup_key: str,
    details: Mapping[str, str],
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
    await fetch_as(
        _Accepted,
        http,
        "POST",
        f"{settings.pagerduty.events_url}/v2/enqueue",
        json={
            "routing_key": routing_key.get_secret_value(),
            "event_action": "trigger",
            "dedup_key": dedup_key,
            "payload": {
                "summary": summary,
                "source": "watchkeeper",
                "severity": severity,
                "custom_details": dict(details),
            },
        },
    )


async def resolve(http: AsyncClient, settings: Settings, team: str, *, dedup_key: str) -> None:
    """Resolve what a page with this key opened; nothing happens if it opened nothing. Raises as ``page``."""
    if routing_key := settings.routing_key(team):
        await fetch_as(
            _Accepted,
            http,
            "POST",
            f"{settings.pagerduty.events_url}/v2/enqueue",
            json={
                "routing_key": routing_key.get_secret_value(),
                "event_action": "resolve",
                "dedup_key": dedup_key,
            },
        )
