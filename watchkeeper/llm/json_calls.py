"""Recognise a JSON value that is a tool call, or several, by its shape."""

from __future__ import annotations

import re
from collections.abc import Mapping, Set
from typing import Any, NamedTuple

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.tool_calls import InvalidArguments, read_arguments

_NAMES = (
    "name",
    "tool",
    "tool_name",
    "toolName",
    "function",
    "function_name",
    "functionName",
    "action",
    "recipient_name",
)
_ARGUMENTS = (
    *(
        "arguments",
        "parameters",
        "args",
        "params",
        "input",
        "inputs",
        "kwargs",
        "action_input",
        "tool_input",
        "tool_args",
    ),
    *("tool_arguments", "toolInput", "function_arguments", "tool_parameters"),
)
_LISTS = ("tool_calls", "toolCalls", "function_calls", "calls", "tool_uses", "actions", "tools")
_WRAPPERS = (
    *("function", "tool_call", "function_call", "functionCall", "call"),
    *("toolUse", "tool_use", "use_tool", "call_tool", "action", "command"),
)
_OTHERS = {"id", "type", "index", "call_id", "thought", "reasoning", "explanation", "tool_call_id"}
_MOST_CALLS = 1_000
_DEPTH = 4

_PREFIX = re.compile(r"(?:(?:functions?|default_api|tools|api|call)[.:])*")
_INDEX = re.compile(r":[0-9]+\Z")


class JsonCall(NamedTuple):
    """A call in a JSON value."""

    name: str
    """As written, without prefix and index."""
    arguments: str | None
    """The text of a JSON object; None: they are something else."""
    call_id: str | None


def plain_name(written: str) -> str:
    """Return the name of a tool without what templates add to it: ``functions.NAME:0``, ``default_api:NAME``."""
    name = _INDEX.sub("", written.strip())
    prefix = _PREFIX.match(name)
    return name[prefix.end() :] if prefix else name


def json_calls(value: object, tools: Mapping[str, JsonObject], depth: int = _DEPTH) -> list[JsonCall]:
    """Return the calls in a JSON value; empty if it is anything else. Names that are no tool are returned, too."""
    match value:
        case list() if value and depth:
            calls = [json_calls(item, tools, depth - 1) for item in value[:_MOST_CALLS]]
            return [call for found in calls for call in found] if all(calls) else []
        case dict() if depth:
            for key in _LISTS:
                if isinstance(inner := value.get(key), list) and (calls_in_list := json_calls(inner, tools, depth - 1)):
                    return calls_in_list
            for key in (*_WRAPPERS, *(["params"] if "method" in value else [])):
                if isinstance(inner := value.get(key), dict) and (found := json_calls(inner, tools, depth - 1)):
                    return [call._replace(call_id=call.call_id or _text(value.get("id"))) for call in found]
            call = _one_call(value, tools)
            return [call] if call else []
        case _:
            return []


def _one_call(value: Mapping[str, Any], tools: Mapping[str, JsonObject]) -> JsonCall | None:
    if len(value) == 1:
        ((only, arguments),) = value.items()
        name = plain_name(only)
        if name in tools and isinstance(arguments, dict) and arguments.keys() <= _parameters(tools[name], arguments):
            return JsonCall(name, _as_object(arguments), None)
    named = next((key for key in _NAMES if isinstance(value.get(key), str)), None)
    if named is None or (plain_name(value[named]) not in tools and not any(key in value for key in _ARGUMENTS)):
        named = next((key for key, item in value.items() if isinstance(item, str) and plain_name(item) in tools), named)
    if named is None:
        return None
    name, call_id = plain_name(value[named]), _text(value.get("id"))
    key = next((key for key in _ARGUMENTS if key in value), None)
    if key is not None:
        return JsonCall(name, _as_object(value[key]), call_id)
    objects = [item for item in value.values() if isinstance(item, dict)]
    if name in tools and len(objects) == 1 and objects[0] and objects[0].keys() <= _parameters(tools[name], objects[0]):
        return JsonCall(name, _as_object(objects[0]), call_id)
    flat = {key: item for key, item in value.items() if key != named and key not in _OTHERS}
    if name in tools and flat.keys() <= _parameters(tools[name], {}):
        return JsonCall(name, _as_object(flat), call_id)
    return None


def _parameters(schema: Mapping[str, Any], default: Mapping[str, Any]) -> Set[str]:
    members: Mapping[str, Any] = schema.get("properties", default)
    return members.keys()


def _as_object(value: object) -> str | None:
    try:
        return read_arguments(value)
    except InvalidArguments:
        return None


def _text(value: object) -> str | None:
    return value if isinstance(value, str) else None
