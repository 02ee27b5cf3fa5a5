"""The check of clock times and dates (pure)."""

from __future__ import annotations

import re
from bisect import bisect_left

from watchkeeper.incident.claim_spans import Check
from watchkeeper.incident.quantities import quantity
from watchkeeper.incident.vocabulary import time_words
from watchkeeper.incident.vocabulary.unit_words import FIGURE

_DAY_MINUTES = 1_440
_LINE = 200
_MOST_ZONES = 4
_NEAR = 40
"""Characters between a local time and the time in UTC that it repeats."""


def check_times(check: Check) -> list[int]:
    """Flag times and dates that were never read; return the supported clock times as seconds of the day."""
    supported: list[int] = []
    for found in time_words.DATE.finditer(check.text):
        month, day = _month_and_day(found)
        if not (1 <= month <= 12 and 1 <= day <= 31):
            continue
        check.take(*found.span())
        known = {(read[1], read[2]) for read in check.evidence.times.dates}
        if (month, day) in known or (found["d4"] and (day, month) in known) or not check.is_stated(found.start()):
            continue
        check.flag(*found.span(), "time", "no result has this date")
    check.hide()
    unread: list[re.Match[str]] = []
    read: list[re.Match[str]] = []
    for found in time_words.CLOCK.finditer(check.text):
        hour, minute = int(found["h"]), int(found["m"])
        if hour > 24:
            continue
        check.take(*found.span())
        second = _supported(check, found, hour % 24 * 3_600 + minute * 60 + int(found["s"] or 0))
        if second is not None:
            supported.append(second)
            read.append(found)
        elif check.is_stated(found.start()) and not time_words.PROJECTED.search(_line(check, found)):
            unread.append(found)
    starts = [found.start() for found in read]
    for unknown in unread:
        near = read[bisect_left(starts, unknown.start() - _NEAR) : bisect_left(starts, unknown.end() + _NEAR)]
        if not any(_is_same_moment(unknown, other) for other in near) and not _is_reckoned(check, unknown):
            end = unknown.end("s") if unknown["s"] else unknown.end("m")
            check.flag(unknown.start(), end, "time", "no result has this time")
    check.hide()
    return supported


def _line(check: Check, found: re.Match[str]) -> str:
    """Return the line of a time, or the part of it that is near."""
    plain = check.report.plain
    start = max(plain.rfind("\n", 0, found.start()) + 1, found.start() - _LINE)
    end = plain.find("\n", found.end(), found.end() + _LINE)
    return plain[start : end if end >= 0 else found.end() + _LINE]


def _is_reckoned(check: Check, unknown: re.Match[str]) -> bool:
    """Tell whether a clock time is a read one plus or minus a duration of the same line: 15 minutes before 08:30."""
    if unknown["s"]:
        return False
    plain = check.report.plain
    line = plain[plain.rfind("\n", 0, unknown.start()) + 1 : unknown.start()][-_LINE:]
    minute = int(unknown["h"]) % 24 * 60 + int(unknown["m"])
    for found in FIGURE.finditer(line):
        number = quantity(found)
        if number and number.dimension == "time" and 120 <= number.values[0] < 86_400:
            span = round(number.values[0] / 60)
            if {(minute + span) % _DAY_MINUTES, (minute - span) % _DAY_MINUTES} & check.evidence.times.minutes:
                return True
    return False


def _is_same_moment(local: re.Match[str], read: re.Match[str]) -> bool:
    """Tell whether a clock time may be another one in a local zone: 12:01 in Berlin is 11:01 UTC."""
    in_utc = [(found["zone"] or "").lower() in ("utc", "z", "gmt") for found in (local, read)]
    return in_utc[0] != in_utc[1] and local["m"] == read["m"] and local["h"] != read["h"]


def _month_and_day(found: re.Match[str]) -> tuple[int, int]:
    if found["y"]:
        return int(found["mo"]), int(found["d"])
    for name, day in (("n2", "d2"), ("n3", "d3")):
        if found[name]:
            return time_words.MONTHS[found[name].lower()], int(found[day])
    if found["d4"]:
        return int(found["mo4"]), int(found["d4"])
    return int(found["mo5"]), int(found["d5"])


def _supported(check: Check, found: re.Match[str], second: int) -> int | None:
    """Return the second of the day that supports a clock time."""
    times = check.evidence.times
    if found["half"] and found["h"] != "12":
        second += 43_200 if found["half"].lower().startswith("p") else 0
    elif found["half"] and found["half"].lower().startswith("a"):
        second -= 43_200
    candidates = [second % 86_400]
    if time_words.LOCAL.match(check.report.plain, found.end()):
        candidates += [(second + hours * 3_600) % 86_400 for hours in range(-12, 15)]
    line = _line(check, found)
    if not found["zone"] and time_words.LOCAL_LINE.search(line):
        candidates += [(second + hours * 3_600) % 86_400 for hours in range(-12, 15)]
    offset = time_words.ZONES.get((found["zone"] or "").lower(), 0) * 60
    if not found["zone"] and not found["offset"]:
        named = [*time_words.ZONE_NEAR.findall(line), *time_words.ZONE_OF_ALL.findall(check.report.plain)]
        zones = {time_words.ZONES.get(zone.lower(), 0) * 60 for zone in named[:_MOST_ZONES]}
        candidates += [(second - zone) % 86_400 for zone in zones]
    if found["offset"]:
        sign = -1 if "-" in found["offset"] else 1
        digits = re.sub(r"\D", "", found["offset"])
        offset = sign * (int(digits[:2]) * 3_600 + int(digits[2:]) * 60)
    if offset:
        candidates.append((second - offset) % 86_400)
    if not found["half"] and int(found["h"]) < 12 and len(found["h"]) == 1:
        candidates.append((second + 43_200) % 86_400)
    about = 5 if time_words.ABOUT.search(check.report.plain, max(0, found.start() - 20), found.start()) else 0
    for candidate in candidates:
        if found["s"] and not about:
            if times.seconds & {candidate, (candidate - 1) % 86_400, (candidate + 1) % 86_400}:
                return candidate
        elif any((candidate // 60 + near) % _DAY_MINUTES in times.minutes for near in range(-about, about + 1)):
            return candidate
    return None
