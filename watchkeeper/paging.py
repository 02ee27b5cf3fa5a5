"""Waking the people on call of a team, through PagerDuty's Events API: the one place that does."""

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
"""The tool by which people are paged. Its key is the incident and the team, so who was paged is not paged again."""

Severity: TypeAlias = Literal["critical", "error", "warning", "info"]


class NoRoutingKey(ToolError):
    """No routing key wakes the team; the text names the settings that would."""


class _Accepted(BaseModel):
    status: Literal["success"]


def page_key(run: str, team: str) -> str:
    """Name the page of a team within a run, whoever sends it: the model, the hand-off or the watchdog.

    Args:
        run: First execution run id.
        team: Who is woken.
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
    """Wake a team; the same key while its page is open wakes nobody again.

    Args:
        http: Shared by the process.
        settings: The operator's.
        team: Whom to wake.
        summary: What is wrong; 1 to 1,024 characters.
        severity: As PagerDuty understands it.
        dedup_key: At most 255 characters.
        details: What else the person is shown.

    Raises:
        NoRoutingKey: The team has no routing key.
        ToolError: PagerDuty refuses the page; trying again would not change that.
        ToolUnavailable: It cannot take it just now.
    """
    if not (routing_key := settings.routing_key(team)):
        raise NoRoutingKey(
            f"nobody was paged: team {team!r} has no PagerDuty routing key; the operator can set "
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
