"""Parse a vendor's payload: lenient with values, strict with structure. The only exception is MalformedPayload."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Annotated, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, TypeAdapter, ValidationError, ValidationInfo

from watchkeeper.alerts.plain_text import printable
from watchkeeper.alerts.severity import severity_text
from watchkeeper.alerts.timestamps import parse_timestamp
from watchkeeper.contracts import JsonObject
from watchkeeper.text import excerpt

DEPTH = 64
"""Maximum nesting of a body. Vendors need about a dozen levels."""

MAX_JSON_BYTES = 2**20
"""Largest body that is parsed at once. The alerts of a larger one are read one by one."""

_SHOWN_BYTES = 200
_ERRORS_SHOWN = 3
_BATCH = 100


class UnreadableTimes:
    """The values of a body that should be times and are not. Each counts as missing, and is noted."""

    def __init__(self) -> None:
        self._counts: dict[str, int] = {}
        self._first: dict[str, str] = {}

    def add(self, name: str, value: object) -> None:
        """Record the value of a field."""
        self._counts[name] = self._counts.get(name, 0) + 1
        self._first.setdefault(name, _kind(value))

    def notes(self) -> list[str]:
        """Return a remark for each field, with its first value."""
        return [
            f"{name}: {shown} is no time that can be read, so it counts as missing"
            + (f" ({self._counts[name] - 1} more like it)" if self._counts[name] > 1 else "")
            for name, shown in self._first.items()
        ]


class MalformedPayload(Exception):
    """A body does not have the format of its source. The message says where and what is wrong."""

    def __init__(self, problem: str) -> None:
        super().__init__(printable(problem))


class PayloadTooLarge(MalformedPayload):
    """A body holds more than the intake can take at once. The message says what, and how to send less."""


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


def _time(value: object, info: ValidationInfo) -> int | None:
    try:
        return parse_timestamp(value)
    except ValueError:
        if isinstance(info.context, UnreadableTimes):
            info.context.add(info.field_name or "time", value)
        return None


def _null_to_object(value: object) -> object:
    return {} if value is None else value


def _null_to_list(value: object) -> object:
    return [] if value is None else value


Text = Annotated[str, BeforeValidator(_text)]
"""Any JSON value as text; null becomes "". Vendors and templates are inconsistent about types."""

Severity = Annotated[str, BeforeValidator(severity_text)]
"""A severity in any form: a word, a number, an object with a name, a list; "" if none exists."""

Texts = Annotated[dict[str, Text], BeforeValidator(_null_to_object)]
Time = Annotated[int | None, BeforeValidator(_time)]
"""Unix microseconds; None if absent or unreadable. The ``times`` of ``parse_model`` record an unreadable one."""

T = TypeVar("T")
Items: TypeAlias = Annotated[list[T], BeforeValidator(_null_to_list)]


class Payload(BaseModel):
    """Part of a vendor payload. Unknown fields are ignored."""

    model_config = ConfigDict(extra="ignore", frozen=True)


P = TypeVar("P", bound=BaseModel)


def parse_json(body: bytes) -> JsonObject:
    """Parse a body. If an object has a key twice, the last value is used. Raises MalformedPayload."""
    if len(body) > MAX_JSON_BYTES:
        raise PayloadTooLarge(
            f"{len(body):,} bytes beside the alerts of a list are too many; at most {MAX_JSON_BYTES:,}"
        )
    parsed = parse_value(body)
    if not isinstance(parsed, dict):
        raise MalformedPayload(f"the body must be a JSON object, not {_kind(parsed)}")
    return parsed


def parse_value(text: bytes) -> object:
    """Parse any JSON value. Raises MalformedPayload."""
    try:
        parsed: object = json.loads(text.decode("utf-8-sig", errors="replace"))
    except (ValueError, RecursionError) as error:
        raise not_json(error) from None
    _refuse_depth(parsed)
    return parsed


def not_json(error: Exception) -> MalformedPayload:
    """Return the error for a body that is not JSON."""
    at = f" at byte {error.pos}" if isinstance(error, json.JSONDecodeError) else ""
    return MalformedPayload(f"the body is not JSON{at}: {excerpt(str(error), _SHOWN_BYTES)}")


def parse_model(model: type[P], value: object, times: UnreadableTimes | None = None) -> P:
    """Validate a parsed body, or a part of it, against a model. ``times`` records unreadable times.

    Raises MalformedPayload.
    """
    try:
        return model.model_validate(value, context=times)
    except ValidationError as error:
        raise _malformed(error) from None


def parse_models(
    model: type[P], items: Iterable[object], name: str, times: UnreadableTimes | None = None
) -> Iterator[P]:
    """Validate the items of a list against a model, some at a time. ``name``: of the list. Raises MalformedPayload."""
    batches, number = TypeAdapter(list[model]), 0  # type: ignore[valid-type]  # a type that is known at run time only
    remaining = iter(items)
    while batch := list(islice(remaining, _BATCH)):
        try:
            yield from batches.validate_python(batch, context=times)
        except ValidationError as error:
            raise _malformed(error, name, number) from None
        number += len(batch)


def _malformed(error: ValidationError, name: str = "", first: int = 0) -> MalformedPayload:
    """Return the error of a validation; ``name`` and ``first``: of the list and its item at which the value begins."""
    errors = error.errors(include_url=False, include_context=False)
    shown = []
    for one in errors[:_ERRORS_SHOWN]:
        item, *rest = one["loc"] or ("",)
        location = (name, item + first, *rest) if name and isinstance(item, int) else one["loc"]
        shown.append(f"{format_location(location)}: {_problem(one['msg'], one['input'])}")
    more = [f"{len(errors) - _ERRORS_SHOWN} more"] if len(errors) > _ERRORS_SHOWN else []
    return MalformedPayload("; ".join([*shown, *more]))


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
