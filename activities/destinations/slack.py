"""Slack: the report as replies to the run's status message, or as a message in the channel."""

from __future__ import annotations

import asyncio
from uuid import NAMESPACE_URL, uuid5

from temporalio import activity

from activities.slack_search import posted_before
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ReportDelivery
from watchkeeper.slack.client import MessageDeleted, MessageMarker, SlackClient
from watchkeeper.slack.report_thread import notification_text, report_replies
from watchkeeper.tool import ToolUnavailable

SECONDS = 50.0
"""Timeout for all requests of an attempt. The next attempt finds what was posted."""


async def post_report(delivery: ReportDelivery, settings: Settings, slack: SlackClient) -> bool:
    """Post each reply of a report once. False: no token or no channel is set. Raises ToolError and ToolUnavailable."""
    message = delivery.message
    channel = message.channel if message else settings.channel(delivery.origin, delivery.service)
    if settings.slack.token is None or channel is None:
        return False
    try:
        async with asyncio.timeout(SECONDS):
            try:
                await _post(delivery, slack, channel, message.ts if message else None, settings.reports.run_url)
            except MessageDeleted:
                await _post(delivery, slack, channel, None, settings.reports.run_url)
    except TimeoutError:
        raise ToolUnavailable(f"Slack did not take the report in {SECONDS:g} s") from None
    return True


async def _post(
    delivery: ReportDelivery, slack: SlackClient, channel: str, thread: str | None, run_url: str | None
) -> None:
    posted = await _posted_before(delivery, slack, channel, thread)
    text = notification_text(delivery)
    for number, blocks in enumerate(report_replies(delivery, run_url), start=1):
        part = delivery.part if number == 1 else f"{delivery.part}/{number}"
        if part not in posted:
            key = str(uuid5(NAMESPACE_URL, f"{delivery.run}/{part}"))
            marker = MessageMarker("watchkeeper_report", delivery.run, part)
            message = await slack.post(channel, marker, text, blocks, key=key, thread=thread)
            thread = thread or message.ts
        else:
            thread = thread or posted[part]


async def _posted_before(
    delivery: ReportDelivery, slack: SlackClient, channel: str, thread: str | None
) -> dict[str, str]:
    """Return the message ids of the replies that an earlier attempt posted, by part."""
    info = activity.info()
    if info.attempt == 1:
        return {}
    wanted = MessageMarker("watchkeeper_report", delivery.run)
    found = await posted_before(slack, wanted, channel, info.scheduled_time, thread=thread)
    if thread is None and (first := found.get(delivery.part)):
        found |= await posted_before(slack, wanted, channel, info.scheduled_time, thread=first.ts)
    return {part: message.ts for part, message in found.items()}
