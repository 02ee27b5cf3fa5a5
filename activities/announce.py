"""The ``announce`` activity: posts and updates the status message of a run in Slack."""

from __future__ import annotations

import asyncio
from uuid import NAMESPACE_URL, uuid5

from temporalio import activity

from activities.delivery_errors import as_application_error
from activities.slack_search import posted_before
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ChannelUpdate, PostedMessage
from watchkeeper.slack.client import MessageDeleted, MessageMarker, SlackClient
from watchkeeper.slack.status_message import status_blocks, status_headline
from watchkeeper.tool import ToolError, ToolUnavailable

SECONDS = 40.0
"""Timeout for all requests of an attempt."""


class AnnounceActivities:
    """Posts status messages to the operator's Slack."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slack = SlackClient(settings.slack)

    @activity.defn
    async def announce(self, update: ChannelUpdate) -> PostedMessage:
        """Post the status message of a run, or update it. Retries are safe.

        A deleted message is posted again. Fails with ``AnnouncementRefused`` (not retried) for a permanent error, and
        with ``AnnouncementUndelivered`` for a temporary one.
        """
        with as_application_error("Announcement", self._settings):
            if self._settings.slack.token is None:
                raise ToolError("this worker has no slack.token; set WATCHKEEPER_SLACK__TOKEN")
            try:
                async with asyncio.timeout(SECONDS):
                    return await self._announce(update)
            except TimeoutError:
                raise ToolUnavailable(f"Slack did not take the message in {SECONDS:g} s") from None

    async def _announce(self, update: ChannelUpdate) -> PostedMessage:
        slack, marker = self._slack, MessageMarker("watchkeeper_run", update.run)
        text, blocks = status_headline(update), status_blocks(update, self._settings.reports.run_url)
        message = update.message or await self._posted_before(marker, update.channel)
        if message is not None:
            try:
                await slack.update(message, marker, text, blocks)
            except MessageDeleted:
                message = await self._posted_before(marker, update.channel)
        if message is not None:
            return message
        info = activity.info()
        key = str(uuid5(NAMESPACE_URL, f"{update.run}/{info.activity_id}"))
        return await slack.post(update.channel, marker, text, blocks, key=key)

    async def _posted_before(self, marker: MessageMarker, channel: str) -> PostedMessage | None:
        """Find the message that an earlier attempt posted without recording it."""
        info = activity.info()
        if info.attempt == 1:
            return None
        found = await posted_before(self._slack, marker, channel, info.scheduled_time)
        return found.get(marker.part)
