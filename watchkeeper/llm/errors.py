"""Classify the errors of model hosts, and decide which may be retried."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import timedelta
from typing import Literal, TypeAlias

from watchkeeper.http.retry import retry_delay, retryable
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
"""Why the model host returned no completion.

``unavailable``: the host cannot answer now. ``malformed``: its response is not a completion. ``tool_use_failed``: the
host refused the tool call that its own model wrote. ``tool_choice``: it does not accept a forced tool.
``context_overflow``: the conversation is too long for the model. ``content_filter``: a filter withheld the answer.
``quota``: the account's quota or credit is used up. ``auth``: the key is not valid or not sufficient. ``refused``: the
host will never accept this request.
"""

RETRYABLE_REASONS: frozenset[ModelErrorReason] = frozenset({"unavailable", "malformed", "tool_use_failed"})
"""Reasons for which the same request may succeed later. ``watchkeeper.http.retry`` decides it for HTTP statuses."""

LONGEST_REQUESTED_DELAY = timedelta(days=1)
"""Longest delay that is read from a host's response. No run waits that long: ``ask`` fails at once instead."""

_REMEDIES: dict[ModelErrorReason | int, str] = {
    "quota": "Raise the account's quota or credit with the host.",
    "auth": "Check the API key and what it may use.",
    404: "Check the model's name and its base URL.",
    413: "The host accepts no request of this many bytes.",
}
"""What a person can do, by reason or by HTTP status."""

_OVERFLOW = re.compile(
    "context_length_exceeded|contextwindowexceeded"  # OpenAI, LiteLLM
    "|maximum (?:context|model|prompt) length"  # OpenAI, vLLM, xAI
    # OpenAI, SGLang, LM Studio, Cloudflare, Anthropic
    r"|(?:exceed\w*|longer than|greater than|fit into)\b.{0,40}\bcontext (?:length|window|limit)"
    "|context (?:window|length) exceeds|context (?:the )?overflow|loaded with context length"  # MiniMax, LM Studio
    "|exceeded model token limit"  # Moonshot
    "|exceed_context_size_error|available context size"  # llama.cpp
    "|max_tokens parameter must be less than the context length"  # Together, as a 403
    r"|request too large\b.*tokens per min|tokens_limit_reached"  # Groq and GitHub, as a 413
    "|(?:prompt|input) is too long|prompt exceeds"  # Anthropic, Bedrock, GLM
    r"|(?:input|prompt) (?:tokens?|token count|length)\b.{0,40}\bexceed"  # Gemini, SGLang, Copilot, OpenAI
    "|tokens in the prompt cannot exceed|range of input length should be"  # Cohere, Qwen
    r"|`inputs` (?:tokens \+ `max_new_tokens` )?must (?:be <=|have less than)"  # Text Generation Inference
    "|reduce the length of the messages",  # Groq, Cerebras
    re.DOTALL,
)
_OVERFLOW_STATUSES = {400, 403, 413, 422}
_TOOL_CHOICE_STATUSES = {400, 404, 422}

_QUOTA_CODES = {
    "exceeded_current_quota_error",
    "insufficient_quota",
    "insufficient_balance",
    "billing_not_active",
    "billing_hard_limit_reached",
    "arrearage",
}
_QUOTA = re.compile(
    r"credit balance is too low|used all available credits|monthly spending limit"
    r"|key limit exceeded \((?:total|monthly|weekly|daily)|insufficient (?:account )?(?:balance|credits?|funds)"
)
"""Spent money, as text. "You exceeded your current quota" is not among them: Gemini says so of a limit per minute."""

_TOOL_CHOICE = re.compile(r"tool[_ ]?choice(?! requires)")
"""Amazon writes it without a separator. vLLM says that "tool choice requires" an option of the server."""

_AUTH_CODES = {"invalid_api_key", "authentication_error", "invalid_authentication_error", "permission_error"}
_FILTER_CODES = {"content_filter", "content_policy_violation", "data_inspection_failed"}


_DURATION = re.compile(r"(\d{1,9}(?:\.\d{1,9})?) ?(ms|h|m|s)")
_WAIT = re.compile(
    r"(?:try(?:ing)? again|retry(?:ing)?|wait)(?: again)? (?:in|after|for) (?:about )?"
    r"((?:\d{1,9}(?:\.\d{1,9})? ?(?:ms|hours?|h|minutes?|mins?|m|seconds?|secs?|s)(?![a-z]) ?){1,4})"
)
"""How OpenAI, Azure, Groq and Gemini ask to wait if they send no header."""

_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


class ModelError(Exception):
    """A model host returned no completion.

    The message is cleaned and capped, so it can be recorded. ``delay`` is the wait that the host asked for, ``said``
    its codes and its message in lower case, to search for known phrases.
    """

    def __init__(
        self,
        reason: ModelErrorReason,
        message: str,
        *,
        status: int | None = None,
        delay: timedelta | None = None,
        said: str = "",
    ) -> None:
        self.reason: ModelErrorReason = reason
        self.status = status
        self.delay = delay
        self.said = said
        text = excerpt(message, ERROR_BYTES)
        remedy = _REMEDIES.get(reason) or (_REMEDIES.get(status or 0) if reason == "refused" else None)
        super().__init__(f"{_sentence(text)} {remedy}" if remedy else text)

    @property
    def retryable(self) -> bool:
        """Whether the same request may succeed later."""
        return self.reason in RETRYABLE_REASONS


class PromptCut(ModelError):
    """A host reads only a part of the prompt and does not say so. It may be asked all the same."""

    def __init__(self, message: str) -> None:
        super().__init__("context_overflow", message)


def _sentence(text: str) -> str:
    text = text.rstrip()
    return text if text.endswith((".", "!", "?")) else f"{text}."


def error_from_response(status: int, headers: Mapping[str, str], body: bytes) -> ModelError:
    """Return the error for a response that is not a success. Header names may be in any case."""
    lower = {name.lower(): value for name, value in headers.items()}
    if 200 <= status < 300:
        return not_a_completion(body)
    if 300 <= status < 400:
        location = excerpt(lower.get("location", "nowhere"), 200)
        message = f"HTTP {status}: redirected to {location}. Redirects are not followed: set the base URL to it."
        return ModelError("refused", message, status=status)
    error = read_error_body(body)
    reason = _reason_from_body(error, status) or _reason_from_status(status, lower)
    said = error.searchable_text
    delay = _requested_delay(lower, said) if reason in RETRYABLE_REASONS else None
    return ModelError(reason, f"HTTP {status}: {error.message}", status=status, delay=delay, said=said)


def error_from_object(parsed: object) -> ModelError:
    """Return the error for an error object in an HTTP 200 response. It is retryable unless its codes say otherwise."""
    error = read_error_object(parsed)
    inner = error.status if error.status in {401, 402, 403, 404} else 503
    reason = _reason_from_body(error, error.status or 400) or _reason_from_status(inner, {})
    message = f"HTTP 200 with an error: {error.message or '(no message)'}"
    return ModelError(reason, message, status=error.status, said=error.searchable_text)


def _requested_delay(headers: Mapping[str, str], said: str) -> timedelta | None:
    """Return the delay of the headers, else the one that the error text asks for."""
    if (delay := retry_delay(headers, LONGEST_REQUESTED_DELAY)) is not None or (found := _WAIT.search(said)) is None:
        return delay
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(found[1]))
    return timedelta(seconds=min(seconds, LONGEST_REQUESTED_DELAY.total_seconds()))


def not_a_completion(body: bytes) -> ModelError:
    """Return the error for a successful response that is not a chat completion."""
    return ModelError("malformed", f"No chat completion but {describe_body(body)}. Is the base URL that of the API?")


def _reason_from_body(error: ErrorBody, status: int) -> ModelErrorReason | None:
    """Return the reason that the codes or the message name; they are more exact than the HTTP status."""
    if status in _OVERFLOW_STATUSES and _OVERFLOW.search(error.searchable_text):
        return "context_overflow"
    if "tool_use_failed" in error.codes:
        return "tool_use_failed"
    if error.codes & _FILTER_CODES:
        return "content_filter"
    if error.codes & _QUOTA_CODES:
        return "quota"
    if error.codes & _AUTH_CODES and status < 500:
        return "auth"
    if 400 <= status < 500 and _QUOTA.search(error.searchable_text):
        return "quota"
    if status in _TOOL_CHOICE_STATUSES and _TOOL_CHOICE.search(error.searchable_text):
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
