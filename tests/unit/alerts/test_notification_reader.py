"""The argument of the signal ``alert``: read if it is one, within bounds, and never an error."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.malformed_signals import ALERT, hostile_alerts
from watchkeeper.alerts.notification_reader import ALERT_BYTES, YEAR, read_notification
from watchkeeper.contracts import AlertNotification
from watchkeeper.incident import alert_text, status_text
from watchkeeper.incident.episode import MAX_ALERT_BYTES, Episode
from watchkeeper.incident.status_text import StatusFacts

NOW = 1_790_000_000.0
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20) | st.binary(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=12,
)
TEXT = st.text(max_size=300)
TIME = st.none() | st.floats()
ROW = st.tuples(
    TEXT,
    st.sampled_from(["firing", "resolved"]),
    st.integers(-2, 3),
    st.none() | TEXT,
    TIME,
    TIME,
    st.none() | TEXT,
)
NOTIFICATION = st.fixed_dictionaries(
    {
        "alerts": st.lists(
            st.fixed_dictionaries(
                {name: TEXT for name in ("source", "group", "fingerprint", "title")}
                | {"status": st.sampled_from(["firing", "resolved"])},
                optional={"starts_at": TIME, "ends_at": TIME, "severity": TEXT, "episode": TEXT, "service": TEXT},
            ),
            max_size=4,
        ),
        "at": st.floats(),
    },
    optional={
        "notes": st.lists(TEXT, max_size=3),
        "silence": TEXT,
        "more": st.lists(ROW, max_size=4),
        "titles": st.lists(TEXT, max_size=2),
        "tracked": st.integers(1, 20_000),
        "unlisted": st.integers(0, 3),
    },
)


def follow(notification: AlertNotification) -> Episode:
    """Do with a notification what a run and its views do."""
    episode = Episode()
    episode.apply(notification)
    alert_text.for_model(episode.unread, "Alerts.", notification.notes)
    status_text.current_details(StatusFacts("run", "open", alerts=episode.states))
    if (recovered := episode.recovered_at) is not None:
        assert 0 <= recovered <= NOW + YEAR
    return episode


@given(JSON | st.fixed_dictionaries({"alerts": JSON, "at": JSON}))
def test_any_value_is_read_or_ignored(value: Any) -> None:
    notification = read_notification(value, NOW)
    assert notification is None or follow(notification)


@given(NOTIFICATION)
def test_any_notification_is_followed_within_bounds(value: dict[str, Any]) -> None:
    notification = read_notification(value, NOW)
    assert notification is not None
    episode = follow(notification)
    assert read_notification(notification, NOW) is notification, "within bounds, it is not changed again"
    assert json.loads(json.dumps([state.model_dump() for state in episode.states], allow_nan=False)) is not None


@pytest.mark.parametrize("name", hostile_alerts())
def test_a_hostile_alert_is_bounded(name: str) -> None:
    notification = read_notification(hostile_alerts()[name], NOW)
    assert notification is not None
    episode = follow(notification)
    assert all(len(alert.model_dump_json()) < 4 * ALERT_BYTES for alert in notification.alerts)
    assert all(len(state.model_dump_json()) < MAX_ALERT_BYTES for state in episode.states)
    assert len("".join(notification.notes)) < 300_000


def test_an_alert_as_the_intake_sends_it_is_not_changed() -> None:
    alert = {**ALERT, "starts_at": NOW - 60, "severity": "critical", "labels": {"a": "b"}, "description": "x\n\ny"}
    value = AlertNotification.model_validate({"alerts": [alert], "at": NOW, "notes": ["2 left out"]})
    assert read_notification(value.model_dump(exclude_unset=True), NOW) == value
    assert read_notification(value, NOW) is value
