"""Page the engineer on call through PagerDuty."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, Field, SecretStr

from watchkeeper import paging
from watchkeeper.backend import fetch_as
from watchkeeper.tool import Arguments, Team, ToolContext, ToolError, ToolUnavailable, tool

LOOK_UP = timedelta(seconds=6)
"""How long to wait for the number of the incident. PagerDuty creates the incident after it has accepted the page."""

_PAUSES = (0.0, 0.5, 1.0, 2.0)


class PageEngineer(Arguments):
    """Arguments of ``page_engineer``."""

    team: Team = Field(description="Team that owns the service in trouble.")
    summary: str = Field(
        min_length=1, max_length=1024, description="What is broken, since when, how badly, and the likely cause."
    )
    severity: paging.Severity = Field(default="critical", description="critical: people are affected now.")


class Page(BaseModel):
    """The accepted page."""

    team: str
    status: Literal["triggered"] = "triggered"
    incident: str | None = None
    """Number of the incident, such as INC-4827."""
    dedup_key: str
    url: str | None = None
    note: str | None = None


class _Incident(BaseModel):
    incident_number: int
    html_url: str | None = None


class _Incidents(BaseModel):
    incidents: list[_Incident]


@tool(effect="keyed", key=("team",))
async def page_engineer(args: PageEngineer, context: ToolContext) -> Page:
    """Page the engineer on call of a team: it wakes a person.

    Use it when people are affected or soon will be and a person must act, once you have looked at health, logs and
    deploys, so that the summary names the numbers, the start and the suspected cause. Page the team that owns the
    cause. One page a team is enough: paging the same team again in this incident only adds to the open page.
    """
    try:
        await paging.page(
            context.http,
            context.settings,
            args.team,
            summary=args.summary,
            severity=args.severity,
            dedup_key=context.idempotency_key,
            details={"run": context.call.run, "call": context.call.key},
        )
    except paging.NoRoutingKey as error:
        raise ToolError(f"{error}. Say in your report that no one was paged") from None
    page = Page(team=args.team, dedup_key=context.idempotency_key)
    token = context.settings.pagerduty.api_token
    if not token:
        page.note = "The page is sent; its incident number is not known here."
        return page
    # The page is sent. A failed lookup must not look like a failed page.
    try:
        async with asyncio.timeout(LOOK_UP.total_seconds()):
            incident = await _incident(token, context)
    except (ToolError, ToolUnavailable) as error:
        page.note = f"The page is sent, but its incident could not be looked up: {error}"
    except TimeoutError:
        page.note = "The page is sent, but PagerDuty has not created its incident yet."
    else:
        page.incident, page.url = f"INC-{incident.incident_number}", incident.html_url
    return page


async def _incident(token: SecretStr, context: ToolContext) -> _Incident:
    """Poll for the incident of the page. Raises ToolError, ToolUnavailable and TimeoutError."""
    headers = {
        "Authorization": f"Token token={token.get_secret_value()}",
        "Accept": "application/vnd.pagerduty+json;version=2",
    }
    url = f"{context.settings.pagerduty.api_url}/incidents"
    params = {"incident_key": context.idempotency_key}
    failure: Exception = TimeoutError()
    for pause in _PAUSES:
        await asyncio.sleep(pause)
        try:
            answer = await fetch_as(_Incidents, context.http, "GET", url, params=params, headers=headers)
        except ToolUnavailable as error:
            failure = error
            continue
        if answer.incidents:
            return max(answer.incidents, key=lambda incident: incident.incident_number)
    raise failure
