"""The signals about a group fit in Temporal, and a run that receives them knows which alerts fire."""

from __future__ import annotations

import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.alert_requests import posted, source
from tests.support.large_group import large_group
from watchkeeper.alerts.alert_selection import MAX_ALERTS
from watchkeeper.alerts.source import ParsedPayload
from watchkeeper.contracts import Alert, AlertNotification
from watchkeeper.incident.episode import Episode
from watchkeeper.runs.group_payloads import MAX_DETAILED, group_payloads
from watchkeeper.runs.notifications import notifications
from watchkeeper.temporal.client import DATA_CONVERTER

SIGNAL_BYTES = 1_000_000
SOURCE = source("alertmanager", labels={"env": ["prod"]})


def signals(payload: ParsedPayload) -> list[AlertNotification]:
    (group,) = group_payloads(payload, SOURCE.section)
    return notifications(group, "alertmanager", 10.0)


def sent(notification: AlertNotification) -> tuple[AlertNotification, int]:
    """Return a notification as a run receives it, and its size."""
    payloads = DATA_CONVERTER.payload_converter.to_payloads([notification])
    (received,) = DATA_CONVERTER.payload_converter.from_payloads(payloads, [AlertNotification])
    return received, len(payloads[0].data)


def alert(number: int, status: str = "firing", length: int = 16, **facts: object) -> Alert:
    fields = {"source": "s", "group": "g" * length, "fingerprint": f"{number:0{length}}", "status": status}
    times = {"episode": "1" * length, "starts_at": 1.5, "title": "é" * length}
    return Alert.model_validate({**fields, **times, "labels": {"env": "prod", "a": "x" * 80}, **facts})


@pytest.mark.parametrize("count", [1, MAX_DETAILED, MAX_DETAILED + 1, 2_000, MAX_ALERTS])
@pytest.mark.parametrize("length", [16, 200])
def test_each_signal_fits_and_the_run_knows_what_fires(count: int, length: int) -> None:
    alerts = [alert(number, "resolved" if number % 3 == 1 else "firing", length) for number in range(count)]
    episode = Episode()
    received = [sent(notification) for notification in signals(ParsedPayload(alerts, unlisted={alerts[0].group: 0}))]
    for number, (notification, size) in enumerate(received):
        assert size < SIGNAL_BYTES
        assert notification.alerts
        assert (notification.unlisted == 0) == (number == 0)
        episode.apply(notification)
        assert episode.firing > 0 and episode.recovered_at is None
    assert (episode.firing, len(episode.states)) == (len([one for one in alerts if one.status == "firing"]), count)


@given(
    before=st.lists(st.booleans(), min_size=1, max_size=60),
    after=st.lists(st.booleans(), min_size=1, max_size=60),
    first=st.integers(0, 40),
)
@settings(deadline=None)
def test_a_large_group_is_known_as_a_small_one_is(before: list[bool], after: list[bool], first: int) -> None:
    """Whether alerts are sent with details, compactly or in single requests makes no difference."""
    bodies = [
        [
            alert(number, "firing" if fires else "resolved", ends_at=None if fires else 5.0)
            for number, fires in enumerate(before)
        ],
        [
            alert(first + number, "firing" if fires else "resolved", ends_at=None if fires else 6.0)
            for number, fires in enumerate(after)
        ],
    ]
    together, single = Episode(), Episode()
    for body in bodies:
        for notification in signals(ParsedPayload(body)):
            together.apply(sent(notification)[0])
        for one in body:
            single.apply(AlertNotification(alerts=[one], at=10.0))
    assert {(state.fingerprint, state.status, state.ends_at) for state in together.states} == {
        (state.fingerprint, state.status, state.ends_at) for state in single.states
    }


def test_the_worst_alerts_have_their_details() -> None:
    alerts = [alert(number, severity="warning") for number in range(99)] + [alert(99, severity="critical")]
    (notification,) = signals(ParsedPayload(alerts))
    assert len(notification.alerts) == MAX_DETAILED
    assert notification.alerts[0].severity == "critical"
    assert all(one.labels["a"] for one in notification.alerts)
    assert notification.titles == ["é" * 16]
    assert notification.notes == [
        f"one notification held 100 alerts of the group, 100 of them firing; the worst {MAX_DETAILED} have details"
    ]


def test_two_thousand_alerts_of_kube_prometheus_are_compact() -> None:
    payload = SOURCE.parse(posted(large_group(2_000), time.time()))
    (notification,) = signals(payload)
    _, size = sent(notification)
    assert size < 320_000
    assert (notification.unlisted, len(notification.more)) == (0, 2_000 - MAX_DETAILED)
    assert notification.silence is not None
