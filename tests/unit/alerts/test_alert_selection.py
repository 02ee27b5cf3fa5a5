"""Of a large body the alerts that fire and are worst are kept, and at least one of each group."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from watchkeeper.alerts.alert_selection import AlertSelection, worst_first
from watchkeeper.alerts.payload import PayloadTooLarge
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.contracts import Alert

SECTION = SourceSection.model_validate(
    {"kind": "generic", "unauthenticated": True, "labels": {"env": ["prod"]}, "split_by": ["cluster"]}
)
STATUSES = st.sampled_from(["firing", "resolved"])
SEVERITIES = st.sampled_from(["critical", "error", "warning", "info", None, "odd"])


def alert(number: int, group: str = "g", status: str = "firing", **facts: object) -> Alert:
    fields = {"source": "s", "group": group, "fingerprint": f"{number}", "status": status, "title": f"{number}"}
    labels = {"env": "prod"}
    return Alert.model_validate({**fields, "labels": labels, **{k: v for k, v in facts.items() if v is not None}})


def selected(alerts: list[Alert], limit: int) -> tuple[list[Alert], AlertSelection]:
    selection = AlertSelection(SECTION, limit)
    for one in alerts:
        selection.add(one)
    return selection.finish(), selection


@given(
    st.lists(
        st.builds(alert, st.integers(0, 30), st.sampled_from("abc"), STATUSES, severity=SEVERITIES, episode=st.none()),
        max_size=60,
    ),
    st.integers(3, 40),
)
def test_what_is_kept_is_a_bounded_part_of_the_body_in_its_order(alerts: list[Alert], limit: int) -> None:
    kept, selection = selected(alerts, limit)
    assert len(kept) == min(len(alerts), limit)
    positions = iter(alerts)
    assert all(one in positions for one in kept)
    assert {one.group for one in kept} == {one.group for one in alerts}
    left_out = Counter(one.group for one in alerts) - Counter(one.group for one in kept)
    assert +selection.left_out == left_out
    firing = Counter(one.group for one in alerts if one.status == "firing")
    firing -= Counter(one.group for one in kept if one.status == "firing")
    assert +selection.left_out_firing == firing


@given(st.permutations(range(12)))
def test_a_firing_critical_alert_is_kept_wherever_it_is(order: list[int]) -> None:
    alerts = [alert(number, status="resolved") for number in range(9)]
    alerts += [
        alert(9, severity="critical"),
        alert(10, severity="warning"),
        alert(11, severity="critical", labels={"env": "test"}),
    ]
    kept, _ = selected([alerts[number] for number in order], 1)
    assert [one.fingerprint for one in kept] == ["9"]


def test_no_group_of_a_split_is_lost() -> None:
    alerts = [alert(n, labels={"env": "prod", "cluster": "a"}, severity="critical") for n in range(9)]
    alerts.append(alert(10, labels={"env": "prod", "cluster": "b"}, status="resolved"))
    kept, _ = selected(alerts, 3)
    assert [one.labels["cluster"] for one in kept] == ["a", "a", "b"]


def test_a_body_of_too_many_groups_is_too_large() -> None:
    with pytest.raises(PayloadTooLarge, match="more than 3 groups of alerts"):
        selected([alert(n, group=f"{n}") for n in range(4)], 3)


def test_what_is_reported_of_one_alert_stays_together_and_in_order() -> None:
    alerts = [alert(1, status="resolved"), alert(2, severity="critical"), alert(1, severity="warning")]
    assert [(one.fingerprint, one.status) for one in worst_first(alerts, SECTION)] == [
        ("2", "firing"),
        ("1", "resolved"),
        ("1", "firing"),
    ]
