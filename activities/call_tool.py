"""The activities that run tools: one activity type for each tool, named after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from httpx2 import AsyncClient
from temporalio import activity
from temporalio.exceptions import ApplicationError

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ToolRequest, ToolResult
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

    It returns a result if the tool answers, including a refusal. It fails, and is retried with the tool's policy, if
    the back end cannot answer now (``ToolUnavailable``) or the tool raises another error.
    """

    @activity.defn(name=tool.name)
    async def call_tool(request: ToolRequest) -> ToolResult:
        info = activity.info()
        call = ToolCall(run=request.run, key=info.activity_id, arguments=request.arguments)
        if tool.effect == "once":
            await confirm_attempt()
        try:
            result = await run_tool(
                tool, call, settings=settings, http=http, at=info.scheduled_time, attempt=info.attempt
            )
        except ToolUnavailable as error:
            delay = backoff(info.attempt) if error.delay is None else min(error.delay, LONGEST_RETRY_DELAY)
            raise ApplicationError(
                excerpt(str(error), ERROR_BYTES), type="ToolUnavailable", next_retry_delay=delay
            ) from error
        except Exception as error:  # noqa: BLE001
            # The error is recorded, and its text may repeat a secret: a password in a URL, a token.
            text = excerpt(settings.redactor.text(str(error)), ERROR_BYTES)
            failure = ApplicationError(text, type=type(error).__name__, next_retry_delay=backoff(info.attempt))
            raise failure.with_traceback(error.__traceback__) from None
        store.put(result.digest, result.content.encode())
        return result

    return call_tool
