"""The ``deliver`` activity: delivers a report to one destination, once."""

from __future__ import annotations

import asyncio
from collections import OrderedDict

from httpx2 import AsyncClient
from temporalio import activity

from activities.delivery_errors import as_application_error
from activities.destinations import directory, log, page, pagerduty_note, slack, webhook
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import Report, ReportDelivery
from watchkeeper.slack.client import SlackClient
from watchkeeper.temporal.delivery_history import read_report

KEPT_REPORTS = 32
"""How many of the latest reports a worker keeps in memory. The others are read from the histories of their runs."""


class DeliverActivities:
    """Delivers reports to the destinations in the operator's settings."""

    def __init__(self, settings: Settings, http: AsyncClient) -> None:
        self._settings = settings
        self._http = http
        self._slack = SlackClient(settings.slack)
        self._reports: OrderedDict[tuple[str | None, str], Report] = OrderedDict()
        """By run id and activity id of the delivery that has it in its argument."""

    @activity.defn
    async def deliver(self, delivery: ReportDelivery) -> bool:
        """Deliver a report to one destination. Retries are safe: each destination recognises a report it already has.

        False: this worker's settings do not name the destination. Fails with ``ReportRefused`` (not retried) for a
        permanent error, and with ``ReportUndelivered`` for a temporary one.
        """
        settings = self._settings
        delivery = await self._with_report(delivery)
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

    async def _with_report(self, delivery: ReportDelivery) -> ReportDelivery:
        """Return the delivery with its report, which another one may have. Raises RPCError."""
        info = activity.info()
        key = (info.workflow_run_id, delivery.report_in or info.activity_id)
        if delivery.report_in is None:
            report = delivery.report
        elif (kept := self._reports.get(key)) is not None:
            report = kept
        else:
            report = await read_report(
                activity.client(), info.workflow_id or "", info.workflow_run_id or "", delivery.report_in
            )
        self._reports[key] = report
        while len(self._reports) > KEPT_REPORTS:
            self._reports.popitem(last=False)
        return delivery.model_copy(update={"report": report})
