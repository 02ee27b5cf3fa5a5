"""Delivering the report of a run, to each destination once."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from httpx2 import AsyncClient
from temporalio import activity

from activities.delivery_errors import delivery_errors
from activities.destinations import directory, log, page, pagerduty_note, slack, webhook
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ReportDelivery
from watchkeeper.slack.client import SlackClient
from watchkeeper.tool import Tool


class DeliverActivities:
    """Delivers reports where the operator's settings say."""

    def __init__(self, settings: Settings, tools: Mapping[str, Tool[Any]], http: AsyncClient) -> None:
        self._settings = settings
        self._tools = tools
        self._http = http
        self._slack = SlackClient(settings.slack)

    @activity.defn
    async def deliver(self, delivery: ReportDelivery) -> bool:
        """Deliver a report to one destination, which recognises what it already has: trying again harms nothing.

        False: this worker's settings do not name the destination, so there was nothing to do. Fails with
        ``ReportRefused``, not to be retried, when the destination will never take it, and with ``ReportUndelivered``
        when it cannot take it now.
        """
        settings = self._settings
        with delivery_errors("Report", settings):
            match delivery.destination:
                case "log":
                    return log.write(delivery)
                case "directory":
                    return await asyncio.to_thread(directory.write, delivery, settings.reports.directory)
                case "webhook":
                    return await webhook.post(delivery, settings.reports, self._http)
                case "page":
                    return await page.wake(delivery, settings, self._tools, self._http)
                case "slack":
                    return await slack.post(delivery, settings, self._slack)
                case "pagerduty_note":
                    return await pagerduty_note.note(delivery, settings, self._tools, self._http)
