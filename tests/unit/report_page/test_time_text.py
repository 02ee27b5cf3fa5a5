"""Times in reports: always UTC."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone

from watchkeeper.report_page.time_text import tick_label, time_in_column, timestamp

AT = datetime(2026, 11, 25, 1, 42, 7, 89_000, tzinfo=timezone(timedelta(hours=-2, minutes=-9)))


def test_times_of_any_zone_are_written_in_utc() -> None:
    assert timestamp(AT) == "2026-11-25 03:51:07 UTC"
    assert time_in_column(AT, with_date=True, with_milliseconds=True) == "2026-11-25 03:51:07.089"
    assert time_in_column(AT, with_date=False, with_milliseconds=False) == "03:51:07"
    assert tick_label(AT, 60, with_date=True) == "25 Nov 03:51"
