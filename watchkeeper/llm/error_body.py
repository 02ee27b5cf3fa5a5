"""Read the error bodies of model hosts, in all known shapes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from watchkeeper.contracts import JsonObject
from watchkeeper.http.json_memory import require_small_json
from watchkeeper.text import excerpt

_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)

_COUNTS = {"n_ctx", "n_prompt_tokens"}

_REPEATED = re.compile(
    r"expected one of (?:[`'\"]\w+[`'\"](?:, | or )?)+"  # Rust's serde: all fields that it knows
    r"|['\"]input['\"]: .*?(?=\}, ?\{['\"]type['\"]|$)",  # pydantic, written as text: a part of the request
    re.DOTALL,
)
"""Names of fields that an error is not about."""

_MOST_ENTRIES = 8
"""Entries of a list of errors that are read. Pydantic has one for each alternative of a type."""

_READ_CHARS = 10_000
"""How much of an error's text is searched. Some hosts repeat the whole request in it."""


class ErrorBody(NamedTuple):
    """The content of an error body."""

    message: str
    codes: frozenset[str]
    """The values of ``code``, ``type``, ``status`` and ``param`` that are strings, in lower case."""
    status: int | None
    """The HTTP status that the body names. It may differ from the status of the response."""
    counts: Mapping[str, int] = MappingProxyType({})
    """Numbers of tokens that llama.cpp gives in fields."""

    @property
    def searchable_text(self) -> str:
        """Codes, counts and message in lower case, to search for known phrases."""
        counts = (f"{name} {count}" for name, count in self.counts.items())
        message = _REPEATED.sub("", self.message[:_READ_CHARS])
        return " ".join([*sorted(self.codes), *counts, message]).lower()[:_READ_CHARS]


def parse_json(body: bytes) -> object:
    """Parse a body that may not be JSON.

    Raises:
        ValueError: It is not UTF-8, not JSON, nested too deeply to be read, or takes too much memory.
    """
    require_small_json(body)
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
    "error", "message": ...}`` (vLLM), ``{"detail": ...}`` (FastAPI), the same in ``message`` (Mistral), ``{"errors":
    [{...}]}`` and a string.
    """
    outer = _first_object(parsed)
    nested = _first_object(outer.get("message"))
    found_in = ((source, key) for source in (outer, nested) for key in ("error", "errors", "detail"))
    inner = next((source[key] for source, key in found_in if source.get(key)), outer)
    fields = _first_object(inner)
    message = next((text for text in _messages(inner, outer, parsed) if text.strip()), "")
    found = [source.get(key) for source in (fields, outer) for key in ("code", "type", "status", "param")]
    status = next((number for value in found if (number := _status(value)) is not None), None)
    codes = frozenset(value.lower() for value in found if isinstance(value, str))
    counts = {key: value for key, value in fields.items() if key in _COUNTS and isinstance(value, int)}
    return ErrorBody(message, codes, status, counts)


def _first_object(value: object) -> JsonObject:
    """Return an object, or the first of a list (Gemini wraps its errors in one)."""
    if isinstance(value, list) and value:
        value = value[0]
    return value if isinstance(value, dict) else {}


def _messages(inner: object, outer: JsonObject, parsed: object) -> list[str]:
    entries = inner[:_MOST_ENTRIES] if isinstance(inner, list) else [inner]
    joined = "; ".join(dict.fromkeys(text for entry in entries if (text := _entry_message(entry))))
    texts = [text for text in (inner, outer.get("message")) if isinstance(text, str)]
    if joined or not isinstance(inner, str):
        return [joined, *texts, *([parsed] if isinstance(parsed, str) else [])]
    return [": ".join(dict.fromkeys(texts))]  # Fastify and Spring: the name of the status, then the message


def _entry_message(entry: object) -> str:
    """Return the message of one error with the field that it names; empty if it has none."""
    if isinstance(entry, str):
        return ""
    fields = entry if isinstance(entry, dict) else {}
    metadata = fields.get("metadata")
    raw = metadata.get("raw") if isinstance(metadata, dict) else None  # OpenRouter: the message of its provider
    message = fields.get("message") or fields.get("msg")
    loc = fields.get("loc")
    place = f"{'.'.join(map(str, loc))}:" if isinstance(loc, list) else None  # FastAPI: the field that is wrong
    return " ".join(text for text in (place, message, raw) if isinstance(text, str))


def _status(value: object) -> int | None:
    """Read an HTTP status from a number or a string of digits; None if it is not a status."""
    if isinstance(value, str) and re.fullmatch("[1-5][0-9][0-9]", value):
        return int(value)
    return value if isinstance(value, int) and 100 <= value < 600 else None
