"""The ``announce_approval`` activity: people are notified of a call that waits for approval, and of how that ends."""

from __future__ import annotations

import asyncio
import logging
from contextlib import suppress
from datetime import UTC, datetime
from uuid import NAMESPACE_URL, uuid5

from httpx2 import AsyncClient
from temporalio import activity

from activities.delivery_errors import as_application_error
from activities.slack_search import posted_before
from watchkeeper import paging
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ApprovalEvent, ApprovalNotice, PostedMessage
from watchkeeper.incident.phrases import approve_command, deny_command
from watchkeeper.incident.run_address import run_address
from watchkeeper.slack import approval_message
from watchkeeper.slack.client import MessageDeleted, MessageMarker, SlackClient
from watchkeeper.text import excerpt, json_summary, utc
from watchkeeper.tool import ToolError, ToolUnavailable
from watchkeeper.tool_calling.definition import effect_key

SECONDS = 40.0
"""Timeout for all requests of an attempt."""

PAGE_BYTES = 1_000

log = logging.getLogger(__name__)


class AnnounceApprovalActivities:
    """Asks people for decisions in the operator's Slack and, if the operator wants it, through PagerDuty."""

    def __init__(self, settings: Settings, http: AsyncClient) -> None:
        self._settings = settings
        self._http = http
        self._slack = SlackClient(settings.slack)

    @activity.defn
    async def announce_approval(self, notice: ApprovalNotice) -> PostedMessage | None:
        """Post a new message in Slack, or close the messages of a call about which is decided. Retries are safe.

        Returns the message that was posted, if any. An attempt that the run cancels finishes what it has begun, since
        a message cannot be taken back. Fails with ``AnnouncementRefused`` (not retried) for a permanent error, and with
        ``AnnouncementUndelivered`` for a temporary one.
        """
        with as_application_error("Announcement", self._settings):
            attempt = asyncio.create_task(self._attempt(notice))
            try:
                return await asyncio.shield(attempt)
            except asyncio.CancelledError:
                details = activity.cancellation_details()
                if details is None or not details.cancel_requested:
                    attempt.cancel()
                    raise
                return await attempt

    async def _attempt(self, notice: ApprovalNotice) -> PostedMessage | None:
        try:
            async with asyncio.timeout(SECONDS):
                slack, page = await asyncio.gather(self._announce(notice), self._page(notice), return_exceptions=True)
        except TimeoutError:
            raise ToolUnavailable(f"Slack or PagerDuty did not take the notice in {SECONDS:g} s") from None
        for outcome in (page, slack):
            if isinstance(outcome, BaseException):
                raise outcome
        assert not isinstance(slack, BaseException)
        return slack

    async def _announce(self, notice: ApprovalNotice) -> PostedMessage | None:
        if notice.channel is None:
            return None
        if self._settings.slack.token is None:
            raise ToolError("this worker has no slack.token; set WATCHKEEPER_SLACK__TOKEN")
        if notice.event not in ("request", "reminder"):
            await self._close_messages(notice, notice.channel)
        return await self._post(notice, notice.channel) if notice.event in ("request", "reminder", "expired") else None

    async def _post(self, notice: ApprovalNotice, channel: str) -> PostedMessage:
        try:
            return await self._post_once(notice, channel, notice.status_message)
        except MessageDeleted:
            return await self._post_once(notice, channel, None)

    async def _post_once(self, notice: ApprovalNotice, channel: str, parent: PostedMessage | None) -> PostedMessage:
        marker, info = _marker(notice, notice.event), activity.info()
        channel, thread = (parent.channel, parent.ts) if parent else (channel, None)
        if info.attempt > 1:
            found = await posted_before(self._slack, marker, channel, info.scheduled_time, thread)
            if (posted := found.get(marker.part)) is not None:
                return posted
        settings = self._settings
        mentioned = "" if notice.quiet else approval_message.mention(settings.slack.mention)
        run_url = settings.reports.run_url
        has_buttons = settings.slack.signing_secret is not None
        text = approval_message.notification_text(notice, mentioned, has_buttons=has_buttons)
        blocks = (
            approval_message.expiry_blocks(notice, mentioned, run_url)
            if notice.event == "expired"
            else approval_message.request_blocks(notice, mentioned, run_url, has_buttons=has_buttons)
        )
        key = str(uuid5(NAMESPACE_URL, f"{notice.run}/{marker.part}"))
        return await self._slack.post(channel, marker, text, blocks, key=key, thread=thread, broadcast=True)

    async def _close_messages(self, notice: ApprovalNotice, channel: str) -> None:
        """Replace the request and the reminder by the outcome. A message that cannot be changed stays as it is."""
        posted: dict[ApprovalEvent, PostedMessage | None] = {"request": notice.request, "reminder": notice.reminder}
        found = await self._posted_unseen(notice, channel) if notice.search else {}
        text, blocks = approval_message.outcome_text(notice), approval_message.outcome_blocks(notice)
        for event, known in posted.items():
            marker = _marker(notice, event)
            if (message := known or found.get(marker.part)) is None:
                continue
            try:
                await self._slack.update(message, marker, text, blocks)
            except ToolError as error:
                log.warning("the message about %s cannot be updated: %s", notice.call.key, error)

    async def _posted_unseen(self, notice: ApprovalNotice, channel: str) -> dict[str, PostedMessage]:
        """Find the messages that attempts posted without recording them."""
        wanted, since = _marker(notice, "request"), datetime.fromtimestamp(notice.asked_at, UTC)
        found: dict[str, PostedMessage] = {}
        for thread in {notice.status_message.ts if notice.status_message else None, None}:
            with suppress(MessageDeleted):
                found |= await posted_before(self._slack, wanted, channel, since, thread)
        return found

    async def _page(self, notice: ApprovalNotice) -> None:
        """Page the run's team, or resolve that page. A refusal is only logged: Slack still gets its message."""
        team = self._settings.on_call(notice.service, notice.team) if notice.page else None
        if team is None or notice.event == "reminder":
            return
        key = effect_key(notice.run, "announce_approval", [notice.call.key])
        try:
            if notice.event == "request":
                await self._trigger(notice, team, key)
            else:
                await paging.resolve(self._http, self._settings, team, dedup_key=key)
        except ToolError as error:
            log.warning("no page about the approval of %s: %s", notice.call.key, error)

    async def _trigger(self, notice: ApprovalNotice, team: str, key: str) -> None:
        call, until = notice.call, f" until {utc(notice.call.deadline)}" if notice.call.deadline is not None else ""
        summary = f"{call.name} ({json_summary(call.arguments)}) waits for approval{until}: {notice.title}"
        details = {
            "call": f"{call.name} {call.arguments}",
            "approve": approve_command(notice.workflow_id, call.key),
            "deny": deny_command(notice.workflow_id, call.key),
            "run": notice.workflow_id,
        }
        await paging.page(
            self._http,
            self._settings,
            team,
            summary=excerpt(summary, PAGE_BYTES),
            severity="warning",
            dedup_key=key,
            details=details,
            run_url=run_address(self._settings.reports.run_url, notice.workflow_id, notice.run),
        )


def _marker(notice: ApprovalNotice, event: ApprovalEvent) -> MessageMarker:
    return MessageMarker("watchkeeper_approval", notice.run, f"{notice.call.key}/{event}")
