"""Decide which HTTP responses are retried, and after which delay. Every HTTP client of the product uses it."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from datetime import UTC, timedelta
from email.utils import parsedate_to_datetime

MAX_RETRY_DELAY = timedelta(minutes=10)
"""Longest delay of tools and destinations. Hosts may ask for more, but a page cannot wait longer."""


def retryable(status: int, headers: Mapping[str, str] | None = None) -> bool:
    """Return whether the same request may succeed later.

    The header ``x-should-retry`` overrides the status, as in OpenAI's clients.
    """
    match (headers or {}).get("x-should-retry"):
        case "true":
            return True
        case "false":
            return False
        case _:
            return status in {408, 409, 425, 429} or status >= 500


def retry_delay(headers: Mapping[str, str], longest: timedelta = MAX_RETRY_DELAY) -> timedelta | None:
    """Return the delay that a host asks for: ``retry-after-ms``, else Retry-After in seconds or as an HTTP date.

    At most ``longest``. None if it is absent, malformed, negative or infinite.
    """
    if (seconds := _number(headers.get("retry-after-ms"))) is not None:
        seconds /= 1000
    elif (seconds := _number(headers.get("retry-after"))) is None:
        seconds = _seconds_until(headers.get("retry-after"))
    if seconds is None or seconds < 0:
        return None
    return timedelta(seconds=min(seconds, longest.total_seconds()))


def _number(text: str | None) -> float | None:
    try:
        number = float(text or "")
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _seconds_until(http_date: str | None) -> float | None:
    try:
        when = parsedate_to_datetime(http_date or "")
    except (ValueError, OverflowError):
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    return max(0.0, when.timestamp() - time.time())
