"""The activities that run tools: one activity type for each tool, named after it."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

from httpx2 import AsyncClient
from temporalio import activity
from temporalio.exceptions import ApplicationError

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import JsonObject, PageRecord, ToolRequest, ToolResult
from watchkeeper.llm.conversation import ConversationStore
from watchkeeper.temporal.activity_options import LONGEST_RETRY_DELAY, backoff
from watchkeeper.temporal.heartbeat import confirm_attempt
from watchkeeper.text import ERROR_BYTES, excerpt
from watchkeeper.tool import Tool, ToolCall, ToolUnavailable
from watchkeeper.tool_calling.execution import run_tool


def tool_activity(
    tool: Tool[Any], settings: Settings, http: AsyncClient, store: ConversationStore
) -> Callable[[ToolRequest], Awaitable[ToolResult]]:
    """Return the activity that runs a tool.

    It returns a result if the tool answers, including a refusal. It fails if the back end cannot answer now
    (``ToolUnavailable``) or the tool raises another error. Then it is retried until it has had ``tool.attempts``
    attempts; Temporal's policy allows more, for attempts that are lost with their worker.
    """

    @activity.defn(name=tool.name)
    async def call_tool(request: ToolRequest) -> ToolResult:
        info = activity.info()
        call = ToolCall(
            run=request.run,
            key=info.activity_id,
            arguments=request.arguments,
            workflow_id=info.workflow_id,
            incident=request.incident,
        )
        is_last = info.attempt >= tool.attempts
        if tool.effect == "once":
            await confirm_attempt()
        try:
            result = await run_tool(
                tool, call, settings=settings, http=http, at=info.scheduled_time, attempt=info.attempt
            )
        except ToolUnavailable as error:
            delay = backoff(info.attempt) if error.delay is None else min(error.delay, LONGEST_RETRY_DELAY)
            raise ApplicationError(
                excerpt(str(error), ERROR_BYTES), type="ToolUnavailable", non_retryable=is_last, next_retry_delay=delay
            ) from error
        except Exception as error:  # noqa: BLE001
            # The error is recorded, and its text may repeat a secret: a password in a URL, a token.
            text = excerpt(settings.redactor.text(str(error)), ERROR_BYTES)
            failure = ApplicationError(
                text, type=type(error).__name__, non_retryable=is_last, next_retry_delay=backoff(info.attempt)
            )
            raise failure.with_traceback(error.__traceback__) from None
        store.put(result.digest, result.content.encode())
        if tool.pages and (page := sent_page(request.arguments, result, settings)) is not None:
            result = result.model_copy(update={"page": page})
        return result

    return call_tool


def sent_page(arguments: str, result: ToolResult, settings: Settings) -> PageRecord | None:
    """Return the page that a call has sent, from its result, otherwise from its arguments; None if it sent none."""
    if result.status != "ok":
        return None
    output, asked = _object(result.content), _object(arguments)
    team = _text(output, "team") or settings.team_of(_text(asked, "service")) or _text(asked, "team")
    if team is None:
        return None
    page = PageRecord(team=team)
    incident = _text(output, "incident")
    return page if incident is None else page.model_copy(update={"incident": incident})


def _object(text: str) -> JsonObject:
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def _text(values: JsonObject, name: str) -> str | None:
    value = values.get(name)
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    return value if isinstance(value, str) and value else None
