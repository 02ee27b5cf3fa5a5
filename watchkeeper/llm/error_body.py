"""What a host says in a body that is no completion, whatever shape it has."""

from __future__ import annotations

import json
import re
from typing import NamedTuple

from watchkeeper.contracts import JsonObject
from watchkeeper.text import excerpt

_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)

_READ_CHARS = 10_000
"""How much of an error's wording is looked at; a host can repeat the whole request in it."""


class ErrorBody(NamedTuple):
    """What an error body says."""

    message: str
    codes: frozenset[str]
    """Its codes, types and status words, and the parameter it names, in lower case."""
    status: int | None
    """The HTTP status it gives, which need not be the one it came with."""

    @property
    def wording(self) -> str:
        """All of it in lower case, to look for known words."""
        return " ".join([*self.codes, self.message]).lower()[:_READ_CHARS]


def parse_json(body: bytes) -> object:
    """Parse a body that may be anything.

    Raises:
        ValueError: It is not UTF-8, not JSON, or nested too deeply to be read.
    """
    try:
        parsed: object = json.loads(body.decode("utf-8-sig"))
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return parsed


def describe_body(body: bytes) -> str:
    """Say in a few words what a body is that was expected to be something else."""
    text = " ".join(body[:_READ_CHARS].decode(errors="replace").split())
    if not text:
        return "an empty body"
    if text[:1] == "<":
        title = _TITLE.search(text)
        return f"a page ({excerpt(title[1] if title else text, 200)})"
    return f"{excerpt(text, 200)!r}"


def read_error_body(body: bytes) -> ErrorBody:
    """Read an error body; one that holds no message is described."""
    try:
        said = read_error_object(parse_json(body))
    except ValueError:
        return ErrorBody(describe_body(body), frozenset(), None)
    return said if said.message else said._replace(message=describe_body(body))


def read_error_object(parsed: object) -> ErrorBody:
    """Read an error of any of the known shapes, its message empty if it has none.

    Known are ``{"error": {...}}`` (OpenAI), the same in a list (Gemini), ``{"error": "..."}``, ``{"object": "error",
    "message": ...}`` (vLLM), ``{"detail": ...}`` (FastAPI), ``{"errors": [{...}]}`` and a bare string.
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
    raw = metadata.get("raw") if isinstance(metadata, dict) else None  # OpenRouter: what its provider said
    said = fields.get("message") or fields.get("msg")
    told = [text for text in (said, raw) if isinstance(text, str)]
    return [" ".join(told), *(text for text in (inner, outer.get("message"), parsed) if isinstance(text, str))]


def _status(value: object) -> int | None:
    """Read an HTTP status that stands in a body as a number or as its digits."""
    if isinstance(value, str) and re.fullmatch("[1-5][0-9][0-9]", value):
        return int(value)
    return value if isinstance(value, int) and 100 <= value < 600 else None
