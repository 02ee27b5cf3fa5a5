"""Reading a vendor's body: lenient with values, strict with structure, and never failing but with MalformedPayload."""

from __future__ import annotations

import json
from typing import Annotated, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError

from watchkeeper.alerts.plain_text import printable
from watchkeeper.alerts.timestamps import parse_timestamp
from watchkeeper.contracts import JsonObject
from watchkeeper.text import excerpt

DEPTH = 64
"""How deep a body may nest; a dozen is what vendors need."""

_SHOWN_BYTES = 200
_FAULTS_SHOWN = 3


class MalformedPayload(Exception):
    """A body is not what its source sends; the text says where and what is wrong with it."""

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


def _absent_is_empty(value: object) -> object:
    return {} if value is None else value


def _some(value: object) -> object:
    return [] if value is None else value


Text = Annotated[str, BeforeValidator(_text)]
"""Any value as text, null as none: what is said matters, not how it is typed."""

Texts = Annotated[dict[str, Text], BeforeValidator(_absent_is_empty)]
Time = Annotated[int | None, BeforeValidator(parse_timestamp)]
"""Unix microseconds; None for what was not set."""

T = TypeVar("T")
Items: TypeAlias = Annotated[list[T], BeforeValidator(_some)]


class Payload(BaseModel):
    """A part of a vendor's body; what is not named here is nobody's concern."""

    model_config = ConfigDict(extra="ignore", frozen=True)


P = TypeVar("P", bound=BaseModel)


def parse_json(body: bytes) -> JsonObject:
    """Parse a body; of a key that stands twice the last counts. Raises MalformedPayload."""
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
    """Read a parsed body, or a part of it, as what its vendor documents. Raises MalformedPayload."""
    try:
        return model.model_validate(value)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_context=False)
    told = [
        f"{format_location(fault['loc'])}: {_problem(fault['msg'], fault['input'])}" for fault in faults[:_FAULTS_SHOWN]
    ]
    more = [f"{len(faults) - _FAULTS_SHOWN} more"] if len(faults) > _FAULTS_SHOWN else []
    raise MalformedPayload("; ".join([*told, *more]))


def format_location(location: tuple[int | str, ...]) -> str:
    """Write a place in a body: ``alerts[0].labels``."""
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
