"""The times that a run has read: clock times, dates and the durations between them (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from watchkeeper.incident.vocabulary.time_words import ZONES
from watchkeeper.text import utc

_STAMP = re.compile(
    r"(\d(?<!\d.)\d{3})[-/](\d\d)[-/](\d\d)(?!\d)"
    r"(?:[t _](\d\d):(\d\d)(?::(\d\d))?(?:[.,]\d+)?\s?(z|utc|[+-]\d\d:?\d\d)?)?",
    re.IGNORECASE,
)
_CLOCK = re.compile(
    r"(\d(?<![\d:.].)\d?):([0-5]\d)(?::([0-5]\d))?(?![\d:])"
    rf"(?: ?({'|'.join(zone for zone in ZONES if len(zone) > 1)})\b)?",
    re.IGNORECASE,
)
_EPOCH = re.compile(r"(1(?<![\d.].)[0-9]{9})(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?(?!\d)")

MOST_FOR_DURATIONS = 24
"""With more times than this, only the first and the last of each text count for durations."""

_DAY = 86_400


def day_number(year: int, month: int, day: int) -> int:
    """Return the days since 1970-01-01."""
    year -= month <= 2
    era, of_era = divmod(year, 400)
    of_year = (153 * (month + (-3 if month > 2 else 9)) + 2) // 5 + day - 1
    return era * 146_097 + of_era * 365 + of_era // 4 - of_era // 100 + of_year - 719_468


class ReadTimes:
    """Times found in texts."""

    def __init__(self, texts: Iterable[str]) -> None:
        """Find all times. Each text may be long."""
        self.seconds: set[int] = set()
        """Seconds of the day, in UTC and as written."""
        self.dates: set[tuple[int, int, int]] = set()
        self.moments: set[int] = set()
        """Unix seconds."""
        self.anchors: set[int] = set()
        """The moments between which a report may count."""
        self.clocks: set[int] = set()
        """Clock times of texts that have few, as seconds of the day."""
        for text in texts:
            self._read(text)

    def _read(self, text: str) -> None:
        moments: set[int] = set()
        for year, month, day, hour, minute, second, zone in set(_STAMP.findall(text)):
            self.dates.add((int(year), int(month), int(day)))
            if not hour:
                continue
            local = int(hour) * 3_600 + int(minute) * 60 + int(second or 0)
            self.seconds.add(local % _DAY)
            if 1 <= int(month) <= 12:
                moments.add(day_number(int(year), int(month), int(day)) * _DAY + local - _offset(zone))
        clocks = set(_CLOCK.findall(text))
        if len(clocks) <= MOST_FOR_DURATIONS:
            self.clocks |= {int(h) * 3_600 + int(m) * 60 + int(s or 0) for h, m, s, _ in clocks if int(h) < 24}
        for hour, minute, second, zone in clocks:
            if int(hour) < 24:
                read = int(hour) * 3_600 + int(minute) * 60 + int(second or 0)
                self.seconds |= {read, (read - ZONES[zone.lower()] * 60) % _DAY} if zone else {read}
        moments.update(int(epoch) for epoch in set(_EPOCH.findall(text)))
        self.seconds.update(moment % _DAY for moment in moments)
        for days in {moment // _DAY for moment in moments}:
            year, month, day = (utc(days * _DAY) or "")[:10].split("-")
            self.dates.add((int(year), int(month), int(day)))
        self.moments |= moments
        if moments:
            self.anchors |= moments if len(moments) <= MOST_FOR_DURATIONS else {min(moments), max(moments)}

    @cached_property
    def minutes(self) -> set[int]:
        """Minutes of the day, rounded down and rounded."""
        return {second // 60 for second in self.seconds} | {(second + 30) // 60 % 1_440 for second in self.seconds}

    def durations(self, named: Iterable[int]) -> set[int]:
        """Return the seconds between any two anchors, or between a clock time that the report names and any moment."""
        anchors = sorted(self.anchors)[:200]
        between = {later - earlier for at, earlier in enumerate(anchors) for later in anchors[at + 1 :]}
        times = sorted(self.clocks)[:60]
        between |= {later - earlier for at, earlier in enumerate(times) for later in times[at + 1 :]}
        clocks = sorted(set(named))[:100]
        between |= {later - earlier for at, earlier in enumerate(clocks) for later in clocks[at + 1 :]}
        return between


def _offset(zone: str) -> int:
    """Return the seconds that a zone is ahead of UTC."""
    if len(zone) < 5:
        return 0
    ahead = int(zone[1:3]) * 3_600 + int(zone[-2:]) * 60
    return -ahead if zone[0] == "-" else ahead
