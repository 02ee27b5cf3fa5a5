"""Slack's Web API through slack_sdk, with errors as ToolError or ToolUnavailable."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Any, Literal

from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.models.blocks import Block
from slack_sdk.web import SlackResponse

from watchkeeper.config.sections import SlackSettings
from watchkeeper.contracts import JsonObject, PostedMessage
from watchkeeper.http.retry import retry_delay, retryable
from watchkeeper.slack.web_client import LimitedWebClient
from watchkeeper.text import excerpt
from watchkeeper.tool import ToolError, ToolUnavailable

REQUEST_SECONDS = 15
"""Timeout of a request; connecting may take as long again. The caller sets a deadline for all of it."""

THREADS = 4
"""Separate threads: while Slack hangs, the rest of the worker does not wait for a thread."""

CLOCK_SKEW = timedelta(minutes=5)
"""By how much Slack's clock may be behind ours."""

_SHORTEST_WAIT = 0.2
_PAGE_SIZE = 200
_MAX_PAGES = 25
_LIMITED = {"ratelimited", "rate_limited"}
_RETRYABLE = {
    *("internal_error", "fatal_error", "service_unavailable", "request_timeout"),
    *("team_added_to_org", "external_channel_migrating"),  # while Slack moves a workspace or a channel
}
_LOST_KEY = {"duplicate_message_not_found", "duplicate_channel_not_found"}
"""Slack knows the ``client_msg_id`` of a message, but no longer the message."""
_DELETED = {"message_not_found", "thread_not_found", "cannot_reply_to_message"}


LONGEST_WAIT = timedelta(seconds=5)
"""Longest Retry-After that a post waits for. A 429 says that nothing was posted, so the same attempt posts again."""


class MessageDeleted(ToolError):
    """The message was deleted in Slack."""


class RateLimited(ToolUnavailable):
    """Slack did not do what was asked; it is to be asked again later."""


class KeyLost(ToolError):
    """The message with this ``client_msg_id`` does not exist any longer."""


@dataclass(frozen=True)
class MessageMarker:
    """Message metadata by which this program finds its own messages. People do not see it."""

    kind: Literal["watchkeeper_run", "watchkeeper_report", "watchkeeper_approval"]
    run: str
    part: str = ""

    @property
    def metadata(self) -> JsonObject:
        """The marker in Slack's format."""
        payload = {"run": self.run, "part": self.part} if self.part else {"run": self.run}
        return {"event_type": self.kind, "event_payload": payload}


class SlackClient:
    """Every method raises ToolError for a permanent error and ToolUnavailable for a temporary one."""

    def __init__(self, settings: SlackSettings) -> None:
        token = settings.token.get_secret_value() if settings.token else None
        # Temporal retries, so slack_sdk does not.
        self._web = LimitedWebClient(
            token=token, base_url=f"{settings.url}/", timeout=REQUEST_SECONDS, retry_handlers=[]
        )
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="slack")

    async def post(
        self,
        channel: str,
        marker: MessageMarker,
        text: str,
        blocks: Sequence[Block],
        *,
        key: str,
        thread: str | None = None,
        broadcast: bool = False,
    ) -> PostedMessage:
        """Post a message. ``key`` is a UUID, the same in every attempt.

        With ``broadcast``, a reply in a thread also appears in the channel.
        """

        def send(client_msg_id: str | None) -> SlackResponse:
            return self._web.chat_postMessage(
                channel=channel,
                text=text,
                blocks=blocks,
                metadata=marker.metadata,
                thread_ts=thread,
                reply_broadcast=True if broadcast and thread is not None else None,
                unfurl_links=False,
                unfurl_media=False,
                client_msg_id=client_msg_id,
            )

        try:
            return _message(await self._ask_within_limits("chat.postMessage", lambda: send(key)), channel)
        except KeyLost:
            return _message(await self._ask_within_limits("chat.postMessage", lambda: send(None)), channel)

    async def update(self, message: PostedMessage, marker: MessageMarker, text: str, blocks: Sequence[Block]) -> None:
        """Replace the content of a message. Also raises MessageDeleted."""
        await self._ask(
            "chat.update",
            lambda: self._web.chat_update(
                channel=message.channel, ts=message.ts, text=text, blocks=blocks, metadata=marker.metadata
            ),
        )

    async def find(
        self, wanted: MessageMarker, channel: str, since: datetime, thread: str | None = None
    ) -> dict[str, PostedMessage]:
        """Find messages with markers of this kind and run that were posted since a time, by the part in their marker.

        They are searched in the thread, if there is one, otherwise in the channel.
        """
        found: dict[str, PostedMessage] = {}
        cursor: str | None = None
        for _ in range(_MAX_PAGES):
            answer = await self._read(channel, thread, f"{(since - CLOCK_SKEW).timestamp():.6f}", cursor)
            for message in _objects(answer.get("messages")):
                if (part := _part(message, wanted)) is not None:
                    found[part] = _message(message, channel)
            cursor = _text(_object(answer.get("response_metadata")).get("next_cursor"))
            if not cursor:
                break
        return found

    async def scopes(self) -> tuple[str, frozenset[str]]:
        """Return the name of the workspace, and the scopes of the token; none if Slack does not say."""
        answer, headers = await self._send("auth.test", lambda: self._web.auth_test())
        listed = headers.get("x-oauth-scopes", "").split(",")
        return _text(answer.get("team")), frozenset(scope.strip() for scope in listed if scope.strip())

    async def _read(self, channel: str, thread: str | None, oldest: str, cursor: str | None) -> JsonObject:
        if thread is None:
            return await self._ask(
                "conversations.history",
                lambda: self._web.conversations_history(
                    channel=channel, oldest=oldest, limit=_PAGE_SIZE, cursor=cursor, include_all_metadata=True
                ),
            )
        return await self._ask(
            "conversations.replies",
            lambda: self._web.conversations_replies(
                channel=channel, ts=thread, oldest=oldest, limit=_PAGE_SIZE, cursor=cursor, include_all_metadata=True
            ),
        )

    async def _ask_within_limits(self, method: str, call: Callable[[], SlackResponse]) -> JsonObject:
        """Ask, and wait where Slack limits the rate and asks for a short time. The caller sets a deadline."""
        while True:
            try:
                return await self._ask(method, call)
            except RateLimited as error:
                if error.delay is None or error.delay > LONGEST_WAIT:
                    raise
                await asyncio.sleep(max(error.delay.total_seconds(), _SHORTEST_WAIT))

    async def _ask(self, method: str, call: Callable[[], SlackResponse]) -> JsonObject:
        answer, _ = await self._send(method, call)
        return answer

    async def _send(self, method: str, call: Callable[[], SlackResponse]) -> tuple[JsonObject, Mapping[str, str]]:
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except SlackApiError as error:
            raise _refusal(method, error.response) from None
        except (OSError, HTTPException) as error:
            raise ToolUnavailable(f"Slack cannot be reached for {method}: {type(error).__name__}") from None
        except (SlackClientError, ValueError) as error:
            raise ToolError(f"Slack cannot be called for {method}: {type(error).__name__}; check slack.url") from None
        return _object(answer.data), _headers(answer.headers)


def _refusal(method: str, response: SlackResponse | Mapping[str, Any]) -> ToolError | ToolUnavailable:
    """Return the error for a refused request. Slack also sends errors with status 200.

    For a body that is not JSON, slack_sdk has a mapping instead of its response.
    """
    if isinstance(response, SlackResponse):
        answer, code, headers = _object(response.data), response.status_code, _headers(response.headers)
    else:
        answer, code, headers = {}, int(response.get("status") or 0), _headers(response.get("headers") or {})
    error = _text(answer.get("error")) or "no JSON"
    status = f"status {code} " if code != 200 else ""
    missing = f" (the app needs the scope {needed})" if (needed := _text(answer.get("needed"))) else ""
    why = _object(answer.get("response_metadata")).get("messages")
    details = f": {why}" if isinstance(why, list) and why else ""
    message = excerpt(f"Slack answered {method} with {status}{error}{missing}{details}", 500)
    if error in _LIMITED or code == 429:
        return RateLimited(message, retry_delay(headers))
    if error in _RETRYABLE or retryable(code, headers):
        return ToolUnavailable(message, retry_delay(headers))
    if error in _LOST_KEY:
        return KeyLost(message)
    return MessageDeleted(message) if error in _DELETED else ToolError(message)


def _headers(headers: Mapping[str, Any]) -> dict[str, str]:
    return {name.lower(): str(value) for name, value in headers.items()}


def _part(message: Mapping[str, object], wanted: MessageMarker) -> str | None:
    """Return the part in a message's marker; None if it has another marker or none."""
    metadata = _object(message.get("metadata"))
    payload = _object(metadata.get("event_payload"))
    ours = metadata.get("event_type") == wanted.kind and payload.get("run") == wanted.run
    return _text(payload.get("part")) if ours else None


def _message(answer: Mapping[str, object], channel: str) -> PostedMessage:
    if not (ts := _text(answer.get("ts"))):
        raise ToolError("the answer of Slack has no message id; check slack.url")
    return PostedMessage(channel=_text(answer.get("channel")) or channel, ts=ts)


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
