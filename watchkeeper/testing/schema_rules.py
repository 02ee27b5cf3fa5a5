"""The part of JSON schema that every provider accepts in a tool. A request with any other schema is refused.

Accepted: closed objects, no references, one type per leaf, enumerations of strings. OpenAI, Moonshot (MFJS), Gemini and
Groq each refuse some of the rest.
"""

from __future__ import annotations

import re
from typing import Any

from watchkeeper.contracts import JsonObject
from watchkeeper.testing.request_refused import RequestRefused

MAX_TOOLS, MAX_PROPERTIES, MAX_DEPTH, MAX_ENUM, MAX_BRANCHES = 128, 100, 5, 500, 10

_TOOL_NAME = re.compile(r"[a-zA-Z][a-zA-Z0-9_-]{0,63}")
_KEYWORDS = {
    "object": {"properties", "required", "additionalProperties"},
    "array": {"items"},
    "string": {"enum"},
    "integer": {"minimum", "maximum"},
    "number": {"minimum", "maximum"},
    "boolean": set[str](),
}


def check_tools(tools: object) -> None:
    """Check the ``tools`` of a request."""
    if not isinstance(tools, list) or not tools:
        raise RequestRefused(f"{tools!r} is too short - 'tools'", "tools")
    if len(tools) > MAX_TOOLS:
        raise RequestRefused(f"Invalid 'tools': {len(tools)} tools, at most {MAX_TOOLS} are accepted", "tools")
    names: set[str] = set()
    for i, tool in enumerate(tools):
        where = f"tools[{i}].function"
        if not isinstance(tool, dict) or tool.get("type") != "function" or not isinstance(tool.get("function"), dict):
            raise RequestRefused(f"Invalid 'tools[{i}]': expected an object of type 'function'", f"tools[{i}]")
        name = _check_function(tool["function"], where)
        if name in names:
            raise RequestRefused(f"Invalid '{where}.name': {name!r} is offered twice", f"{where}.name")
        names.add(name)


def _check_function(function: JsonObject, where: str) -> str:
    for keyword in function.keys() - {"name", "description", "parameters"}:
        raise RequestRefused(f"Invalid '{where}': unsupported key '{keyword}'", f"{where}.{keyword}")
    name = function.get("name")
    if not isinstance(name, str) or not _TOOL_NAME.fullmatch(name):
        raise RequestRefused(
            f"Invalid '{where}.name': {name!r} must start with a letter and hold letters, digits, _ and - only",
            f"{where}.name",
        )
    _check_description(function, where)
    parameters = function.get("parameters")
    if not isinstance(parameters, dict) or parameters.get("type") != "object":
        raise RequestRefused(
            f"Invalid schema for function '{name}': the root must be of type 'object'", f"{where}.parameters"
        )
    _check_schema(parameters, f"{where}.parameters", 1)
    return name


def _check_schema(schema: Any, where: str, depth: int) -> None:
    if not isinstance(schema, dict):
        raise RequestRefused(f"At path '{where}': a schema is expected, got {schema!r}", where)
    if depth > MAX_DEPTH:
        raise RequestRefused(f"At path '{where}': nested more than {MAX_DEPTH} deep", where)
    _check_description(schema, where)
    if "anyOf" in schema:
        _check_any_of(schema, where, depth)
        return
    kind = schema.get("type")
    if not isinstance(kind, str) or kind not in _KEYWORDS:
        raise RequestRefused(f"At path '{where}': type is not defined or not plain: {kind!r}", where)
    for keyword in schema.keys() - _KEYWORDS[kind] - {"type", "description"}:
        raise RequestRefused(
            f"At path '{where}': unsupported keyword '{keyword}' for type '{kind}'", f"{where}.{keyword}"
        )
    match kind:
        case "object":
            _check_object(schema, where, depth)
        case "array":
            _check_schema(schema.get("items"), f"{where}.items", depth + 1)
        case _:
            _check_leaf(schema, where)


def _check_object(schema: JsonObject, where: str, depth: int) -> None:
    properties = schema.get("properties")
    if not isinstance(properties, dict) or len(properties) > MAX_PROPERTIES:
        raise RequestRefused(f"At path '{where}': 'properties' with at most {MAX_PROPERTIES} names is expected", where)
    if schema.get("additionalProperties") is not False:
        raise RequestRefused(f"At path '{where}': 'additionalProperties' must be false", where)
    required = schema.get("required", [])
    if not isinstance(required, list) or not all(name in properties for name in required):
        raise RequestRefused(f"At path '{where}': 'required' names what 'properties' lacks: {required!r}", where)
    for name, member in properties.items():
        _check_schema(member, f"{where}.properties.{name}", depth + 1)


def _check_any_of(schema: JsonObject, where: str, depth: int) -> None:
    if siblings := schema.keys() - {"anyOf", "description"}:
        raise RequestRefused(f"At path '{where}': not allowed beside 'anyOf': {', '.join(sorted(siblings))}", where)
    branches = schema["anyOf"]
    if not isinstance(branches, list) or not 0 < len(branches) <= MAX_BRANCHES:
        raise RequestRefused(f"At path '{where}': 'anyOf' takes 1 to {MAX_BRANCHES} branches", where)
    for i, branch in enumerate(branches):
        _check_schema(branch, f"{where}.anyOf[{i}]", depth + 1)


def _check_leaf(schema: JsonObject, where: str) -> None:
    names = schema.get("enum", ["-"])
    if not isinstance(names, list) or not 0 < len(names) <= MAX_ENUM or not all(isinstance(n, str) for n in names):
        raise RequestRefused(f"At path '{where}': 'enum' takes 1 to {MAX_ENUM} strings", where)
    for bound in ("minimum", "maximum"):
        if not isinstance(schema.get(bound, 0), int | float) or isinstance(schema.get(bound), bool):
            raise RequestRefused(f"At path '{where}': '{bound}' must be a number", where)


def _check_description(schema: JsonObject, where: str) -> None:
    if not isinstance(schema.get("description", ""), str):
        raise RequestRefused(f"At path '{where}': 'description' must be a string", where)
