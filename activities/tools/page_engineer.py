"""Page the engineer on call through PagerDuty."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import Literal

from pydantic import BaseModel, Field, model_validator
from pydantic.json_schema import SkipJsonSchema

from watchkeeper import paging
from watchkeeper.alerts.severity import PagerDutySeverity
from watchkeeper.incident.run_address import run_address
from watchkeeper.page_content import PageContent, page_content
from watchkeeper.paging import KnownIncident, find_incidents
from watchkeeper.tool import Arguments, Service, Team, ToolContext, ToolError, ToolUnavailable, tool

LOOK_UP = timedelta(seconds=6)
"""How long to wait for the number of the incident. PagerDuty creates the incident after it has accepted the page."""

_PAUSES = (0.0, 0.5, 1.0, 2.0)

_SEVERITIES: dict[object, PagerDutySeverity] = {"error": "error", "warning": "warning", "info": "info"}


class PageEngineer(Arguments):
    """Arguments of ``page_engineer``.

    An earlier version of the tool took the team and a severity. Runs that it briefed still send them.
    """

    service: Service | None = Field(
        description="Service whose owner must act: the one in trouble, or the one that causes the trouble."
    )
    summary: str = Field(
        min_length=1, max_length=1024, description="What is broken, since when, how badly, and the likely cause."
    )
    team: SkipJsonSchema[Team | None] = None
    severity: SkipJsonSchema[object] = None

    @model_validator(mode="before")
    @classmethod
    def _accept_a_team(cls, arguments: object) -> object:
        """Accept a team instead of the service."""
        if isinstance(arguments, dict) and arguments.get("team") is not None:
            return {"service": None, **arguments}
        return arguments

    @model_validator(mode="after")
    def _someone_is_named(self) -> PageEngineer:
        if self.service is None and self.team is None:
            raise ValueError("service: name a service of the catalogue")
        return self


class Page(BaseModel):
    """The accepted page."""

    team: str
    status: Literal["triggered"] = "triggered"
    incident: str | None = None
    """Number of the incident, such as INC-4827."""
    dedup_key: str
    url: str | None = None
    note: str | None = None


@tool(effect="keyed", pages=True)
async def page_engineer(args: PageEngineer, context: ToolContext) -> Page:
    """Page the engineer on call of the team that owns a service: it wakes a person.

    Use it when people are affected or soon will be and a person must act, once you have looked at health, logs and
    deploys, so that the summary names the numbers, the start and the suspected cause. Name the service that causes the
    trouble. One page is enough: another page to the same team in this incident only adds to the open page.
    """
    settings, run = context.settings, context.call.run
    team = settings.team_of(args.service) or args.team
    if team is None:
        raise ToolError(f"no one was paged: no team owns {args.service!r}")
    joined = await paging.joined_key(context.http, settings, context.incident)
    key = joined or paging.page_key(run, team)
    try:
        await paging.send_page(context.http, settings, team, _content(args, context), key)
    except paging.NoRoutingKey as error:
        raise ToolError(f"{error}. Say in your report that no one was paged") from None
    page = Page(team=team, dedup_key=key)
    if not settings.pagerduty.api_token:
        page.note = "The page is sent; its incident number is not known here."
        return page
    # The page is sent. A failed lookup must not look like a failed page.
    try:
        async with asyncio.timeout(LOOK_UP.total_seconds()):
            incident = await _incident(key, context, only_open=joined is not None)
    except (ToolError, ToolUnavailable) as error:
        page.note = f"The page is sent, but its incident could not be looked up: {error}"
    except TimeoutError:
        page.note = "The page is sent, but PagerDuty has not created its incident yet."
    else:
        page.incident, page.url = incident.number, incident.html_url
        if joined is not None:
            page.note = "The alerting system had opened this incident before; the page was added to it."
    return page


def _content(args: PageEngineer, context: ToolContext) -> PageContent:
    call, incident = context.call, context.incident
    run = call.workflow_id or call.run
    details = {"run": run, "show": f"watchkeeper show {run}", "call": call.key}
    if incident is None:  # the run was briefed by the earlier version
        return PageContent(args.summary, _SEVERITIES.get(args.severity, "critical"), details)
    run_url = run_address(context.settings.reports.run_url, run, call.run)
    return page_content(incident, details, model_says=args.summary, run_url=run_url)


async def _incident(key: str, context: ToolContext, *, only_open: bool) -> KnownIncident:
    """Poll for the incident of the page. Raises ToolError, ToolUnavailable and TimeoutError."""
    failure: Exception = TimeoutError()
    for pause in _PAUSES:
        await asyncio.sleep(pause)
        try:
            incidents = await find_incidents(context.http, context.settings, key, only_open=only_open)
        except ToolUnavailable as error:
            failure = error
            continue
        if incidents:
            return incidents[0]
    raise failure
