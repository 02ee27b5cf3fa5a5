from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.alert_requests import assert_fit, only, payload, posted, read, refused, source, verify
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.payload import MalformedPayload
from watchkeeper.incident.firing_order import ends_firing, is_repeat

SECRET = "lDQHScfUeXUKaQRNF+8XIiDKZ7XX3itBAYzwU0TARw8lJqRnkKl2iB1anSb0Z+IK"
GOOD = "v1=0c0b9495b893a39e70d1fea2fe11fbe0a825f88b9f67846f6cc07dd2bc5476cd"
BAD = "v1=7020c8a7ec668a9b7012bc3dd82e483394b038f4230acc6785efbf2a7d8bcaf5"
SIGNED = payload("pagerduty-priority-updated")


def event(name: str = "pagerduty-triggered", data: dict[str, Any] | None = None, **members: Any) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(payload(name))["event"]
    return {"event": {**sent, **members, "data": {**sent["data"], **(data or {})}}}


async def test_the_sample_signature_of_the_vendor() -> None:
    pagerduty = source("pagerduty", secrets=["rotated", SECRET])
    for shown in (GOOD, f"{BAD},{GOOD}", f"{BAD}, {GOOD}"):
        await verify(pagerduty, posted(SIGNED, x_pagerduty_signature=shown))
    for shown in ("", BAD, GOOD[3:], f"v2={GOOD[3:]}", GOOD[:-1]):
        await refused(pagerduty, posted(SIGNED, x_pagerduty_signature=shown))
    await refused(pagerduty, posted(SIGNED[:-1], x_pagerduty_signature=GOOD))
    await refused(pagerduty, posted(SIGNED, x_pagerduty_signature=",".join([BAD] * 50 + [GOOD])))
    await refused(pagerduty, posted(SIGNED))


def test_an_incident_is_an_alert() -> None:
    alert = only(read(source("pagerduty"), payload("pagerduty-triggered")))
    assert_fit(alert)
    assert (alert.group, alert.fingerprint, alert.status) == ("Q1B2C3D4", "Q1B2C3D4", "firing")
    assert alert.title == "Checkout fails 16 % of requests"
    assert (alert.severity, alert.service, alert.team) == ("error", "Checkout", "Payments")
    assert alert.links["incident"] == "https://acme.pagerduty.com/incidents/Q1B2C3D4"


@pytest.mark.parametrize(
    ("key", "joined"),
    [("d3640fbd41094207a1c11e58e46b1662", True), ("k" * 255, True), ("k" * 256, False), ("", False), (None, False)],
)
def test_pages_join_the_incident_by_its_key(key: str | None, joined: bool) -> None:
    parsed = read(source("pagerduty"), event(data={"incident_key": key}))
    assert parsed.opened_keys == ({"Q1B2C3D4": key} if joined else {})


def test_the_worse_of_urgency_and_priority_is_used() -> None:
    assert only(read(source("pagerduty"), SIGNED)).severity == "critical"
    for urgency, priority, severity in [("low", "P1", "critical"), ("high", "P4", "error"), ("low", None, "warning")]:
        data = {"urgency": urgency, "priority": {"summary": priority} if priority else None}
        assert only(read(source("pagerduty"), event(data=data))).severity == severity


def test_later_events_belong_to_the_firing_until_it_is_reopened() -> None:
    pagerduty = source("pagerduty")
    fired = only(read(pagerduty, payload("pagerduty-triggered")))
    over = only(read(pagerduty, payload("pagerduty-resolved")))
    again = only(read(pagerduty, event(event_type="incident.reopened", occurred_at="2026-11-22T12:00:00Z")))
    worse = only(read(pagerduty, event(event_type="incident.priority_updated")))
    assert over.status == "resolved"
    assert ends_firing(over, fired)
    assert is_repeat(worse, fired) and is_repeat(worse, again)
    assert not is_repeat(again, fired)
    over_again = only(read(pagerduty, event("pagerduty-resolved", occurred_at="2026-11-22T12:10:00Z")))
    assert ends_firing(over_again, again)
    assert len({workflow_id(alert) for alert in (fired, over, again, worse)}) == 1


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (json.loads(payload("pagerduty-annotated")), "it does not change whether the incident is open"),
        (event(event_type="incident.acknowledged"), "it does not change whether the incident is open"),
        (event(event_type="incident.from.the.future"), "it does not change whether the incident is open"),
        (event(event_type="service.updated"), "it is not about an incident"),
        (event(event_type="pagey.ping"), "a test"),
        (event(event_type="incident.escalated", data={"status": "acknowledged"}), "people have the incident already"),
        (event(agent={"id": "POWN", "type": "user_reference"}), "Watchkeeper did it itself"),
        (event(client={"name": "Watchkeeper"}), "Watchkeeper did it itself"),
        (
            event(data={"incident_key": "0b1f8c9e-6f0a-4d3b-9a51-1c7a3f0f2f11/page_engineer/payments"}),
            "the incident is a page of Watchkeeper's own",
        ),
    ],
)
def test_other_events_are_ignored_with_a_reason(sent: dict[str, Any], reason: str) -> None:
    parsed = read(source("pagerduty", own_agents=["POWN"]), sent)
    assert parsed.alerts == []
    (ignored,) = parsed.ignored
    assert ignored.startswith(reason)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, "event: Field required"),
        ({"event": {}}, "event.event_type: Field required"),
        ({"event": {"event_type": "incident.triggered"}}, "in event.data: the body: Input should be"),
        ({"event": {"event_type": "incident.triggered", "data": {}}}, "event.data.id: is missing"),
        (event(data={"teams": 7}), "in event.data: teams: Input should be a valid list, not 7"),
    ],
)
def test_the_error_says_where_a_body_is_malformed(sent: dict[str, Any], expected: str) -> None:
    with pytest.raises(MalformedPayload) as caught:
        read(source("pagerduty"), sent)
    assert expected in str(caught.value)
