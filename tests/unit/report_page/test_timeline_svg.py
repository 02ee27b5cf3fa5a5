"""The run as a picture."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from tests.support.report_page_data import RUNS, add_round, after, close, hostile, long_run, made, recorded
from watchkeeper.contracts import Alert
from watchkeeper.report_page.data import Account
from watchkeeper.report_page.timeline_lanes import lanes
from watchkeeper.report_page.timeline_layout import Bin, Place, placed
from watchkeeper.report_page.timeline_svg import LEFT, RIGHT, _axis, picture
from watchkeeper.run_view.entries import AlertsChanged, Approval, PersonAction

DEPLOYS = (
    '{"service":"checkout","deploys":[{"version":"v2","deployed_at":"2026-11-25T03:00:00Z","state":"success","by":"b"},'
    '{"version":"v1","deployed_at":"2026-11-24T03:00:00Z","state":"inactive"}],"note":""}'
)


def drawn(account: Account) -> ElementTree.Element:
    """The picture, which must be well-formed."""
    svg = picture(account)
    assert svg is not None
    return ElementTree.fromstring(f"<figure>{svg}</figure>")


def titles(account: Account) -> list[str]:
    return [title.text or "" for title in drawn(account).iter("title")]


def looks(account: Account) -> Counter[str]:
    return Counter(mark.look for lane in lanes(account) for mark in lane.marks)


def alert(status: str, at: float, **facts: object) -> AlertsChanged:
    told = {"source": "prod", "group": "g", "fingerprint": "f", "title": "Errors", "status": status}
    return AlertsChanged([Alert.model_validate({**told, "starts_at": after(at).timestamp(), **facts})], after(at))


@pytest.mark.parametrize("name", RUNS)
async def test_every_recorded_run_can_be_drawn_at_any_moment(name: str) -> None:
    whole = await recorded(name)
    assert len(titles(whole)) > len(whole.story.calls)
    for most in (1, 8, 20, 40):
        picture(await recorded(name, most=most))


def test_each_tool_has_a_lane_and_deploys_are_marked() -> None:
    account = made()
    add_round(account, 0, 1, ("get_deploys", "ok", 0.2), ("search_logs", "error", 0.3))
    account.story.calls["r1.0"].result = DEPLOYS
    close(account, 3)
    assert [lane.name for lane in lanes(account)] == ["deploys", "model", "get_deploys", "search_logs", "reports"]
    assert "checkout v2 by b: success" in titles(account)
    assert looks(account)["error"] == 1
    words = [text.text for text in drawn(account).iter("text")]
    assert "✗" in words
    assert "checkout v1" in words


def test_a_call_waits_for_a_person_before_it_runs() -> None:
    account = made()
    add_round(account, 0, 1, ("restart", "ok", 0.5))
    call = account.story.calls["r1.0"]
    call.approval, call.started_at, call.ended_at = Approval("approved", None, "bob"), after(61), after(61.5)
    account.story.actions.append(PersonAction("decide", after(61), "bob", call="r1.0", approved=True))
    close(account, 63)
    assert any("waited 1 min 00 s for a person" in title for title in titles(account))
    assert "bob approves r1.0" in titles(account)


def test_an_alert_that_fires_again_is_drawn_twice() -> None:
    account = made()
    for told in (alert("firing", -60), alert("resolved", -60, ends_at=after(-30).timestamp()), alert("firing", -10)):
        account.take(told)
    account.take(alert("firing", -10))
    account.complete()
    add_round(account, 0, 1)
    assert [(f.began, f.ended) for f in account.firings] == [
        (after(-60).timestamp(), after(-30).timestamp()),
        (after(-10).timestamp(), None),
    ]
    assert (looks(account)["resolved"], looks(account)["firing"]) == (1, 1)


def test_an_alert_that_ends_before_it_began_is_a_moment() -> None:
    account = made()
    account.take(alert("firing", -10))
    account.take(alert("resolved", -10, ends_at=after(-500).timestamp()))
    account.complete()
    add_round(account, 0, 1)
    assert "Errors: fired for 0 ms" in titles(account)


@pytest.mark.parametrize("account", [long_run(1, 1), long_run(25, 120), long_run(1_000, 21_600), hostile()])
def test_no_mark_hides_another_and_none_leaves_the_picture(account: Account) -> None:
    shown = lanes(account)
    axis = _axis(account, shown)
    for lane in shown:
        rows: dict[int, list[Place]] = {}
        for place in placed(lane, axis, RIGHT):
            if isinstance(place, Bin):
                assert LEFT - 10 <= place.x <= RIGHT
                continue
            assert place.left >= LEFT - 10 and place.right <= RIGHT + 10, place
            rows.setdefault(place.row, []).append(place)
        for row in rows.values():
            assert all(one.right <= other.left for one, other in pairwise(sorted(row, key=lambda p: p.left)))


def test_a_thousand_rounds_are_counted_not_drawn_one_by_one() -> None:
    account = long_run(1_000, 21_600)
    figure = drawn(account)
    assert len(list(figure.iter("rect"))) < 500
    assert "model × 1,000" in [text.text for text in figure.iter("text")]
    assert sum(" error" in title for title in titles(account)) == sum(
        call.status == "error" for call in account.story.calls.values()
    )


def test_a_run_that_has_not_begun_has_no_picture() -> None:
    assert picture(made()) is None
