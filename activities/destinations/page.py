"""The pager: a run that did not conclude is handed over to people."""

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


async def wake(delivery: ReportDelivery, settings: Settings, tools: Mapping[str, Tool[Any]], http: AsyncClient) -> bool:
    """Wake the owning team, or who stands in for it. Raises ToolError and ToolUnavailable."""
    pager = tools.get(PAGER_TOOL)
    wanted = settings.reports.page_on_hand_off or delivery.last_resort
    if not (wanted and pager and settings.pages_anybody):
        return False
    named = delivery.origin.team if delivery.origin else None
    if (team := settings.on_call(delivery.service, named)) is None:
        why = f"no team of {delivery.service!r} has a routing key" if delivery.service else "no service is named"
        raise ToolError(f"nobody was paged: {why}, and nobody stands in; set reports.team or pagerduty.routing_key")
    arguments = {"team": team, "summary": excerpt(delivery.report.summary, 900)}
    call = ToolCall(run=delivery.run, key="report", arguments=canonical_json(arguments).decode())
    info = activity.info()
    # Who stands in need not be among the teams that the model may page.
    settings = settings.model_copy(update={"teams": {team: TeamSettings(), **settings.teams}})
    result = await run_tool(pager, call, settings=settings, http=http, at=info.scheduled_time, attempt=info.attempt)
    if result.status != "ok":
        raise ToolError(result.content)
    return True
