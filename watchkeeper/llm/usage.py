"""Tokens and cost of one completion, from the usage that the host reports."""

from __future__ import annotations

import math

from watchkeeper.config.sections import Prices
from watchkeeper.contracts import JsonObject, Usage

BYTES_PER_TOKEN = 4
"""A rule of thumb for English and code; used only if the host reports no usable count."""

_MOST_TOKENS = 100_000_000
"""Larger than any context window: a larger number is not a count."""


def completion_cost(usage: Usage, prices: Prices) -> float:
    """Return the cost of a completion, in US dollars."""
    cached_price = prices.input if prices.cached_input is None else prices.cached_input
    dollars = (
        (usage.prompt_tokens - usage.cached_tokens) * prices.input
        + usage.cached_tokens * cached_price
        + usage.completion_tokens * prices.output
    )
    return dollars / 1_000_000


def read_usage(reports: list[object], *, prompt_bytes: int, completion_bytes: int) -> Usage:
    """Return the tokens of one completion.

    ``reports`` are the usages that the host may have reported, the preferred one first: ``usage`` of the response and,
    at Moonshot, ``usage`` of the choice. A count that is missing, not a number, negative, too large, or zero although
    bytes were sent, is estimated from the bytes: a budget must not treat unknown as zero.
    """
    report = next((r for r in reports if isinstance(r, dict) and _has_count(r)), {})
    prompt = _count(report, "prompt_tokens") or 0
    completion = _count(report, "completion_tokens") or 0
    estimated = False
    if not prompt and prompt_bytes:
        prompt, estimated = math.ceil(prompt_bytes / BYTES_PER_TOKEN), True
    if not completion and completion_bytes:
        completion, estimated = math.ceil(completion_bytes / BYTES_PER_TOKEN), True
    counted = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "cached_tokens": min(_cached_tokens(report), prompt),
        "reasoning_tokens": min(
            _count(_nested(report, "completion_tokens_details"), "reasoning_tokens") or 0, completion
        ),
        "estimated": estimated,
    }
    return Usage.model_validate({name: value for name, value in counted.items() if value})


def _has_count(report: JsonObject) -> bool:
    return bool(_count(report, "prompt_tokens") or _count(report, "completion_tokens"))


def _cached_tokens(report: JsonObject) -> int:
    """Read the cached tokens; each host uses its own field: Moonshot, then OpenAI, then DeepSeek."""
    for count in (
        _count(report, "cached_tokens"),
        _count(_nested(report, "prompt_tokens_details"), "cached_tokens"),
        _count(report, "prompt_cache_hit_tokens"),
    ):
        if count is not None:
            return count
    return 0


def _nested(report: JsonObject, name: str) -> JsonObject:
    value = report.get(name)
    return value if isinstance(value, dict) else {}


def _count(report: JsonObject, name: str) -> int | None:
    """Read a count; None if the value cannot be one."""
    value = report.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if 0 <= value <= _MOST_TOKENS else None
