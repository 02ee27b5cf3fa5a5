"""Parse the timestamps of vendors."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Unix time in seconds, milliseconds, microseconds and nanoseconds: (upper bound of the number, microseconds per unit).
_UNITS = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (1e20, 1e-3))


def parse_timestamp(value: object) -> int | None:
    """Return a timestamp as Unix microseconds: ISO 8601 (UTC if it has no zone), or Unix time in any unit.

    Returns None for an absent or empty value and for times before 1970: Go's zero time means "not yet". Raises
    ValueError.
    """
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError("should be a time in ISO 8601 or Unix seconds")
    try:
        return _from_number(float(value))
    except (ValueError, OverflowError):
        pass
    try:
        return _from_text(str(value))
    except (ValueError, OverflowError):
        raise ValueError("should be a time in ISO 8601 or Unix seconds") from None


def _from_number(number: float) -> int | None:
    if not math.isfinite(number):
        raise ValueError
    if number <= 0:
        return None
    for most, unit in _UNITS:
        if number < most:
            return round(number * unit) or None
    raise ValueError


def _from_text(text: str) -> int | None:
    parsed = datetime.fromisoformat(text.strip())
    aware = parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    since = (aware - _EPOCH) // _MICROSECOND
    return since if since > 0 else None
