"""What it means when a model host does not give a completion, and whether asking again can help."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, TypeAlias

from watchkeeper.http_retry import retry_delay, retryable
from watchkeeper.llm.error_body import ErrorBody, describe_body, read_error_body, read_error_object
from watchkeeper.text import ERROR_BYTES, excerpt

ModelErrorReason: TypeAlias = Literal[
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

RETRYABLE_REASONS: frozenset[ModelErrorReason] = frozenset({"unavailable", "malformed", "tool_use_failed"})
"""Reasons for which the same request may succeed later. ``watchkeeper.http_retry`` maps HTTP statuses to them."""

_REMEDIES: dict[ModelErrorReason | int, str] = {
    "quota": "Raise the account's quota or credit with the host.",
    "auth": "Check the API key and what it may use.",
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


class ModelError(Exception):
    """A model host gave no completion.

    The message is clean and short enough to be recorded; ``delay`` is how long the host asked to wait.
    """

    def __init__(
        self, reason: ModelErrorReason, message: str, *, status: int | None = None, delay: timedelta | None = None
    ) -> None:
        self.reason: ModelErrorReason = reason
        self.status = status
        self.delay = delay
        said = excerpt(message, ERROR_BYTES)
        way_out = _REMEDIES.get(reason) or (_REMEDIES.get(status or 0) if reason == "refused" else None)
        super().__init__(f"{_sentence(said)} {way_out}" if way_out else said)

    @property
    def retryable(self) -> bool:
        """Tell whether the same request may succeed later."""
        return self.reason in RETRYABLE_REASONS


def _sentence(said: str) -> str:
    said = said.rstrip()
    return said if said.endswith((".", "!", "?")) else f"{said}."


def error_from_response(status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
    """Tell what a response without success means; header names may be in any case."""
    lower = {name.lower(): value for name, value in headers.items()}
    if 200 <= status < 300:
        return not_a_completion(body)
    if 300 <= status < 400:
        location = excerpt(lower.get("location", "nowhere"), 200)
        message = f"HTTP {status}: redirected to {location}. Redirects are not followed: set the base URL to it."
        return ModelError("refused", message, status=status)
    said = read_error_body(body)
    reason = _reason_from_body(said, status) or _reason_from_status(status, lower)
    delay = retry_delay(lower) if reason in RETRYABLE_REASONS else None
    return ModelError(reason, f"HTTP {status}: {said.message}", status=status, delay=delay)


def error_from_object(parsed: object) -> ModelError:
    """Tell what an error object means that came as HTTP 200; only its own codes can say that it is final."""
    said = read_error_object(parsed)
    inner = said.status if said.status in {401, 402, 403, 404} else 503
    reason = _reason_from_body(said, said.status or 400) or _reason_from_status(inner, {})
    return ModelError(reason, f"HTTP 200 with an error: {said.message or 'it says no more'}", status=said.status)


def not_a_completion(body: bytes) -> ModelError:
    """Tell that a response of success holds something other than a chat completion."""
    return ModelError("malformed", f"No chat completion but {describe_body(body)}. Is the base URL that of the API?")


def _reason_from_body(said: ErrorBody, status: int) -> ModelErrorReason | None:
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


def _reason_from_status(status: int, headers: Mapping[str, str]) -> ModelErrorReason:
    if retryable(status, headers):
        return "unavailable"
    match status:
        case 401 | 403:
            return "auth"
        case 402:
            return "quota"
        case _:
            return "refused"
