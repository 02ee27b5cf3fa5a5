"""The time axis of the timeline."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.report_page.time_axis import MAX_TICKS, TimeAxis

LEFT, RIGHT = 100.0, 1_000.0
BEGIN = datetime(2026, 11, 25, 3, 12, tzinfo=UTC)
SECONDS = st.floats(0.05, 1e9)


def axis(seconds: float, begin: datetime = BEGIN) -> TimeAxis:
    return TimeAxis(begin, begin + timedelta(seconds=seconds), LEFT, RIGHT)


def test_the_axis_is_linear() -> None:
    shown = axis(100)
    assert [shown.x(BEGIN + timedelta(seconds=second)) for second in (0, 25, 50, 100)] == [100, 325, 550, 1_000]


def test_times_outside_the_axis_are_at_its_ends() -> None:
    shown = axis(100)
    assert shown.x(BEGIN - timedelta(days=1)) == LEFT
    assert shown.x(BEGIN + timedelta(days=1)) == RIGHT


@pytest.mark.parametrize(
    ("seconds", "labels"),
    [
        (0.1, ["03:12:00.00", "03:12:00.01"]),
        (60, ["03:12:00", "03:12:10"]),
        (1_800, ["03:15", "03:20"]),
        (21_600, ["04:00", "05:00"]),
        (86_400, ["06:00", "09:00"]),
        (9 * 86_400, ["26 Nov", "27 Nov"]),
    ],
)
def test_labels_are_as_exact_as_the_ticks_need(seconds: float, labels: list[str]) -> None:
    assert [label for _, label in axis(seconds).ticks()][:2] == labels


def test_a_new_day_is_named_once() -> None:
    shown = axis(7_200, datetime(2026, 11, 25, 23, 10, tzinfo=UTC))
    assert shown.caption == "2026-11-25 UTC"
    assert [label for _, label in shown.ticks()][2:5] == ["23:45", "26 Nov 00:00", "00:15"]


def test_labels_are_utc_in_any_time_zone() -> None:
    local = BEGIN.astimezone(timezone(timedelta(hours=-9)))
    assert list(axis(600, local).ticks()) == list(axis(600).ticks())
    assert axis(600, local).caption == "2026-11-25 UTC"


@given(SECONDS, st.floats(0, 86_400))
def test_any_duration_has_ticks_that_do_not_touch(seconds: float, offset: float) -> None:
    ticks = list(axis(seconds, BEGIN + timedelta(seconds=offset)).ticks())
    assert 2 <= len(ticks) <= MAX_TICKS + 1
    assert all(later - earlier > 80 for (earlier, _), (later, _) in pairwise(ticks))
    assert all(LEFT <= x <= RIGHT for x, _ in ticks)
