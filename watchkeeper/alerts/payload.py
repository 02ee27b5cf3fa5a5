"""Parse a vendor's payload: lenient with values, strict with structure. The only exception is MalformedPayload."""

from __future__ import annotations

import json
from typing import Annotated, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from watchkeeper.alerts.plain_text import printable
from watchkeeper.alerts.timestamps import parse_timestamp
from watchkeeper.contracts import JsonObject
from watchkeeper.text import excerpt

DEPTH = 64
"""Maximum nesting of a body. Vendors need about a dozen levels."""

_SHOWN_BYTES = 200
_ERRORS_SHOWN = 3


class MalformedPayload(Exception):
    """A body does not have the format of its source. The message says where and what is wrong."""

    def __init__(self, problem: str) -> None:
        super().__init__(printable(problem))


def _text(value: object) -> str:
    match value:
        case str():
            return value
        case None:
            return ""
        case bool() | list() | dict():
            return json.dumps(value, ensure_ascii=False)
        case _:
            return str(value)


def _null_to_object(value: object) -> object:
    return {} if value is None else value


def _null_to_list(value: object) -> object:
    return [] if value is None else value


Text = Annotated[str, BeforeValidator(_text)]
"""Any JSON value as text; null becomes "". Vendors and templates are inconsistent about types."""

Texts = Annotated[dict[str, Text], BeforeValidator(_null_to_object)]
Time = Annotated[int | None, BeforeValidator(parse_timestamp)]
"""Unix microseconds; None if absent."""

T = TypeVar("T")
Items: TypeAlias = Annotated[list[T], BeforeValidator(_null_to_list)]


class Payload(BaseModel):
    """Part of a vendor payload. Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


P = TypeVar("P", bound=BaseModel)


def parse_json(body: bytes) -> JsonObject:
    """Parse a body. If an object has a key twice, the last value is used. Raises MalformedPayload."""
    try:
        parsed: object = json.loads(body.decode("utf-8-sig", errors="replace"))
    except (ValueError, RecursionError) as error:
        at = f" at byte {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
        raise MalformedPayload(f"the body is not JSON{at}: {excerpt(str(error), _SHOWN_BYTES)}") from None
    if not isinstance(parsed, dict):
        raise MalformedPayload(f"the body must be a JSON object, not {_kind(parsed)}")
    _refuse_depth(parsed)
    return parsed


def parse_model(model: type[P], value: object) -> P:
    """Validate a parsed body, or a part of it, against a model. Raises MalformedPayload."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        errors = error.errors(include_url=False, include_context=False)
    shown = [f"{format_location(one['loc'])}: {_problem(one['msg'], one['input'])}" for one in errors[:_ERRORS_SHOWN]]
    more = [f"{len(errors) - _ERRORS_SHOWN} more"] if len(errors) > _ERRORS_SHOWN else []
    raise MalformedPayload("; ".join([*shown, *more]))


def format_location(location: tuple[int | str, ...]) -> str:
    """Return a location in a body as text: ``alerts[0].labels``."""
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in location)
    return excerpt(path.removeprefix("."), _SHOWN_BYTES) or "the body"


def _problem(message: str, value: object) -> str:
    return f"{message.removeprefix('Value error, ')}, not {_kind(value)}"


def _kind(value: object) -> str:
    match value:
        case dict():
            return "an object"
        case list():
            return "a list"
        case None:
            return "null"
        case _:
            return excerpt(json.dumps(value, ensure_ascii=False), 50)


def _refuse_depth(value: object) -> None:
    level = [value]
    for _ in range(DEPTH):
        containers = [item for item in level if isinstance(item, dict | list)]
        level = [inner for item in containers for inner in (item.values() if isinstance(item, dict) else item)]
        if not level:
            return
    raise MalformedPayload(f"the body nests more than {DEPTH} deep")
