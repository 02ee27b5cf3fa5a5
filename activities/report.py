"""Delivering the report of a run, to each destination once."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from httpx2 import AsyncClient
from temporalio import activity
from temporalio.exceptions import ApplicationError

from watchkeeper.backend import send
from watchkeeper.contracts import Delivered, Delivery
from watchkeeper.conversation import canonical
from watchkeeper.running import run
from watchkeeper.settings import Settings
from watchkeeper.text import excerpt
from watchkeeper.tool import Tool, ToolCall, ToolError, ToolUnavailable

PAGER = "page_engineer"
"""The tool by which people are paged. Its key is the incident and the team, so who was paged is not paged again."""


class ReportActivities:
    """Delivers reports where the operator's settings say."""

    def __init__(self, settings: Settings, tools: Mapping[str, Tool[Any]], http: AsyncClient) -> None:
        self._settings = settings
        self._tools = tools
        self._http = http

    @activity.defn
    async def deliver(self, delivery: Delivery) -> Delivered:
        """Deliver a report to every destination; each recognises what it already has, so trying again harms nothing.

        Fails with ``ReportUndelivered``, to be retried, naming the destinations that could not be reached.
        """
        activity.logger.info("report of %s (%s): %s", delivery.workflow_id, delivery.status, delivery.report.summary)
        reached, failed = [], []
        for name, put in (("directory", self._write), ("webhook", self._post), ("page", self._page)):
            try:
                if await put(delivery):
                    reached.append(name)
            except (OSError, ToolError, ToolUnavailable) as error:
                failed.append(f"{name}: {error}")
        if failed:
            raise ApplicationError("; ".join(failed), type="ReportUndelivered")
        return Delivered(destinations=reached) if reached else Delivered()

    async def _write(self, delivery: Delivery) -> bool:
        if (directory := self._settings.reports.directory) is None:
            return False
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{quote(delivery.workflow_id, safe='')}.md"
        partial = path.with_suffix(".partial")
        partial.write_text(_markdown(delivery), encoding="utf-8")
        partial.replace(path)
        return True

    async def _post(self, delivery: Delivery) -> bool:
        """Post the delivery as JSON; ``webhook-id`` is the same for every attempt, as Standard Webhooks ask."""
        if (url := self._settings.reports.webhook_url) is None:
            return False
        body = canonical(delivery.model_dump(mode="json"))
        headers = {"content-type": "application/json", "webhook-id": f"{delivery.run}/report"}
        try:
            await send(self._http, "POST", url, content=body, headers=headers)
        except (ToolError, ToolUnavailable) as error:
            # The address itself can be the secret that lets one post; errors are recorded.
            raise ToolUnavailable(str(error).replace(url, "(webhook)")) from None
        return True

    async def _page(self, delivery: Delivery) -> bool:
        """Wake the owning team when a run hands its incident over without a conclusion."""
        reports, pager = self._settings.reports, self._tools.get(PAGER)
        service = self._settings.services.get(delivery.service or "")
        team = service.team if service else reports.team
        unfinished = delivery.status in ("limit_reached", "failed")
        if not (unfinished and reports.page_on_hand_off and pager and team):
            return False
        if self._settings.routing_key(team) is None:
            # That would stay so over all attempts, and with it the run would stay open.
            activity.logger.warning("nobody is paged for %s: team %s has no routing key", delivery.workflow_id, team)
            return False
        arguments = {"team": team, "summary": excerpt(delivery.report.summary, 900)}
        call = ToolCall(run=delivery.run, key="report", arguments=canonical(arguments).decode())
        info = activity.info()
        result = await run(
            pager, call, settings=self._settings, http=self._http, at=info.scheduled_time, attempt=info.attempt
        )
        if result.status != "ok":
            raise ToolError(result.content)
        return True


def _markdown(delivery: Delivery) -> str:
    facts = {"Run": delivery.workflow_id, "Status": delivery.status, "Service": delivery.service}
    lines = [f"- {name}: {value}" for name, value in facts.items() if value]
    return "\n".join([f"# {delivery.report.summary}", "", *lines, "", delivery.report.body, ""])
