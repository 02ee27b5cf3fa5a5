"""What it means when a model host does not give a completion, and whether asking again can help."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, NamedTuple, TypeAlias

from watchkeeper.contracts import JsonObject
from watchkeeper.http import retry_delay, retryable
from watchkeeper.text import ERROR_BYTES, excerpt

Reason: TypeAlias = Literal[
    "unavailable",
    "malformed",
    "tool_use_failed",
    "tool_choice",
    "context_overflow",
    "content_filter",
    "quota",
    "auth",
    "refused",
]
"""Why there is no completion.

``unavailable`` the host cannot answer now; ``malformed`` its answer is no completion; ``tool_use_failed`` the host
itself refused the tool call that its model wrote; ``tool_choice`` it refuses to have the choice of tools forced;
``context_overflow`` the conversation is too long for the model; ``quota`` nothing is left to pay with;
``refused`` the request will never be accepted.
"""

RETRYABLE: frozenset[Reason] = frozenset({"unavailable", "malformed", "tool_use_failed"})
"""The reasons for which the same request may succeed later; which statuses mean them, ``watchkeeper.http`` says."""

_WAYS_OUT: dict[Reason | int, str] = {
    "quota": "Raise the account's quota or credit with the host.",
    "auth": "Check the API key and what it may use.",
    "malformed": "If it stays so, check that the base URL is that of an API.",
    404: "Check the model's name and its base URL.",
    413: "The host accepts no request of this many bytes.",
}
"""What to do about it, by status or by reason."""

_OVERFLOW = re.compile(
    "context_length_exceeded"  # OpenAI
    "|maximum context length"  # OpenAI, vLLM
    "|exceeded model token limit"  # Moonshot
    "|exceed_context_size_error|available context size"  # llama.cpp
    "|max_tokens parameter must be less than the context length"  # Together, as a 403
    r"|request too large\b.*tokens per min"  # Groq, as a 413
    "|prompt is too long|input token count exceeds",  # Anthropic, Gemini
    re.DOTALL,
)
_OVERFLOW_STATUSES = {400, 403, 413, 422}
_TOOL_CHOICE_STATUSES = {400, 404, 422}

_QUOTA_CODES = {"exceeded_current_quota_error", "insufficient_quota", "insufficient_balance"}
_AUTH_CODES = {"invalid_api_key", "authentication_error", "invalid_authentication_error", "permission_error"}
_FILTER_CODES = {"content_filter", "content_policy_violation", "data_inspection_failed"}

_TITLE = re.compile(r"<title[^>]*>([^<]*)", re.IGNORECASE)

_READ_CHARS = 10_000
"""How much of an error's wording is looked at; a host can repeat the whole request in it."""


class ModelError(Exception):
    """A model host gave no completion.

    The message is clean and short enough to be recorded; ``delay`` is how long the host asked to wait.
    """

    def __init__(
        self, reason: Reason, message: str, *, status: int | None = None, delay: timedelta | None = None
    ) -> None:
        self.reason: Reason = reason
        self.status = status
        self.delay = delay
        said = excerpt(message, ERROR_BYTES)
        way_out = _WAYS_OUT.get(reason) or (_WAYS_OUT.get(status or 0) if reason == "refused" else None)
        super().__init__(f"{said} {way_out}" if way_out else said)

    @property
    def retryable(self) -> bool:
        """Tell whether the same request may succeed later."""
        return self.reason in RETRYABLE


class _Said(NamedTuple):
    """An error body, read."""

    message: str
    codes: frozenset[str]
    status: int | None

    @property
    def wording(self) -> str:
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


def read_refusal(status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
    """Tell what a response without success means; header names may be in any case."""
    lower = {name.lower(): value for name, value in headers.items()}
    if 200 <= status < 300:
        return ModelError("malformed", f"HTTP {status} with {describe(body)}.", status=status)
    if 300 <= status < 400:
        location = excerpt(lower.get("location", "nowhere"), 200)
        message = f"HTTP {status}: redirected to {location}. Redirects are not followed: set the base URL to it."
        return ModelError("refused", message, status=status)
    said = _read_body(body)
    reason = _recognised(said, status) or _by_status(status, lower)
    delay = retry_delay(lower) if reason in RETRYABLE else None
    return ModelError(reason, f"HTTP {status}: {said.message}", status=status, delay=delay)


def read_error(parsed: object) -> ModelError:
    """Tell what an error object means that came as HTTP 200; only its own codes can say that it is final."""
    said = _read(parsed)
    inner = said.status if said.status in {401, 402, 403, 404} else 503
    reason = _recognised(said, said.status or 400) or _by_status(inner, {})
    return ModelError(reason, f"HTTP 200 with an error: {said.message or 'it says no more'}", status=said.status)


def describe(body: bytes) -> str:
    """Say in a few words what a body is that was expected to be something else."""
    text = " ".join(body[:_READ_CHARS].decode(errors="replace").split())
    if not text:
        return "an empty body"
    if text[:1] == "<":
        title = _TITLE.search(text)
        return f"a page ({excerpt(title[1] if title else text, 200)})"
    return f"{excerpt(text, 200)!r}"


def _recognised(said: _Said, status: int) -> Reason | None:
    """Tell what the host says in words or codes, which is more exact than any status."""
    if status in _OVERFLOW_STATUSES and _OVERFLOW.search(said.wording):
        return "context_overflow"
    if "tool_use_failed" in said.codes:
        return "tool_use_failed"
    if said.codes & _FILTER_CODES:
        return "content_filter"
    if said.codes & _QUOTA_CODES:
        return "quota"
    if said.codes & _AUTH_CODES and status < 500:
        return "auth"
    if status in _TOOL_CHOICE_STATUSES and "tool_choice" in said.wording:
        return "tool_choice"
    return None


def _by_status(status: int, headers: Mapping[str, str]) -> Reason:
    if retryable(status, headers):
        return "unavailable"
    match status:
        case 401 | 403:
            return "auth"
        case 402:
            return "quota"
        case _:
            return "refused"


def _read_body(body: bytes) -> _Said:
    try:
        said = _read(parse_json(body))
    except ValueError:
        return _Said(describe(body), frozenset(), None)
    return said if said.message else said._replace(message=describe(body))


def _read(parsed: object) -> _Said:
    """Read an error of any of the known shapes, its message empty if it has none."""
    outer = _first_object(parsed)
    inner = next((outer[key] for key in ("error", "errors", "detail") if outer.get(key)), outer)
    fields = _first_object(inner)
    message = next((text for text in _messages(inner, fields, outer, parsed) if text.strip()), "")
    found = [source.get(key) for source in (fields, outer) for key in ("code", "type", "status", "param")]
    status = next((number for value in found if (number := _status(value)) is not None), None)
    return _Said(message, frozenset(value.lower() for value in found if isinstance(value, str)), status)


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
