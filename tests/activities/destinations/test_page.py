"""The page of a run that did not conclude: to whom it goes, and what it says."""

from __future__ import annotations

from typing import Any

import pytest

from tests.activities.conftest import NotificationHarness, connected
from watchkeeper.contracts import AlertOrigin, Incident, Report, ReportDelivery
from watchkeeper.testing.faults import drop_connection, fault

INCIDENT = Incident(
    title="HighErrorRate: checkout fails",
    service="checkout",
    severity="warning",
    links={"runbook": "https://wiki.example/checkout"},
    measured=["look: error_rate 0.182"],
)
DELIVERY = ReportDelivery(
    destination="page",
    run="run-1",
    workflow_id="alert-prod-abc",
    status="limit_reached",
    report=Report(summary="checkout: no conclusion, stopped after 1 round", body="All of it."),
    reason="stopped after 1 round",
    service="checkout",
    severity="warning",
    origin=AlertOrigin(source="prod", kind="alertmanager", group="g"),
    incident=INCIDENT,
)
REFUSED = fault(400, {"status": "invalid event", "message": "Event object is invalid", "errors": ["no"]})


def changed(**members: Any) -> ReportDelivery:
    return DELIVERY.model_copy(update=members)


async def test_the_page_begins_with_what_code_knows(notifications: NotificationHarness) -> None:
    notifications.set(reports={"run_url": "https://ui.example/{run}"})
    await notifications.deliver(DELIVERY, "page")
    (sent,) = notifications.world.pages.events
    assert (sent.team, sent.severity, sent.dedup_key) == ("checkout", "warning", "run-1/page_engineer/checkout")
    assert sent.summary == (
        "HighErrorRate: checkout fails · checkout · warning · no conclusion: stopped after 1 round · "
        "measured: look: error_rate 0.182"
    )
    assert sent.event["links"] == [
        {"href": "https://ui.example/alert-prod-abc", "text": "Run"},
        {"href": "https://wiki.example/checkout", "text": "Runbook"},
    ]
    details = sent.event["payload"]["custom_details"]
    assert details["show"] == "watchkeeper show alert-prod-abc"
    assert (details["status"], details["reason"]) == ("limit_reached", "no conclusion: stopped after 1 round")


async def test_a_conclusion_that_reached_no_one_is_marked_as_the_models(notifications: NotificationHarness) -> None:
    report = Report(summary="It was the deploy.", body="x")
    await notifications.deliver(changed(status="concluded", report=report, last_resort=True), "page")
    (sent,) = notifications.world.pages.events
    assert sent.summary is not None
    assert "the report reached no one" in sent.summary
    assert sent.summary.endswith(" · the model: It was the deploy.")


@pytest.mark.parametrize(
    ("severity", "sent"),
    [("critical", "critical"), ("error", "error"), ("warning", "warning"), ("info", "info"), ("odd", "error")],
)
@pytest.mark.parametrize("briefed", [True, False])
async def test_the_severity_follows_the_alert(
    notifications: NotificationHarness, severity: str, sent: str, briefed: bool
) -> None:
    incident = INCIDENT.model_copy(update={"severity": severity}) if briefed else None
    await notifications.deliver(changed(severity=severity, incident=incident), "page")
    assert [event.severity for event in notifications.world.pages.events] == [sent]


async def test_a_run_without_a_severity_does_not_page_as_critical(notifications: NotificationHarness) -> None:
    await notifications.deliver(changed(severity=None, incident=None), "page")
    (sent,) = notifications.world.pages.events
    assert (sent.severity, sent.summary) == ("error", "checkout: no conclusion, stopped after 1 round · checkout")


async def test_the_fallback_team_is_paged_if_the_page_of_the_owner_is_refused(
    notifications: NotificationHarness,
) -> None:
    notifications.set(reports={"team": "search"})
    notifications.world.pagerduty_events.faults.append(REFUSED)
    await notifications.deliver(DELIVERY, "page")
    (sent,) = notifications.world.pages.events
    assert (sent.team, sent.dedup_key) == ("search", "run-1/page_engineer/search")
    assert sent.event["payload"]["custom_details"]["not_paged"].startswith("team checkout: POST ")


async def test_the_alert_team_the_owner_and_the_fallback_are_tried_in_this_order(
    notifications: NotificationHarness,
) -> None:
    keys = notifications.world.routing_keys
    pagerduty = {**connected(notifications.world)["pagerduty"], "routing_key": keys["search"]}
    notifications.set(reports={"team": "search"}, pagerduty=pagerduty)
    notifications.world.pagerduty_events.faults.extend([REFUSED, REFUSED, REFUSED])
    assert DELIVERY.origin is not None
    origin = DELIVERY.origin.model_copy(update={"team": "payments"})
    await notifications.deliver(changed(origin=origin), "page")
    tried = [request.json()["routing_key"] for request in notifications.world.pagerduty_events.requests]
    assert tried == [keys["payments"], keys["checkout"], keys["search"], keys["search"]]


async def test_if_every_page_is_refused_the_error_names_each_team(notifications: NotificationHarness) -> None:
    notifications.set(reports={"team": "search"})
    notifications.world.pagerduty_events.faults.extend([REFUSED, REFUSED])
    error = await notifications.undelivered(DELIVERY, "page")
    assert error.type == "ReportRefused"
    assert "no one was paged: team checkout: " in error.message
    assert "; team search: " in error.message


async def test_an_outage_is_retried_and_pages_no_one_else(notifications: NotificationHarness) -> None:
    notifications.set(reports={"team": "search"})
    notifications.world.pagerduty_events.faults.append(drop_connection())
    error = await notifications.undelivered(DELIVERY, "page")
    assert error.type == "ReportUndelivered"
    await notifications.deliver(DELIVERY, "page", attempt=2)
    assert [event.team for event in notifications.world.pages.events] == ["checkout"]


@pytest.mark.parametrize("is_open", [True, False])
async def test_the_page_joins_the_incident_of_the_alerting_system_if_it_is_open(
    notifications: NotificationHarness, is_open: bool
) -> None:
    pages = notifications.world.pages
    pages.accept(
        {
            "routing_key": notifications.world.routing_keys["checkout"],
            "event_action": "trigger",
            "dedup_key": "their-key",
            "payload": {"summary": "x", "source": "prometheus", "severity": "critical"},
        }
    )
    if not is_open:
        pages.incidents[0].status = "resolved"
    await notifications.deliver(changed(incident=INCIDENT.model_copy(update={"opened_key": "their-key"})), "page")
    own = "run-1/page_engineer/checkout"
    assert [incident.key for incident in pages.incidents] == (["their-key"] if is_open else ["their-key", own])
