"""Slack: the report as replies to the message that tells the run, or in its channel."""

from __future__ import annotations

import asyncio
from uuid import NAMESPACE_URL, uuid5

from temporalio import activity

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ReportDelivery
from watchkeeper.slack.client import MessageDeleted, MessageMarker, SlackClient
from watchkeeper.slack.report_thread import notification_text, report_replies
from watchkeeper.tool import ToolUnavailable

SECONDS = 50.0
"""For all requests of an attempt; what was posted by then is found by the next."""


async def post(delivery: ReportDelivery, settings: Settings, slack: SlackClient) -> bool:
    """Post a report, each of its replies once. Raises ToolError and ToolUnavailable."""
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
    there = await _there(delivery, slack, channel, thread)
    text = notification_text(delivery)
    for number, blocks in enumerate(report_replies(delivery, run_url), start=1):
        part = delivery.part if number == 1 else f"{delivery.part}/{number}"
        if part not in there:
            key = str(uuid5(NAMESPACE_URL, f"{delivery.run}/{part}"))
            marker = MessageMarker("watchkeeper_report", delivery.run, part)
            posted = await slack.post(channel, marker, text, blocks, key=key, thread=thread)
            thread = thread or posted.ts
        else:
            thread = thread or there[part]


async def _there(delivery: ReportDelivery, slack: SlackClient, channel: str, thread: str | None) -> dict[str, str]:
    """Find what an earlier attempt posted: the times of the replies, by their parts."""
    info = activity.info()
    if info.attempt == 1:
        return {}
    wanted = MessageMarker("watchkeeper_report", delivery.run)
    found = await slack.find(wanted, channel, info.scheduled_time, thread=thread)
    if thread is None and (first := found.get(delivery.part)):
        found |= await slack.find(wanted, channel, info.scheduled_time, thread=first.ts)
    return {part: message.ts for part, message in found.items()}
