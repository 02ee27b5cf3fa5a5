"""The ``deliver`` activity: delivers a report to one destination, once."""

from __future__ import annotations

import asyncio

from httpx2 import AsyncClient
from temporalio import activity

from activities.delivery_errors import as_application_error
from activities.destinations import directory, log, page, pagerduty_note, slack, webhook
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ReportDelivery
from watchkeeper.slack.client import SlackClient


class DeliverActivities:
    """Delivers reports to the destinations in the operator's settings."""

    def __init__(self, settings: Settings, http: AsyncClient) -> None:
        self._settings = settings
        self._http = http
        self._slack = SlackClient(settings.slack)

    @activity.defn
    async def deliver(self, delivery: ReportDelivery) -> bool:
        """Deliver a report to one destination. Retries are safe: each destination recognises a report it already has.

        False: this worker's settings do not name the destination. Fails with ``ReportRefused`` (not retried) for a
        permanent error, and with ``ReportUndelivered`` for a temporary one.
        """
        settings = self._settings
        with as_application_error("Report", settings):
            match delivery.destination:
                case "log":
                    return log.log_report(delivery)
                case "directory":
                    return await asyncio.to_thread(directory.write_report, delivery, settings.reports.directory)
                case "webhook":
                    return await webhook.post_report(delivery, settings.reports, self._http)
                case "page":
                    return await page.page_team(delivery, settings, self._http)
                case "slack":
                    return await slack.post_report(delivery, settings, self._slack)
                case "pagerduty_note":
                    return await pagerduty_note.add_notes(delivery, settings, self._http)
