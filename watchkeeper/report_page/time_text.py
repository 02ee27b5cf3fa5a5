"""Times as the report writes them: always in UTC, on any machine (pure)."""

from __future__ import annotations

from datetime import UTC, datetime


def timestamp(at: datetime) -> str:
    """Write a date and a time: ``2026-11-25 03:12:00 UTC``."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def time_in_column(at: datetime, *, with_date: bool, with_milliseconds: bool) -> str:
    """Write a time for a column whose heading is ``UTC``."""
    at = at.astimezone(UTC)
    date = f"{at:%Y-%m-%d} " if with_date else ""
    return f"{date}{at:%H:%M:%S}" + (f".{at.microsecond // 1_000:03}" if with_milliseconds else "")


def tick_label(at: datetime, step: float, *, with_date: bool) -> str:
    """Write a time under an axis that names UTC, as exactly as ticks ``step`` seconds apart need."""
    at = at.astimezone(UTC)
    if step >= 86_400:
        return f"{at:%d %b}"
    date = f"{at:%d %b} " if with_date else ""
    if step >= 60:
        return f"{date}{at:%H:%M}"
    return f"{date}{at:%H:%M:%S}" + (f".{at.microsecond // 10_000:02}" if step < 1 else "")
