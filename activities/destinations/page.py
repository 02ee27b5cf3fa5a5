"""The pager: wakes a person for a run that did not conclude."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from httpx2 import AsyncClient
from temporalio import activity

from watchkeeper.config.settings import Settings, TeamSettings
from watchkeeper.contracts import ReportDelivery
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.paging import PAGER_TOOL
from watchkeeper.text import excerpt
from watchkeeper.tool import Tool, ToolCall, ToolError
from watchkeeper.tool_calling.execution import run_tool


async def page_team(
    delivery: ReportDelivery, settings: Settings, tools: Mapping[str, Tool[Any]], http: AsyncClient
) -> bool:
    """Page the owning team, or the fallback team. False: no page is needed. Raises ToolError and ToolUnavailable."""
    pager = tools.get(PAGER_TOOL)
    enabled = settings.reports.page_on_hand_off or delivery.last_resort
    if not (enabled and pager and settings.pages_anybody):
        return False
    alert_team = delivery.origin.team if delivery.origin else None
    if (team := settings.on_call(delivery.service, alert_team)) is None:
        reason = f"no team of {delivery.service!r} has a routing key" if delivery.service else "no service is named"
        raise ToolError(
            f"no one was paged: {reason}, and no fallback exists; set reports.team or pagerduty.routing_key"
        )
    arguments = {"team": team, "summary": excerpt(delivery.report.summary, 900)}
    call = ToolCall(run=delivery.run, key="report", arguments=canonical_json(arguments).decode())
    info = activity.info()
    # The fallback team need not be one of the teams that the model may page.
    settings = settings.model_copy(update={"teams": {team: TeamSettings(), **settings.teams}})
    result = await run_tool(pager, call, settings=settings, http=http, at=info.scheduled_time, attempt=info.attempt)
    if result.status != "ok":
        raise ToolError(result.content)
    return True
