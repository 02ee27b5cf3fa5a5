"""Run one tool call: parse the model's arguments, call the tool, and encode the result for the model."""

from __future__ import annotations

import asyncio
from bisect import bisect_right
from datetime import datetime
from typing import Any, Literal

from httpx2 import AsyncClient
from pydantic import ValidationError

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import ToolResult
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.text import cap, excerpt
from watchkeeper.tool_calling.arguments import describe_errors, parse_arguments
from watchkeeper.tool_calling.definition import Tool, ToolCall, ToolContext, ToolError, ToolUnavailable
from watchkeeper.tool_calling.json_schema import parameter_schema
from watchkeeper.tool_calling.result_encoder import to_json

SMALL = 16_384
"""Bytes that are encoded in less time than another thread takes to start with them."""

_FIELDS_BYTES = 300
"""Largest list of argument names in a result that was cut."""


async def run_tool(
    tool: Tool[Any], call: ToolCall, *, settings: Settings, http: AsyncClient, at: datetime, attempt: int
) -> ToolResult:
    """Run a call and return the result for the model, without any secret of the settings.

    Args:
        tool: The tool to run.
        call: The call, with the arguments that the model wrote.
        settings: The settings of this process.
        http: The HTTP client of this process.
        at: When the call was scheduled; the same in every attempt.
        attempt: Counted from 1.

    Raises:
        ToolUnavailable: The attempt may be retried. The text contains no secret and may be recorded.
    """
    try:
        args = parse_arguments(tool.arguments, call.arguments, settings.catalogue)
    except ValidationError as error:
        return _result(
            tool, settings, "rejected", describe_errors(error, parameter_schema(tool.arguments, settings.catalogue))
        )
    context = ToolContext(
        call=call,
        at=at,
        attempt=attempt,
        idempotency_key=tool.idempotency_key(call, args),
        settings=settings,
        http=http,
    )
    deadline = asyncio.timeout(tool.timeout.total_seconds())
    try:
        async with deadline:
            output = await tool(args, context)
    except ToolError as error:
        return _result(tool, settings, "error", {"error": str(error)})
    except ToolUnavailable as error:
        # Not from the error, whose causes would be recorded as they are.
        raise ToolUnavailable(settings.redactor.text(str(error)), error.delay) from None
    except TimeoutError:
        if not deadline.expired():
            raise
        raise ToolUnavailable(f"{tool.name} gave no result in {tool.timeout.total_seconds():g} s") from None
    if is_small(output):
        return _result(tool, settings, "ok", output)
    # In a thread: a large result takes seconds to encode, and the event loop must send heartbeats meanwhile.
    return await asyncio.to_thread(_result, tool, settings, "ok", output)


def is_small(output: object) -> bool:
    """Return whether JSON of a result takes less than ``SMALL`` bytes. Types with their own encoding do not count."""
    left, pending = SMALL, [output]
    while pending and left > 0:
        match pending.pop():
            case str() | bytes() as text:
                left -= len(text)
            case dict() as items if (left := left - len(items)) > 0:
                pending += (*items, *items.values())
            case list() | tuple() as items if (left := left - len(items)) > 0:
                pending += items
            case None | bool() | int() | float():
                left -= 1
            case _:
                return False
    return left > 0


def _result(
    tool: Tool[Any], settings: Settings, status: Literal["ok", "error", "rejected"], output: object
) -> ToolResult:
    whole = canonical_json(settings.redactor.json(to_json(output))).decode()
    content, cut = _cut_to_size(whole, tool)
    result = ToolResult(content=content) if status == "ok" else ToolResult(status=status, content=content)
    return result.model_copy(update={"cut": cut}) if cut else result


def _cut_to_size(whole: str, tool: Tool[Any]) -> tuple[str, int]:
    """Cut the middle out of a result that is too large. Also return how many bytes were cut."""
    encoded = whole.encode()
    if len(encoded) <= tool.max_bytes:
        return whole, 0
    fields = excerpt(", ".join(tool.arguments.model_fields), _FIELDS_BYTES)
    narrow = f"narrow the question ({fields}) to see it" if fields else "the tool has no way to ask for less"

    def shown(each: int) -> tuple[bytes, int]:
        head = cap(whole, each)[0]
        tail = encoded[len(encoded) - each :].decode(errors="ignore")
        cut = len(encoded) - len(head.encode()) - len(tail.encode())
        note = f"{cut} of {len(encoded)} bytes were cut from the middle; {narrow}"
        return canonical_json({"truncated": note, "head": head, "tail": tail}), cut

    # The encoded size grows with the parts shown; how fast depends on the characters that JSON escapes.
    each = bisect_right(range(tool.max_bytes // 2), tool.max_bytes, key=lambda each: len(shown(each)[0])) - 1
    content, cut = shown(each)
    return content.decode(), cut
