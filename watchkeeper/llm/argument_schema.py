"""Fit arguments that were written as text to a tool's JSON schema (the subset of ``tool_calling.json_schema``)."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from watchkeeper.contracts import JsonObject

_TYPES: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
}


def fits(value: object, schema: Mapping[str, Any]) -> bool:
    """Return whether a value fits a schema: type, names, required members, enumeration, minimum and maximum.

    An empty schema accepts everything. The tool's own arguments check the rest when the call runs.
    """
    expected = _TYPES.get(schema.get("type", ""))
    if expected and (not isinstance(value, expected) or (isinstance(value, bool) and expected is not bool)):
        return False
    if "enum" in schema and value not in schema["enum"]:
        return False
    match value:
        case dict() if "properties" in schema:
            members: Mapping[str, Any] = schema["properties"]
            required = set(schema.get("required", ()))
            return required <= value.keys() <= members.keys() and all(
                fits(item, members[name]) for name, item in value.items()
            )
        case list() if "items" in schema:
            return all(fits(item, schema["items"]) for item in value)
        case int() | float() if not isinstance(value, bool):
            return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))
        case _:
            return True


def typed(fields: Mapping[str, str], schema: Mapping[str, Any]) -> JsonObject | None:
    """Return members that were written as plain text with the types of a schema; None if one has another type."""
    members = schema.get("properties", {})
    values: JsonObject = {}
    for name, text in fields.items():
        kind = members.get(name, {}).get("type", "string")
        if kind == "string":
            values[name] = text
            continue
        try:
            values[name] = json.loads(text.strip().lower() if kind == "boolean" else text)
        except (ValueError, RecursionError):
            return None
    return values
