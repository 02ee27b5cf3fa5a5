"""The time axis of the picture: even, but for stretches in which nothing happens."""

from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.report_page.time_axis import MOST_GAPS, scale

LEFT, RIGHT = 100.0, 1_000.0
DAY = 86_400.0
MOMENTS = st.lists(st.floats(1.7e9, 1.9e9, allow_nan=False), min_size=1, max_size=60)


def test_a_run_without_pauses_stands_on_an_even_axis() -> None:
    axis = scale([], [(0, 5), (5, 10)], LEFT, RIGHT)
    assert axis.gaps == []
    assert round(axis.place(5) - axis.place(0), 6) == round(axis.place(10) - axis.place(5), 6)
    assert [label for _, label in axis.ticks()][:2] == ["00:00:00", "00:00:01"]


def test_a_deploy_of_yesterday_leaves_the_room_to_the_run() -> None:
    axis = scale([0.0], [(DAY, DAY + 20)], LEFT, RIGHT)
    (gap,) = axis.gaps
    assert gap.end - gap.begin > DAY - 10
    assert axis.place(DAY + 20) - axis.place(DAY) > (RIGHT - LEFT) * 0.8
    assert [label[:7] for _, label in axis.ticks()][:2] == ["01 Jan ", "02 Jan "]


def test_a_pause_within_the_work_stays_as_long_as_it_was() -> None:
    axis = scale([], [(0, 10), (13, 20)], LEFT, RIGHT)
    assert axis.gaps == []


def test_a_second_and_six_hours_have_times_to_read() -> None:
    for seconds in (0.02, 1.0, 60.0, 21_600.0, 9 * DAY):
        ticks = list(scale([], [(1e9, 1e9 + seconds)], LEFT, RIGHT).ticks())
        assert 3 <= len(ticks) <= 13, seconds
        places = [place for place, _ in ticks]
        assert all(later - earlier > 40 for earlier, later in pairwise(places)), seconds


@given(MOMENTS, MOMENTS)
def test_what_is_later_stands_further_right_and_within_the_picture(moments: list[float], ends: list[float]) -> None:
    busy = [(min(pair), max(pair)) for pair in zip(moments, ends, strict=False)]
    axis = scale(moments, busy, LEFT, RIGHT)
    places = [axis.place(moment) for moment in sorted([*moments, *(end for _, end in busy)])]
    assert places == sorted(places)
    assert places[0] >= LEFT - 0.01 and places[-1] <= RIGHT + 0.01
    assert len(axis.gaps) <= MOST_GAPS
    assert all(gap.end <= begin or end <= gap.begin for gap in axis.gaps for begin, end in busy)
