"""Telling how a run stands, in the one message that people follow and decide in."""

from __future__ import annotations

import asyncio
from uuid import NAMESPACE_URL, uuid5

from temporalio import activity

from activities.delivery_errors import delivery_errors
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ChannelUpdate, PostedMessage
from watchkeeper.slack.client import MessageDeleted, MessageMarker, SlackClient
from watchkeeper.slack.status_message import status_blocks, status_headline
from watchkeeper.tool import ToolError, ToolUnavailable

SECONDS = 40.0
"""For all requests of an attempt."""


class AnnounceActivities:
    """Announces runs in the operator's Slack."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._slack = SlackClient(settings.slack)

    @activity.defn
    async def announce(self, announcement: ChannelUpdate) -> PostedMessage:
        """Post the message of a run, or write it anew where it is posted; trying again harms nothing.

        A message that somebody deleted is posted again. Fails with ``AnnouncementRefused``, not to be retried, when
        Slack will never take it, and with ``AnnouncementUndelivered`` when it cannot take it now.
        """
        with delivery_errors("Announcement", self._settings):
            if self._settings.slack.token is None:
                raise ToolError("this worker has no slack.token; set WATCHKEEPER_SLACK__TOKEN")
            try:
                async with asyncio.timeout(SECONDS):
                    return await self._announce(announcement)
            except TimeoutError:
                raise ToolUnavailable(f"Slack did not take the message in {SECONDS:g} s") from None

    async def _announce(self, announcement: ChannelUpdate) -> PostedMessage:
        slack, marker = self._slack, MessageMarker("watchkeeper_run", announcement.run)
        text, blocks = status_headline(announcement), status_blocks(announcement, self._settings.reports.run_url)
        message = announcement.message or await self._posted_before(marker, announcement.channel)
        if message is not None:
            try:
                await slack.update(message, marker, text, blocks)
            except MessageDeleted:
                message = await self._posted_before(marker, announcement.channel)
        if message is not None:
            return message
        info = activity.info()
        key = str(uuid5(NAMESPACE_URL, f"{announcement.run}/{info.activity_id}"))
        return await slack.post(announcement.channel, marker, text, blocks, key=key)

    async def _posted_before(self, marker: MessageMarker, channel: str) -> PostedMessage | None:
        """Find what an earlier attempt posted and could not record."""
        info = activity.info()
        if info.attempt == 1:
            return None
        found = await self._slack.find(marker, channel, info.scheduled_time)
        return found.get(marker.part)
