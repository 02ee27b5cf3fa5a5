"""Parse the timestamps of vendors."""

from __future__ import annotations

import math
import re
from datetime import UTC, datetime, timedelta, timezone

PROBLEM = "should be a time: ISO 8601, RFC 2822, Unix time, or another common form with an unambiguous date"
MAX_CHARACTERS = 100
"""Longest text that is parsed as a time."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

# Unix time in seconds, milliseconds, microseconds and nanoseconds: (upper bound of the number, microseconds per unit).
_UNITS = ((1e11, 1e6), (1e14, 1e3), (1e17, 1.0), (1e20, 1e-3))

_MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]
_DAYS = re.compile(r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*\.?,?\s+", re.IGNORECASE)
_MONOTONIC = re.compile(r"\s+m=[+-][\d.]+$")
_DOT_NET = re.compile(r"/Date\((\d{1,19})(?:[+-]\d{4})?\)/")
_COMPACT = re.compile(r"(?:19|20)\d{6}(?:\d{4}(?:\d\d)?)?")
_COMPACT_FORMATS = {8: "%Y%m%d", 12: "%Y%m%d%H%M", 14: "%Y%m%d%H%M%S"}
_ZONE_NAME = re.compile(r"((?:Z|[+-]\d\d:?\d\d))\[[\w/+-]+\]$", re.ASCII)
"""The name of the zone that Java prints after the offset."""

# The names of zones that RFC 2822 defines; the others have several meanings.
_ZONES = {"z": 0, "ut": 0, "utc": 0, "gmt": 0, "est": -5, "edt": -4}
_ZONES |= {"cst": -6, "cdt": -5, "mst": -7, "mdt": -6, "pst": -8, "pdt": -7}

_CLOCK = re.compile(
    r"(?:^|[\sT:,]|(?<=\d)[-_])(?:at\s+)?(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[ap])\.?m\.?)?"
    rf"(?:\s*(?P<zone>{'|'.join(_ZONES)})\b)?"
    r"(?:\s*(?P<sign>[+-])(?:(?P<zone_hour>\d\d):?(?P<zone_minute>\d\d)?|(?P<zone_digit>\d)(?!\d))(?:\s+[a-z]{1,5}\b|\s+[+-]\d\d(?:\d\d)?)?)?"
    r"(?:\s*\((?P<remark>[^()]*)\))?(?=[\s,]|$)",
    re.IGNORECASE,
)
_YEAR_FIRST = re.compile(r"(?P<year>\d{4})(?P<mark>[-/.])(?P<month>\d{1,2})(?P=mark)(?P<day>\d{1,2})")
_DOTS = re.compile(r"(?P<day>\d{1,2})\.(?P<month>\d{1,2})\.(?P<year>\d{4})")
_TWO_NUMBERS = re.compile(r"(?P<one>\d{1,2})(?P<mark>[-/])(?P<other>\d{1,2})(?P=mark)(?P<year>\d{4})")
_DAY_NAME = re.compile(
    r"(?P<day>\d{1,2})(?:[a-z]{0,2}|\.)[\s/-](?P<name>[a-z]{3,9})\.?,?[\s/-](?P<year>\d{4}|\d\d)", re.IGNORECASE
)
_NAME_DAY = re.compile(r"(?P<name>[a-z]{3,9})\.?\s+(?P<day>\d{1,2})[a-z]{0,2},?\s+(?P<year>\d{4})", re.I)


def parse_timestamp(value: object) -> int | None:
    """Return a timestamp as Unix microseconds: a time in a common form, or Unix time in any unit.

    The forms: ISO 8601, RFC 2822, what Go, JavaScript and C print, and dates with slashes, dots or the name of a
    month; without a zone in UTC. Returns None for an absent or empty value and for times before 1970: Go's zero time
    means "not yet". Raises ValueError, also for a date that may be read in two ways, such as 03/04/2026.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(PROBLEM)
    try:
        return _from_number(value)
    except (ValueError, OverflowError):
        pass
    try:
        return _micros(_from_text(str(value)))
    except (ValueError, OverflowError):
        raise ValueError(PROBLEM) from None


def _from_number(value: str | float) -> int | None:
    number = float(value)
    if not math.isfinite(number) or _COMPACT.fullmatch(str(value).strip()):
        raise ValueError
    if number <= 0:
        return None
    for most, unit in _UNITS:
        if number < most:
            return round(number * unit) or None
    raise ValueError


def _from_text(text: str) -> datetime:
    text = _ZONE_NAME.sub(r"\1", _MONOTONIC.sub("", text.strip()))
    if len(text) > MAX_CHARACTERS:
        raise ValueError
    if _COMPACT.fullmatch(text):
        return datetime.strptime(text, _COMPACT_FORMATS[len(text)]).replace(tzinfo=UTC)
    if in_milliseconds := _DOT_NET.fullmatch(text):
        return _EPOCH + timedelta(milliseconds=int(in_milliseconds[1]))
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return _from_words(text)
    return parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)


def _from_words(text: str) -> datetime:
    """Parse a date and a time of day in any order, of which nothing else may remain."""
    clock = _CLOCK.search(text)
    year, month, day = _date(f"{text[: clock.start()]} {text[clock.end() :]}" if clock else text)
    if clock is None:
        return datetime(year, month, day, tzinfo=UTC)
    hour, half = int(clock["hour"]), (clock["half"] or "").lower()
    if half:
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + (12 if half == "p" else 0)
    micros = int((clock["fraction"] or "0").ljust(6, "0")[:6])
    return datetime(year, month, day, hour, int(clock["minute"]), int(clock["second"] or 0), micros, _zone(clock))


def _zone(clock: re.Match[str]) -> timezone:
    name = clock["zone"] or ("" if clock["sign"] else (clock["remark"] or "").strip()) or "utc"
    if name.lower() not in _ZONES:
        raise ValueError
    offset = timedelta(hours=_ZONES[name.lower()])
    if clock["sign"]:
        offset = timedelta(hours=int(clock["zone_hour"] or clock["zone_digit"]), minutes=int(clock["zone_minute"] or 0))
        offset = -offset if clock["sign"] == "-" else offset
    return timezone(offset)


def _full_year(year: str) -> int:
    """Return the year of two digits as RFC 2822 reads it. Beside the name of a month it cannot be a day."""
    return int(year) if len(year) == 4 else int(year) + (2000 if int(year) < 50 else 1900)


def _date(text: str) -> tuple[int, int, int]:
    text = _DAYS.sub("", " ".join(text.split())).strip(" ,")
    if found := _YEAR_FIRST.fullmatch(text) or _DOTS.fullmatch(text):
        return int(found["year"]), int(found["month"]), int(found["day"])
    if found := _DAY_NAME.fullmatch(text) or _NAME_DAY.fullmatch(text):
        return _full_year(found["year"]), _MONTHS.index(found["name"][:3].lower()) + 1, int(found["day"])
    if found := _TWO_NUMBERS.fullmatch(text):
        one, other = int(found["one"]), int(found["other"])
        if one == other or other > 12:
            return int(found["year"]), one, other
        if one > 12:
            return int(found["year"]), other, one
    raise ValueError


def _micros(parsed: datetime) -> int | None:
    since = (parsed - _EPOCH) // _MICROSECOND
    return since if since > 0 else None
