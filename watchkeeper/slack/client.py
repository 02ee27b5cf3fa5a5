"""Speaking to Slack through its own client: one request a call, each error told as what it means to the caller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from http.client import HTTPException
from typing import Literal

from slack_sdk import WebClient
from slack_sdk.errors import SlackApiError, SlackClientError
from slack_sdk.web import SlackResponse

from watchkeeper.config.sections import SlackSettings
from watchkeeper.contracts import JsonObject, PostedMessage
from watchkeeper.http_retry import retry_delay, retryable
from watchkeeper.text import excerpt
from watchkeeper.tool import ToolError, ToolUnavailable

REQUEST_SECONDS = 15
"""For each step of a request; what drips is left to the caller's deadline."""

THREADS = 4
"""Of its own: while Slack hangs, nothing else of the worker waits for a thread."""

SKEW = timedelta(minutes=5)
"""How far Slack's clock may be behind ours."""

_PAGE = 200
_PAGES = 25
_TRY_AGAIN = {"ratelimited", "rate_limited", "internal_error", "fatal_error", "service_unavailable", "request_timeout"}
_GONE = {"message_not_found", "thread_not_found", "cannot_reply_to_message"}


class MessageDeleted(ToolError):
    """Somebody deleted the message."""


@dataclass(frozen=True)
class MessageMarker:
    """What tells our own message from all others: no person sees it."""

    kind: Literal["watchkeeper_run", "watchkeeper_report"]
    run: str
    part: str = ""

    @property
    def metadata(self) -> JsonObject:
        """The marker as Slack keeps it."""
        payload = {"run": self.run, "part": self.part} if self.part else {"run": self.run}
        return {"event_type": self.kind, "event_payload": payload}


class SlackClient:
    """What Watchkeeper asks of Slack. Everything raises ToolError for a definite no, ToolUnavailable for one of now."""

    def __init__(self, settings: SlackSettings) -> None:
        token = settings.token.get_secret_value() if settings.token else None
        # Temporal tries again, so its client does not.
        self._web = WebClient(token=token, base_url=f"{settings.url}/", timeout=REQUEST_SECONDS, retry_handlers=[])
        self._threads = ThreadPoolExecutor(THREADS, thread_name_prefix="slack")

    async def post(
        self,
        channel: str,
        marker: MessageMarker,
        text: str,
        blocks: list[JsonObject],
        *,
        key: str,
        thread: str | None = None,
    ) -> PostedMessage:
        """Post a message; ``key`` is an UUID, the same in every attempt."""
        answer = await self._ask(
            "chat.postMessage",
            lambda: self._web.chat_postMessage(
                channel=channel,
                text=text,
                blocks=blocks,
                metadata=marker.metadata,
                thread_ts=thread,
                unfurl_links=False,
                unfurl_media=False,
                client_msg_id=key,
            ),
        )
        return _message(answer, channel)

    async def update(self, message: PostedMessage, marker: MessageMarker, text: str, blocks: list[JsonObject]) -> None:
        """Write a message anew. Raises MessageGone, too."""
        await self._ask(
            "chat.update",
            lambda: self._web.chat_update(
                channel=message.channel, ts=message.ts, text=text, blocks=blocks, metadata=marker.metadata
            ),
        )

    async def find(
        self, wanted: MessageMarker, channel: str, since: datetime, thread: str | None = None
    ) -> dict[str, PostedMessage]:
        """Find what was posted since a time with markers of this kind and run, by their parts.

        It is looked for in a thread, or else among the messages of the channel.
        """
        found: dict[str, PostedMessage] = {}
        cursor: str | None = None
        for _ in range(_PAGES):
            answer = await self._read(channel, thread, f"{(since - SKEW).timestamp():.6f}", cursor)
            for message in _objects(answer.get("messages")):
                if (part := _part(message, wanted)) is not None:
                    found[part] = _message(message, channel)
            cursor = _text(_object(answer.get("response_metadata")).get("next_cursor"))
            if not cursor:
                break
        return found

    async def _read(self, channel: str, thread: str | None, oldest: str, cursor: str | None) -> JsonObject:
        if thread is None:
            return await self._ask(
                "conversations.history",
                lambda: self._web.conversations_history(
                    channel=channel, oldest=oldest, limit=_PAGE, cursor=cursor, include_all_metadata=True
                ),
            )
        return await self._ask(
            "conversations.replies",
            lambda: self._web.conversations_replies(
                channel=channel, ts=thread, oldest=oldest, limit=_PAGE, cursor=cursor, include_all_metadata=True
            ),
        )

    async def _ask(self, method: str, call: Callable[[], SlackResponse]) -> JsonObject:
        try:
            answer = await asyncio.get_running_loop().run_in_executor(self._threads, call)
        except SlackApiError as error:
            raise _refusal(method, error.response) from None
        except (OSError, HTTPException) as error:
            raise ToolUnavailable(f"Slack cannot be reached for {method}: {type(error).__name__}") from None
        except (SlackClientError, ValueError) as error:
            raise ToolError(f"Slack cannot be asked {method}: {type(error).__name__}; see slack.url") from None
        return _object(answer.data)


def _refusal(method: str, response: SlackResponse) -> ToolError | ToolUnavailable:
    """Tell what a refusal means; an error comes with the status 200 as well."""
    answer, headers = _object(response.data), {name.lower(): str(value) for name, value in response.headers.items()}
    error = _text(answer.get("error"))
    status = f"status {response.status_code} " if response.status_code != 200 else ""
    missing = f" (the app needs the scope {needed})" if (needed := _text(answer.get("needed"))) else ""
    why = _object(answer.get("response_metadata")).get("messages")
    details = f": {why}" if isinstance(why, list) and why else ""
    said = excerpt(f"Slack answered {method} with {status}{error}{missing}{details}", 500)
    if error in _TRY_AGAIN or (response.status_code != 200 and retryable(response.status_code, headers)):
        return ToolUnavailable(said, retry_delay(headers))
    return MessageDeleted(said) if error in _GONE else ToolError(said)


def _part(message: Mapping[str, object], wanted: MessageMarker) -> str | None:
    """Read which part of what is wanted a message is; None: it is none."""
    metadata = _object(message.get("metadata"))
    payload = _object(metadata.get("event_payload"))
    ours = metadata.get("event_type") == wanted.kind and payload.get("run") == wanted.run
    return _text(payload.get("part")) if ours else None


def _message(answer: Mapping[str, object], channel: str) -> PostedMessage:
    if not (ts := _text(answer.get("ts"))):
        raise ToolError("Slack did not say which message it is; is slack.url right?")
    return PostedMessage(channel=_text(answer.get("channel")) or channel, ts=ts)


def _object(value: object) -> JsonObject:
    return value if isinstance(value, dict) else {}


def _objects(value: object) -> list[JsonObject]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""
