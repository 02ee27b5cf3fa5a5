"""Read the error bodies of model hosts, in all known shapes."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from watchkeeper.contracts import JsonObject
from watchkeeper.text import excerpt

_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)

_READ_CHARS = 10_000
"""How much of an error's text is searched. Some hosts repeat the whole request in it."""


class ErrorBody(NamedTuple):
    """The content of an error body."""

    message: str
    codes: frozenset[str]
    """The values of ``code``, ``type``, ``status`` and ``param`` that are strings, in lower case."""
    status: int | None
    """The HTTP status that the body names. It may differ from the status of the response."""

    @property
    def searchable_text(self) -> str:
        """Codes and message in lower case, to search for known phrases."""
        return " ".join([*self.codes, self.message]).lower()[:_READ_CHARS]


def parse_json(body: bytes) -> object:
    """Parse a body that may not be JSON.

    Raises:
        ValueError: It is not UTF-8, not JSON, or nested too deeply to be read.
    """
    try:
        parsed: object = json.loads(body.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return parsed


def describe_body(body: bytes) -> str:
    """Describe an unexpected body briefly."""
    text = " ".join(body[:_READ_CHARS].decode(errors="replace").split())
    if not text:
        return "an empty body"
    if text[:1] == "<":
        title = _TITLE.search(text)
        return f"an HTML page ({excerpt(title[1] if title else text, 200)})"
    return f"{excerpt(text, 200)!r}"


def read_error_body(body: bytes) -> ErrorBody:
    """Read an error body. If it has no message, the message describes the body."""
    try:
        error = read_error_object(parse_json(body))
    except ValueError:
        return ErrorBody(describe_body(body), frozenset(), None)
    return error if error.message else error._replace(message=describe_body(body))


def read_error_object(parsed: object) -> ErrorBody:
    """Read a parsed error. The message is empty if the error has none.

    Known shapes: ``{"error": {...}}`` (OpenAI), the same in a list (Gemini), ``{"error": "..."}``, ``{"object":
    "error", "message": ...}`` (vLLM), ``{"detail": ...}`` (FastAPI), ``{"errors": [{...}]}`` and a string.
    """
    outer = _first_object(parsed)
    inner = next((outer[key] for key in ("error", "errors", "detail") if outer.get(key)), outer)
    fields = _first_object(inner)
    message = next((text for text in _messages(inner, fields, outer, parsed) if text.strip()), "")
    found = [source.get(key) for source in (fields, outer) for key in ("code", "type", "status", "param")]
    status = next((number for value in found if (number := _status(value)) is not None), None)
    return ErrorBody(message, frozenset(value.lower() for value in found if isinstance(value, str)), status)


def _first_object(value: object) -> JsonObject:
    """Return an object, or the first of a list (Gemini wraps its errors in one)."""
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else {}


def _messages(inner: object, fields: JsonObject, outer: JsonObject, parsed: object) -> list[str]:
    metadata = fields.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None  # OpenRouter: the message of its provider
    message = fields.get("message") or fields.get("msg")
    joined = " ".join(text for text in (message, raw) if isinstance(text, str))
    return [joined, *(text for text in (inner, outer.get("message"), parsed) if isinstance(text, str))]


def _status(value: object) -> int | None:
    """Read an HTTP status from a number or a string of digits; None if it is not a status."""
    if isinstance(value, str) and re.fullmatch("[1-5][0-9][0-9]", value):
        return int(value)
    return value if isinstance(value, int) and 100 <= value < 600 else None
