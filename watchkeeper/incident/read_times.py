"""The times that a run has read: clock times, dates and the durations between them (pure)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from watchkeeper.text import utc

_STAMP = re.compile(
    r"(\d{4})[-/](\d\d)[-/](\d\d)[t _](\d\d):(\d\d)(?::(\d\d))?(?:[.,]\d+)?\s?(z|utc|[+-]\d\d:?\d\d)?", re.IGNORECASE
)
_CLOCK = re.compile(r"(?<![\d:.])(\d{1,2}):([0-5]\d)(?::([0-5]\d))?(?![\d:])")
_AFTER_T = re.compile(r"\dt(\d\d):(\d\d)(?::(\d\d))?", re.IGNORECASE)
_DATE = re.compile(r"(?<!\d)(\d{4})-(\d\d)-(\d\d)(?!\d)")
_EPOCH = re.compile(r"(?<![\d.])(1[0-9]{9})(?:\d{3}|\d{6}|\d{9})?(?:\.\d+)?(?!\d)")

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
        for text in texts:
            self._read(text)

    def _read(self, text: str) -> None:
        moments: set[int] = set()
        for year, month, day, hour, minute, second, zone in set(_STAMP.findall(text)):
            local = int(hour) * 3_600 + int(minute) * 60 + int(second or 0)
            self.seconds.add(local % _DAY)
            if not 1 <= int(month) <= 12:
                continue
            moments.add(day_number(int(year), int(month), int(day)) * _DAY + local - _offset(zone))
        for hour, minute, second in {*_CLOCK.findall(text), *_AFTER_T.findall(text)}:
            if int(hour) < 24:
                self.seconds.add(int(hour) * 3_600 + int(minute) * 60 + int(second or 0))
        moments.update(int(epoch) for epoch in set(_EPOCH.findall(text)))
        self.dates.update((int(year), int(month), int(day)) for year, month, day in set(_DATE.findall(text)))
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
        clocks = sorted(set(named))[:100]
        between |= {later - earlier for at, earlier in enumerate(clocks) for later in clocks[at + 1 :]}
        return between


def _offset(zone: str) -> int:
    """Return the seconds that a zone is ahead of UTC."""
    if len(zone) < 5:
        return 0
    ahead = int(zone[1:3]) * 3_600 + int(zone[-2:]) * 60
    return -ahead if zone[0] == "-" else ahead
