"""Encode any value that a tool returns as JSON.

The tool's effect has already happened, so this must not fail. A value that JSON cannot express becomes a text that
describes it. Decision 0020 says why pydantic does not do all of it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Set
from dataclasses import fields, is_dataclass
from datetime import date, time, timedelta
from enum import Enum

from pydantic import BaseModel
from pydantic_core import to_jsonable_python

from watchkeeper.llm.conversation import canonical_json
from watchkeeper.text import clean, error_text

DEPTH = 64
"""Deepest nesting that is kept. Recursive encoders fail at some depth."""

_INTEGER_BITS = 10_000
"""Python refuses to write integers of more than 4,300 digits."""


def to_json(value: object, inside: tuple[int, ...] = ()) -> object:
    """Return a value that ``canonical_json`` can encode.

    Fields of a model that are None are left out. NaN and infinity become their names, bytes are decoded as UTF-8,
    times are ISO 8601, durations are seconds. ``inside``: ids of the containers around this value.
    """
    match value:
        case None | bool():
            return value
        case Enum():
            return to_json(value.value, inside)
        case str():
            return clean(value)
        case int():
            bits = value.bit_length()
            return value if bits <= _INTEGER_BITS else f"(an integer of {bits} bits)"
        case float():
            return value if math.isfinite(value) else str(value)
        case bytes() | bytearray() | memoryview():
            return clean(bytes(value).decode(errors="replace"))
        case date() | time():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case BaseException():
            return error_text(value)
        case _ if id(value) in inside:
            return "(contains itself)"
        case _ if len(inside) >= DEPTH:
            return "(nested too deeply)"
        case _:
            return _container(value, (*inside, id(value)))


def _container(value: object, inside: tuple[int, ...]) -> object:
    match value:
        case BaseModel():
            return to_json(_dump(value), inside)
        case Mapping():
            return {_key(key, inside): to_json(item, inside) for key, item in value.items()}
        case Set():
            return sorted((to_json(item, inside) for item in value), key=canonical_json)
        case list() | tuple():
            return [to_json(item, inside) for item in value]
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {field.name: to_json(getattr(value, field.name, None), inside) for field in fields(value)}
        case _:
            return _other(value, inside)


def _other(value: object, inside: tuple[int, ...]) -> object:
    """Encode the types that pydantic knows: addresses, paths, decimals, secrets (as asterisks), iterators."""
    try:
        return to_json(to_jsonable_python(value), inside)
    except ValueError:
        return f"(a value of type {clean(type(value).__name__)})"


def _key(key: object, inside: tuple[int, ...]) -> str:
    name = to_json(key, inside)
    return name if isinstance(name, str) else canonical_json(name).decode()


def _dump(model: BaseModel) -> object:
    try:
        return model.model_dump(exclude_none=True, warnings=False)
    except (ValueError, TypeError):
        return {name: value for name, value in model if value is not None}
