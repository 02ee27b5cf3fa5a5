"""Parse the arguments of a tool call, and describe wrong arguments for the model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import reduce
from operator import getitem
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, from_json

from watchkeeper.contracts import JsonObject
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.text import excerpt
from watchkeeper.tool_calling.result_encoder import to_json

M = TypeVar("M", bound=BaseModel)

_STRUCTURE_ERRORS = {"list_type", "dict_type", "model_type", "model_attributes_type", "dataclass_type"}
_ERRORS_SHOWN = 10
_EXCERPT_BYTES = 200


def parse_arguments(arguments: type[M], text: str, catalogue: Mapping[str, Sequence[str]]) -> M:
    """Parse arguments from the model's JSON text.

    Where the schema expects an object or a list and got a string, the string is decoded as JSON: Kimi encodes some
    structures twice (MoonshotAI/kimi-cli#2513). Nothing else is guessed. Raises ValidationError.
    """
    try:
        return arguments.model_validate_json(text, context=catalogue)
    except ValidationError as error:
        decoded = _decode_nested_json(text, error)
        if decoded is None:
            raise
    return arguments.model_validate_json(decoded, context=catalogue)


def _decode_nested_json(text: str, error: ValidationError) -> bytes | None:
    """Return the arguments, with each structure that came as a string decoded; None if nothing was decoded."""
    faults = error.errors(include_url=False, include_context=False)
    encoded = [fault for fault in faults if fault["type"] in _STRUCTURE_ERRORS and isinstance(fault["input"], str)]
    if not encoded:
        return None
    whole: dict[Any, Any] = {"arguments": from_json(text)}
    try:
        for fault in encoded:
            *parents, last = ("arguments", *fault["loc"])
            reduce(getitem, parents, whole)[last] = from_json(fault["input"])
    except (ValueError, LookupError, TypeError):  # not JSON, or the location names a branch of a union
        return None
    return canonical_json(to_json(whole["arguments"]))


def describe_errors(error: ValidationError, parameters: JsonObject) -> JsonObject:
    """Return a result for the model: the problem of each argument, and what the tool's schema expects."""
    faults = error.errors(include_url=False, include_context=False)
    described: JsonObject = {
        "error": "the arguments do not fit the tool's schema; nothing was run",
        "arguments": [_describe_error(fault, parameters) for fault in faults[:_ERRORS_SHOWN]],
    }
    if more := len(faults) - _ERRORS_SHOWN:
        described |= {"more": f"{more} more"} if more > 0 else {}
    return described


def _describe_error(fault: ErrorDetails, parameters: JsonObject) -> JsonObject:
    message = fault["msg"].removeprefix("Value error, ")
    described: JsonObject = {
        "at": excerpt(".".join(map(str, fault["loc"])), _EXCERPT_BYTES) or "(the whole)",
        "problem": excerpt(message, _EXCERPT_BYTES),
    }
    if fault["type"] != "missing":
        got = fault["input"]
        text = got if isinstance(got, str) else canonical_json(to_json(got)).decode()
        described["got"] = excerpt(text, _EXCERPT_BYTES)
    expected = _expected_schema(fault, parameters)
    return {**described, "expected": expected} if expected is not None else described


def _expected_schema(fault: ErrorDetails, parameters: JsonObject) -> object:
    if fault["type"] == "extra_forbidden":
        parent = _schema_at(fault["loc"][:-1], parameters) or {}
        return {"only": list(parent.get("properties", {}))}
    return _schema_at(fault["loc"], parameters)


def _schema_at(location: Sequence[int | str], schema: JsonObject) -> JsonObject | None:
    found: JsonObject | None = schema
    for part in location:
        if found is None:
            return None
        found = found.get("items") if isinstance(part, int) else found.get("properties", {}).get(part)
    return found
