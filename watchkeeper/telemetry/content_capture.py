"""Message content as span attributes: only if an operator switches it on, and without the secrets of the settings."""

from __future__ import annotations

import json
from collections.abc import Sequence

from watchkeeper.contracts import JsonObject, ModelReply, ReportDelivery, ToolRequest, ToolResult
from watchkeeper.redaction import Redactor
from watchkeeper.telemetry import semconv
from watchkeeper.telemetry.activity_attempt import FinishedAttempt
from watchkeeper.text import error_text


class ContentCapture:
    """Returns content attributes in the format of the GenAI conventions; none unless ``captured``."""

    def __init__(self, redactor: Redactor, *, captured: bool) -> None:
        self._redactor = redactor
        self._captured = captured

    def of_attempt(self, attempt: FinishedAttempt) -> dict[str, str]:
        """Return the messages of a model request, or the arguments and the result of a tool call."""
        if not self._captured:
            return {}
        content: dict[str, str] = {}
        if attempt.is_model_request and attempt.context.prompt:
            content[semconv.INPUT_MESSAGES] = self._messages(json.loads(b"[" + attempt.context.prompt + b"]"))
        match attempt.result:
            case ModelReply() as reply:
                content[semconv.OUTPUT_MESSAGES] = self._messages([reply.message])
            case ToolResult() as result:
                content[semconv.TOOL_RESULT] = self._text(result.content)
        if isinstance(attempt.argument, ToolRequest):
            content[semconv.TOOL_ARGUMENTS] = self._text(attempt.argument.arguments)
        return content

    def of_report(self, delivery: ReportDelivery) -> dict[str, str]:
        """Return the body of a report, as a message of the agent."""
        if not self._captured:
            return {}
        return {semconv.OUTPUT_MESSAGES: self._messages([{"role": "assistant", "content": delivery.report.body}])}

    def error_message(self, attempt: FinishedAttempt) -> str:
        """Return the message of an error, which may repeat content; else an empty text."""
        return self._text(error_text(attempt.error)) if self._captured and attempt.error else ""

    def _text(self, text: str) -> str:
        return self._redactor.text(text)

    def _messages(self, messages: Sequence[JsonObject]) -> str:
        shaped = [{"role": message.get("role"), "parts": _parts(message)} for message in messages]
        return json.dumps(self._redactor.json(shaped), ensure_ascii=False, separators=(",", ":"))


def _parts(message: JsonObject) -> list[JsonObject]:
    content = message.get("content")
    if message.get("role") == "tool":
        return [{"type": "tool_call_response", "id": message.get("tool_call_id"), "response": content}]
    reasoning = message.get("reasoning_content") or message.get("reasoning")
    parts: list[JsonObject] = [{"type": "reasoning", "content": reasoning}] if reasoning else []
    parts += [{"type": "text", "content": content}] if content else []
    return parts + [
        {
            "type": "tool_call",
            "id": call.get("id"),
            "name": call["function"]["name"],
            "arguments": call["function"]["arguments"],
        }
        for call in message.get("tool_calls") or ()
    ]
