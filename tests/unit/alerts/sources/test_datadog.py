from __future__ import annotations

import json

import pytest

from tests.support.alert_requests import assert_fit, changed, only, payload, posted, read, refused, source, verify
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.payload import MalformedPayload
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.contracts import Alert
from watchkeeper.incident.firing_order import ends_firing, is_repeat

TRIGGERED = "datadog-triggered"


def transition(word: str, **members: object) -> Alert:
    return only(read(source("datadog"), changed(TRIGGERED, alert_transition=word, **members)))


def test_a_triggered_monitor() -> None:
    alert = only(read(source("datadog"), payload(TRIGGERED)))
    assert_fit(alert)
    assert alert.status == "firing"
    assert alert.title == "[P2] [Triggered on {service:checkout}] Error rate"
    assert (alert.severity, alert.service, alert.team) == ("error", "checkout", "payments")
    assert alert.labels["env"] == "prod"
    assert alert.labels["scope"] == "service:checkout,env:prod"
    assert alert.starts_at == 1795345829
    assert "host" not in alert.labels
    assert set(alert.links) == {"event"}


def test_reminders_repeat_the_firing_and_recovery_ends_it() -> None:
    fired = transition("Triggered")
    reminder = transition("Re-Triggered", date="1795349429000")
    over = transition("Recovered", date="1795349500000", alert_type="success")
    assert is_repeat(reminder, fired)
    assert over.status == "resolved"
    assert ends_firing(over, fired)
    assert not is_repeat(transition("Triggered", alert_cycle_key="2"), fired)
    assert is_repeat(transition("Triggered", alert_cycle_key="$ALERT_CYCLE_KEY", date="1795349429000"), fired)


def test_each_scope_of_a_monitor_is_a_run() -> None:
    ids = {workflow_id(transition("Triggered", scopes=scope)) for scope in ("host:a", "host:b", "$ALERT_SCOPE")}
    assert len(ids) == 3
    assert workflow_id(transition("Recovered")) == workflow_id(transition("Triggered", alert_cycle_key="2"))


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("Triggered", None),
        ("Re-Triggered", None),
        ("Recovered", "it is resolved"),
        *((word, "it is resolved") for word in ("Warn Recovered", "No Data Recovered", "Manually Resolved", "OK")),
        ("Warn", "its severity starts no run"),
        ("Re-Warn", "its severity starts no run"),
        ("No Data", "it says that data is missing"),
        ("Re-No Data", "it says that data is missing"),
        ("Renotify", "it is a reminder"),
    ],
)
def test_which_transitions_start_a_run(word: str, reason: str | None) -> None:
    datadog = source("datadog")
    assert reason_not_to_start(transition(word), datadog.section) == reason
    everything = source("datadog", also=["no_data", "renotify", "test"], severities=["warning", "error"]).section
    assert reason_not_to_start(transition(word), everything) == (reason if reason == "it is resolved" else None)


def test_a_test_of_a_monitor() -> None:
    assert transition("Triggered", alert_title="[TEST] [P2] Error rate").occasion == "test"


def test_variables_that_were_not_replaced_are_empty() -> None:
    template = json.loads(payload("datadog-template"))
    for body in (template, {**template, "environment": "prod"}):
        assert read(source("datadog"), body).ignored == ["a test: no variable is set"]
    alert = transition("Triggered", alert_priority="$ALERT_PRIORITY", tags="$TAGS", body="$EVENT_MSG", date="$DATE")
    assert (alert.severity, alert.description, alert.starts_at) == ("error", "", None)
    assert "$" not in alert.model_dump_json()


def test_a_custom_template_can_use_other_names() -> None:
    own = {"ALERT_ID": 7, "ALERT_TRANSITION": "Warn", "EVENT_TITLE": "x", "TAGS": ["team:web", "service:shop", 3]}
    alert = only(read(source("datadog"), own))
    assert (alert.group, alert.severity, alert.team, alert.service) == (alert.fingerprint, "warning", "web", "shop")


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (changed(TRIGGERED, monitor_id=None, alert_cycle_key=None), 'put "monitor_id": "$ALERT_ID" into the payload'),
        (changed(TRIGGERED, alert_transition="$ALERT_TRANSITION", alert_type=""), '"$ALERT_TRANSITION" into the'),
        (b"id=1&title=x", "the body is not JSON"),
        ({"name": "$ALERT_TITLE", "state": "$ALERT_TRANSITION"}, 'no key that is known; expected "monitor_id"'),
        ({"name": "Errors", "state": "Triggered"}, "found: 'name', 'state'"),
        ({}, "found: none"),
        ({"title": "$EVENT_TITLE"}, 'put "monitor_id": "$ALERT_ID" into the payload'),
        ({"alertTitle": "Errors", "snapshot": "$SNAPSHOT"}, 'put "monitor_id": "$ALERT_ID" into the payload'),
    ],
)
def test_the_error_says_how_to_correct_the_template(sent: object, expected: str) -> None:
    with pytest.raises(MalformedPayload) as caught:
        read(source("datadog"), sent)
    assert expected in str(caught.value)


async def test_a_custom_header() -> None:
    datadog = source("datadog", tokens=["t"], token_header="X-Token")
    await verify(datadog, posted(payload(TRIGGERED), x_token="t"))
    await refused(datadog, posted(payload(TRIGGERED)))


def test_any_member_may_be_of_any_type() -> None:
    sent = json.loads(payload(TRIGGERED))
    for name in sent:
        odds: list[object] = [None, 1, 1e999, True, [], {}, {"a": [1]}, "\ud800"]
        for odd in odds:
            try:
                parsed = read(source("datadog"), {**sent, name: odd})
            except MalformedPayload:
                assert name in {"monitor_id", "alert_transition"}
            else:
                for alert in parsed.alerts:
                    assert_fit(alert)
