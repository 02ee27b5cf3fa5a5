"""The rules that the strictest OpenAI-compatible hosts apply to a conversation.

Each rule was observed at OpenAI, Moonshot, Groq, Mistral or vLLM. A conversation that passes here passes at all of
them, as far as we know.
"""

from __future__ import annotations

import json
import re
from typing import Any, NoReturn

from watchkeeper.contracts import JsonObject
from watchkeeper.testing.parameter_rules import no_constant
from watchkeeper.testing.request_refused import RequestRefused

_FIELDS = {
    "system": {"role", "content", "name"},
    "developer": {"role", "content", "name"},
    "user": {"role", "content", "name"},
    "tool": {"role", "content", "tool_call_id"},
}
_FUNCTION_NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def check_messages(messages: object, *, empty_content: bool = False) -> None:
    """Check the roles and their order, and that each tool call has exactly one result directly after it.

    ``empty_content``: accept an empty content next to calls.
    """
    if not isinstance(messages, list) or not messages:
        raise RequestRefused("Invalid 'messages': empty array. Expected an array with minimum length 1", "messages")
    open_calls: list[str] = []
    caller: JsonObject = {}
    opened = False
    for n, message in enumerate(messages):
        role = _role(message, n)
        if role != "tool" and open_calls:
            _refuse_open_calls(open_calls, n)
        if role in ("system", "developer") and opened:
            raise RequestRefused("System message must be at the beginning", f"messages[{n}].role")
        opened = opened or role not in ("system", "developer")
        if role == "assistant":
            open_calls = _check_assistant(message, n, empty_content=empty_content)
        else:
            _check_plain(message, role, n)
        if role == "tool":
            _match_result(message, open_calls, caller, n)
        else:
            caller = message
    if open_calls:
        _refuse_open_calls(open_calls, len(messages))
    if messages[-1]["role"] not in ("user", "tool"):
        raise RequestRefused("Expected last role User or Tool for serving", f"messages[{len(messages) - 1}].role")


def _role(message: Any, n: int) -> str:
    role = message.get("role") if isinstance(message, dict) else None
    if role not in (*_FIELDS, "assistant"):
        text = f"Invalid value: {role!r}. Supported values are: {', '.join(_FIELDS)}, assistant"
        raise RequestRefused(text, f"messages[{n}].role")
    return str(role)


def _check_plain(message: JsonObject, role: str, n: int) -> None:
    for name in message.keys() - _FIELDS[role]:
        raise RequestRefused(
            f"property 'messages.{n}.{name}' is unsupported for role '{role}'", f"messages[{n}].{name}"
        )
    content = message.get("content")
    if role != "tool" and isinstance(content, list) and content:
        for part in content:
            if not isinstance(part, dict) or part.get("type") != "text" or not _has_text(part.get("text")):
                raise RequestRefused("text content is empty", f"messages[{n}].content")
    elif not _has_text(content):
        raise RequestRefused(
            f"the message at position {n} with role '{role}' must not be empty", f"messages[{n}].content"
        )


def _check_assistant(message: JsonObject, n: int, *, empty_content: bool) -> list[str]:
    """Check an assistant message and return the ids of its calls."""
    content, calls = message.get("content"), message.get("tool_calls")
    if calls is None and not _has_text(content):
        raise RequestRefused(
            f"the message at position {n} with role 'assistant' must not be empty", f"messages[{n}].content"
        )
    if content is not None and not _has_text(content) and not (empty_content and content == ""):
        raise RequestRefused("text content is empty: send null beside tool calls", f"messages[{n}].content")
    if calls is None:
        return []
    if not isinstance(calls, list) or not calls:
        raise RequestRefused(f"Invalid 'messages[{n}].tool_calls': empty array", f"messages[{n}].tool_calls")
    ids = [_check_call(call, f"messages[{n}].tool_calls[{i}]") for i, call in enumerate(calls)]
    for call_id in ids:
        if ids.count(call_id) > 1:
            raise RequestRefused(f"Duplicate tool_call id {call_id!r} in one message", f"messages[{n}].tool_calls")
    return ids


def _check_call(call: Any, where: str) -> str:
    if not isinstance(call, dict) or call.get("type") != "function" or not isinstance(call.get("function"), dict):
        raise RequestRefused(f"Invalid '{where}': expected an object of type 'function'", where)
    if not _has_text(call.get("id")):
        raise RequestRefused(f"Invalid '{where}.id': empty string", f"{where}.id")
    name, arguments = call["function"].get("name"), call["function"].get("arguments")
    if not isinstance(name, str) or not _FUNCTION_NAME.fullmatch(name):
        raise RequestRefused(
            f"Invalid '{where}.function.name': {name!r} does not match '^[a-zA-Z0-9_-]+$'", f"{where}.function.name"
        )
    if not isinstance(arguments, str) or not _is_object(arguments):
        raise RequestRefused(
            f"Invalid '{where}.function.arguments': a string that holds a JSON object is expected, got {arguments!r}",
            f"{where}.function.arguments",
        )
    return str(call["id"])


def _match_result(message: JsonObject, open_calls: list[str], caller: JsonObject, n: int) -> None:
    call_id = message.get("tool_call_id")
    if call_id in open_calls:
        open_calls.remove(call_id)
        return
    where = f"messages[{n}].tool_call_id"
    if not _has_text(call_id):
        raise RequestRefused(f"Missing required parameter: '{where}'", where)
    if any(call["id"] == call_id for call in caller.get("tool_calls") or ()):
        raise RequestRefused(f"Duplicate value for 'tool_call_id' of {call_id!r} in message with role 'tool'", where)
    raise RequestRefused(
        f"tool_call_id {call_id!r} is not found: messages with role 'tool' must directly follow the assistant "
        "message whose 'tool_calls' they answer",
        where,
    )


def _refuse_open_calls(open_calls: list[str], n: int) -> NoReturn:
    raise RequestRefused(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
        "'tool_call_id'. The following tool_call_ids did not have response messages: " + ", ".join(open_calls),
        f"messages[{n}]",
    )


def _is_object(text: str) -> bool:
    try:
        return isinstance(json.loads(text, parse_constant=no_constant), dict)
    except (ValueError, RecursionError):
        return False


def _has_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())
