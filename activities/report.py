"""Delivering the report of a run, to each destination once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from httpx2 import AsyncClient, HTTPError, InvalidURL
from temporalio import activity
from temporalio.exceptions import ApplicationError

from watchkeeper.contracts import Delivery
from watchkeeper.conversation import canonical
from watchkeeper.http import retryable
from watchkeeper.options import pause
from watchkeeper.paging import PAGER
from watchkeeper.running import run
from watchkeeper.settings import Settings, Team
from watchkeeper.text import error_text, excerpt
from watchkeeper.tool import Tool, ToolCall, ToolError, ToolUnavailable

WEBHOOK_SECONDS = 30.0


class ReportActivities:
    """Delivers reports where the operator's settings say."""

    def __init__(self, settings: Settings, tools: Mapping[str, Tool[Any]], http: AsyncClient) -> None:
        self._settings = settings
        self._tools = tools
        self._http = http

    @activity.defn
    async def deliver(self, delivery: Delivery) -> None:
        """Deliver a report to one destination, which recognises what it already has: trying again harms nothing.

        A destination that this worker's settings do not name has nothing to do. Fails with ``ReportRefused``, not to
        be retried, when the destination will never take it, and with ``ReportUndelivered`` when it cannot take it now.
        """
        try:
            match delivery.destination:
                case "log":
                    _log(delivery)
                case "directory":
                    await asyncio.to_thread(self._write, delivery)
                case "webhook":
                    await self._post(delivery)
                case "page":
                    await self._page(delivery)
        except ToolError as error:
            raise ApplicationError(str(error), type="ReportRefused", non_retryable=True) from None
        except (OSError, ToolUnavailable) as error:
            raise ApplicationError(
                error_text(error), type="ReportUndelivered", next_retry_delay=pause(activity.info().attempt)
            ) from None

    def _write(self, delivery: Delivery) -> None:
        if (directory := self._settings.reports.directory) is None:
            return
        directory.mkdir(parents=True, exist_ok=True)
        path = directory / f"{quote(delivery.workflow_id, safe='')}.md"
        partial = path.with_suffix(".partial")
        partial.write_text(_markdown(delivery), encoding="utf-8")
        partial.replace(path)

    async def _post(self, delivery: Delivery) -> None:
        """Post the delivery as JSON; ``webhook-id`` is the same for every attempt, as Standard Webhooks ask.

        What goes wrong is told without the address, which can itself be the secret that lets one post.
        """
        if (url := self._settings.reports.webhook_url) is None:
            return
        body = canonical(delivery.model_dump(mode="json", exclude={"destination"}))
        headers = {"content-type": "application/json", "webhook-id": f"{delivery.run}/report"}
        try:
            async with asyncio.timeout(WEBHOOK_SECONDS):
                response = await self._http.post(url, content=body, headers=headers)
        except (HTTPError, InvalidURL, TimeoutError) as error:
            raise ToolUnavailable(f"the webhook cannot be reached: {type(error).__name__}") from None
        if response.is_success:
            return
        answered = f"the webhook answered {response.status_code}"
        if retryable(response.status_code, response.headers):
            raise ToolUnavailable(answered)
        raise ToolError(answered)

    async def _page(self, delivery: Delivery) -> None:
        """Wake the owning team, or who stands in for it: a run hands its incident over."""
        settings, pager = self._settings, self._tools.get(PAGER)
        if not (settings.reports.page_on_hand_off and pager and settings.pages_anybody):
            return
        if (team := settings.on_call(delivery.service)) is None:
            why = f"no team of {delivery.service!r} has a routing key" if delivery.service else "no service is named"
            raise ToolError(f"nobody was paged: {why}, and nobody stands in; set reports.team or pagerduty.routing_key")
        arguments = {"team": team, "summary": excerpt(delivery.report.summary, 900)}
        call = ToolCall(run=delivery.run, key="report", arguments=canonical(arguments).decode())
        info = activity.info()
        # Who stands in need not be among the teams that the model may page.
        settings = settings.model_copy(update={"teams": {team: Team(), **settings.teams}})
        result = await run(
            pager, call, settings=settings, http=self._http, at=info.scheduled_time, attempt=info.attempt
        )
        if result.status != "ok":
            raise ToolError(result.content)


def _log(delivery: Delivery) -> None:
    activity.logger.info("report of %s (%s): %s", delivery.workflow_id, delivery.status, delivery.report.summary)


def _markdown(delivery: Delivery) -> str:
    facts = {"Run": delivery.workflow_id, "Status": delivery.status, "Service": delivery.service}
    lines = [f"- {name}: {value}" for name, value in facts.items() if value]
    return "\n".join([f"# {delivery.report.summary}", "", *lines, "", delivery.report.body, ""])
