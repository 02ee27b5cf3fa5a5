"""The timeline picture."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from tests.support.report_page_data import (
    RUNS,
    add_round,
    after,
    conclude,
    hostile_run,
    long_run,
    new_run,
    recorded_run,
)
from watchkeeper.contracts import Alert, CallStatus
from watchkeeper.report_page.html_report import html_report
from watchkeeper.report_page.report_data import AlertFiring, ReportData
from watchkeeper.report_page.timeline_lanes import timeline_lanes
from watchkeeper.report_page.timeline_layout import (
    LEFT,
    MAX_MARKS,
    RIGHT,
    DrawnMark,
    TimelineLayout,
    timeline_layout,
)
from watchkeeper.run_view.entries import AlertsChanged, Approval, PersonAction

DEPLOYS = (
    '{"service":"checkout","deploys":[{"version":"v2","deployed_at":"2026-11-25T03:11:59Z","state":"success","by":"b"},'
    '{"version":"v1","deployed_at":"2026-11-24T03:00:00Z","state":"inactive"}],"note":""}'
)


def svg_of(data: ReportData) -> str:
    page = html_report(data, None)
    return page[page.index('<svg class="timeline"') : page.index("</svg>") + len("</svg>")]


def parsed_svg(data: ReportData) -> ElementTree.Element:
    return ElementTree.fromstring(svg_of(data))


def titles(data: ReportData) -> list[str]:
    return [title.text or "" for title in parsed_svg(data).iter("title")]


def texts(data: ReportData) -> list[str]:
    return [text.text or "" for text in parsed_svg(data).iter("text")]


def styles(data: ReportData) -> Counter[str]:
    return Counter(mark.style for lane in timeline_lanes(data) for mark in lane.marks)


def layout_of(data: ReportData) -> TimelineLayout:
    layout = timeline_layout(data)
    assert layout is not None
    return layout


def alerts(status: str, at: float, **fields: object) -> AlertsChanged:
    alert = {"source": "prod", "group": "g", "fingerprint": "f", "title": "Errors", "status": status}
    return AlertsChanged([Alert.model_validate({**alert, "starts_at": after(at).timestamp(), **fields})], after(at))


@pytest.mark.parametrize("name", RUNS)
async def test_each_recorded_run_can_be_drawn_at_any_time(name: str) -> None:
    run = await recorded_run(name)
    assert len(titles(run)) > len(run.run.calls)
    for max_events in (1, 8, 20, 40):
        timeline_layout(await recorded_run(name, max_events=max_events))


def test_each_tool_has_a_lane_and_deploys_are_marked() -> None:
    data = new_run()
    add_round(data, 0, 1, ("get_deploys", "ok", 0.2), ("search_logs", "error", 0.3))
    data.run.calls["r1.0"].result = DEPLOYS
    conclude(data, 3)
    lanes = ["deploys", "model", "get_deploys", "search_logs", "reports"]
    assert [lane.name for lane in timeline_lanes(data)] == lanes
    assert "checkout v2 by b: success" in titles(data)
    assert styles(data)["error"] == 1
    assert "✗" in texts(data)
    assert "checkout v2" in texts(data)


def test_a_call_waits_for_approval_before_it_runs() -> None:
    data = new_run()
    add_round(data, 0, 1, ("restart", "ok", 0.5))
    call = data.run.calls["r1.0"]
    call.approval, call.started_at, call.ended_at = Approval("approved", None, "bob"), after(61), after(61.5)
    data.run.actions.append(PersonAction("decide", after(61), "bob", call="r1.0", approved=True))
    conclude(data, 63)
    assert any("waited 1 min 00 s for a person" in title for title in titles(data))
    assert "bob approves r1.0" in titles(data)


def test_an_alert_that_fires_again_is_drawn_twice() -> None:
    data = new_run()
    changes = [alerts("firing", -60), alerts("resolved", -60, ends_at=after(-30).timestamp()), alerts("firing", -10)]
    for change in [*changes, changes[-1]]:
        data.take(change)
    data.complete()
    add_round(data, 0, 1)
    firings = [(firing.begin, firing.end) for firing in data.firings]
    assert firings == [(after(-60), after(-30)), (after(-10), None)]
    assert (styles(data)["resolved"], styles(data)["firing"]) == (1, 1)


def test_an_alert_that_ends_before_it_begins_is_a_moment() -> None:
    data = new_run()
    data.take(alerts("firing", -10))
    data.take(alerts("resolved", -10, ends_at=after(-500).timestamp()))
    data.complete()
    add_round(data, 0, 1)
    assert "Errors: fired for 0 ms" in titles(data)


@pytest.mark.parametrize("data", [long_run(1, 1), long_run(25, 120), long_run(1_000, 21_600), hostile_run()])
def test_no_mark_covers_another_and_all_are_inside_the_picture(data: ReportData) -> None:
    for lane in layout_of(data).lanes:
        rows: dict[float, list[DrawnMark]] = {}
        for mark in lane.marks:
            assert min(mark.x, mark.left or mark.x) >= LEFT - 10 and mark.x + mark.width <= RIGHT + 10, mark
            assert mark.right <= RIGHT + 10, mark
            rows.setdefault(mark.y, []).append(mark)
        for row in rows.values() if "×" not in lane.name else ():
            assert all(one.right <= other.left for one, other in pairwise(sorted(row, key=lambda mark: mark.left)))


def test_the_picture_of_a_large_run_is_small() -> None:
    sizes = {rounds: len(svg_of(long_run(rounds, 21_600))) for rounds in (MAX_MARKS, 1_000, 2_000)}
    assert sizes[1_000] < 30_000 and sizes[2_000] < 30_000
    assert max(sizes.values()) < 200_000
    many_tools = new_run("Checkout fails.")
    calls: list[tuple[str, CallStatus, float]] = [(f"tool_{number}", "error", 30) for number in range(30)]
    for number in range(MAX_MARKS):
        add_round(many_tools, number * 60, 20, *calls)
    for call in many_tools.run.calls.values():
        call.arguments = "漢字" * 500
    assert len(svg_of(conclude(many_tools, 6_000))) < 600_000
    data = long_run(1_000, 21_600)
    assert "model × 1,000" in texts(data)
    errors = sum(call.status == "error" for call in data.run.calls.values())
    assert f"call failed: {errors} events in this lane" in titles(data)


def test_many_events_at_once_make_the_picture_no_higher() -> None:
    data = new_run()
    calls: list[tuple[str, CallStatus, float]] = [("search_logs", "ok", 1.0)] * 40
    add_round(data, 0, 5, *calls)
    (lane,) = (lane for lane in layout_of(conclude(data, 9)).lanes if lane.name.startswith("search_logs"))
    assert lane.name == "search_logs × 40"
    assert [mark.title for mark in lane.marks] == ["call, ok: 40 events in this lane"]
    assert lane.height < 40


def test_an_old_deploy_and_a_late_resolve_leave_room_for_the_investigation() -> None:
    data = new_run()
    data.firings.append(AlertFiring("f", "Errors", None, after(-20), after(86_400)))
    add_round(data, 0, 20, ("get_deploys", "ok", 5))
    data.run.calls["r1.0"].result = DEPLOYS
    add_round(data, 30, 10)
    conclude(data, 86_400)
    data.reported_at = after(40)
    layout = layout_of(data)
    assert layout.axis.end - layout.axis.begin < timedelta(seconds=120)
    assert "◂ checkout v1" in texts(data)
    assert "Errors ▸" in texts(data)
    assert "◂ ▸ began before or ended after the time shown" in html_report(data, None)


def test_events_soon_after_the_report_are_inside_the_picture() -> None:
    data = new_run()
    add_round(data, 0, 20)
    data.run.actions.append(PersonAction("tell", after(70), "bob", "Thanks."))
    conclude(data, 20)
    assert layout_of(data).axis.end > after(70)
    assert not layout_of(data).is_cut


def test_a_run_without_events_has_no_picture() -> None:
    assert timeline_layout(new_run()) is None
