"""What was said: on spans only where an operator asks for it, and then without the operator's secrets."""

from __future__ import annotations

import json
from collections.abc import Sequence

from watchkeeper.contracts import JsonObject, ModelReply, ReportDelivery, ToolRequest, ToolResult
from watchkeeper.redaction import Redactor
from watchkeeper.telemetry import semconv
from watchkeeper.telemetry.activity_attempt import Step
from watchkeeper.text import error_text


class Content:
    """Words of spans, in the shape of the conventions; none unless ``captured``."""

    def __init__(self, redactor: Redactor, *, captured: bool) -> None:
        self._redactor = redactor
        self._captured = captured

    def of(self, step: Step) -> dict[str, str]:
        """Return what was said in an attempt."""
        if not self._captured:
            return {}
        told: dict[str, str] = {}
        if step.asked and step.attempt.prompt:
            told[semconv.INPUT_MESSAGES] = self._messages(json.loads(b"[" + step.attempt.prompt + b"]"))
        match step.result:
            case ModelReply() as reply:
                told[semconv.OUTPUT_MESSAGES] = self._messages([reply.message])
            case ToolResult() as result:
                told[semconv.TOOL_RESULT] = self._text(result.content)
        if isinstance(step.given, ToolRequest):
            told[semconv.TOOL_ARGUMENTS] = self._text(step.given.arguments)
        return told

    def of_report(self, delivery: ReportDelivery) -> dict[str, str]:
        """Return what a report says."""
        if not self._captured:
            return {}
        return {semconv.OUTPUT_MESSAGES: self._messages([{"role": "assistant", "content": delivery.report.body}])}

    def failure(self, step: Step) -> str:
        """Say why an attempt failed: errors repeat what was said."""
        return self._text(error_text(step.error)) if self._captured and step.error else ""

    def _text(self, text: str) -> str:
        return self._redactor.text(text)

    def _messages(self, messages: Sequence[JsonObject]) -> str:
        shaped = [{"role": message.get("role"), "parts": _parts(message)} for message in messages]
        return json.dumps(self._redactor.json(shaped), ensure_ascii=False, separators=(",", ":"))


def _parts(message: JsonObject) -> list[JsonObject]:
    content = message.get("content")
    if message.get("role") == "tool":
        return [{"type": "tool_call_response", "id": message.get("tool_call_id"), "response": content}]
    thought = message.get("reasoning_content") or message.get("reasoning")
    words: list[JsonObject] = [{"type": "reasoning", "content": thought}] if thought else []
    words += [{"type": "text", "content": content}] if content else []
    return words + [
        {
            "type": "tool_call",
            "id": call.get("id"),
            "name": call["function"]["name"],
            "arguments": call["function"]["arguments"],
        }
        for call in message.get("tool_calls") or ()
    ]
