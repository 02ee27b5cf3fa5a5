"""The report as a note of PagerDuty incidents, once for each incident."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import Client

from tests.activities.conftest import PAGER, NotificationHarness, connected
from tests.support.harness import concludes, failure, look, run_harness
from tests.support.settings import build_settings
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import AlertOrigin, Evidence, LimitChanges, Report, ReportDelivery
from watchkeeper.demo.pagerduty_state import PagerDutyIncident
from watchkeeper.demo.world import World
from watchkeeper.testing.faults import delay, fault, lose_reply
from watchkeeper.testing.scripts import calls

REPORT = Report(summary="Checkout is fine.", body="All of it.")
DELIVERY = ReportDelivery(
    destination="pagerduty_note",
    run="run-1",
    workflow_id="incident-1",
    status="concluded",
    report=REPORT,
    service="checkout",
)
ALERTS = AlertOrigin(source="prod", kind="alertmanager", group="g")
NOTE = "Checkout is fine.\n\nAll of it.\n\nwatchkeeper run=run-1 part=report"


def changed(**members: object) -> ReportDelivery:
    return DELIVERY.model_copy(update=members)


def opened(world: World, team: str, key: str = "") -> PagerDutyIncident:
    """Open an incident as a page of the run does."""
    world.pages.accept(
        {
            "routing_key": world.routing_keys[team],
            "event_action": "trigger",
            "dedup_key": key or f"run-1/page_engineer/{team}",
            "payload": {"summary": "Orders fail.", "source": "s", "severity": "critical"},
        }
    )
    return world.pages.incidents[-1]


def of(incident: PagerDutyIncident) -> AlertOrigin:
    return AlertOrigin(source="pd", kind="pagerduty", group=incident.id, team="checkout")


async def test_the_incidents_of_the_alert_and_of_the_page_get_one_note_each(notifications: NotificationHarness) -> None:
    alerted, paged = opened(notifications.world, "payments", "theirs"), opened(notifications.world, "checkout")
    for attempt in (1, 2):
        await notifications.deliver(changed(origin=of(alerted)), "pagerduty_note", attempt=attempt)
    assert alerted.notes == paged.notes == [NOTE]
    await notifications.deliver(changed(origin=of(alerted), follow_up=1), "pagerduty_note")
    assert [note.splitlines()[-1] for note in alerted.notes] == [
        "watchkeeper run=run-1 part=report",
        "watchkeeper run=run-1 part=follow-up-1",
    ]


async def test_the_incident_of_a_page_by_the_model_gets_a_note(notifications: NotificationHarness) -> None:
    paged = opened(notifications.world, "search")
    other = opened(notifications.world, "payments", "run-2/page_engineer/payments")
    evidence = [
        Evidence(call="r1.0", tool="page_engineer", arguments='{"team":"search","summary":"?"}', finding=""),
        Evidence(call="r1.1", tool="page_engineer", arguments="not JSON", finding=""),
        Evidence(call="r1.2", tool="page_engineer", arguments="[]", finding=""),
    ]
    await notifications.deliver(changed(report=REPORT.model_copy(update={"evidence": evidence})), "pagerduty_note")
    assert (paged.notes, other.notes) == ([NOTE], [])


async def test_a_note_whose_answer_was_lost_is_found(notifications: NotificationHarness) -> None:
    paged = opened(notifications.world, "checkout")
    notifications.world.pagerduty_api.faults.extend([delay(0), delay(0), lose_reply()])
    error = await notifications.undelivered(DELIVERY, "pagerduty_note")
    assert (error.type, error.non_retryable) == ("ReportUndelivered", False)
    await notifications.deliver(DELIVERY, "pagerduty_note", attempt=2)
    assert paged.notes == [NOTE]


@pytest.mark.parametrize(("status", "kind"), [(503, "ReportUndelivered"), (404, "ReportRefused")])
async def test_an_incident_that_refuses_its_note_does_not_block_the_others(
    notifications: NotificationHarness, status: int, kind: str
) -> None:
    alerted, paged = opened(notifications.world, "payments", "theirs"), opened(notifications.world, "checkout")
    notifications.world.pagerduty_api.faults.extend([delay(0), fault(status)])
    error = await notifications.undelivered(changed(origin=of(alerted)), "pagerduty_note")
    assert (error.type, alerted.notes, paged.notes) == (kind, [], [NOTE])


async def test_a_failed_lookup_does_not_block_the_note_of_the_alert(notifications: NotificationHarness) -> None:
    alerted = opened(notifications.world, "payments", "theirs")
    notifications.world.pagerduty_api.faults.append(fault(500))
    assert (await notifications.undelivered(changed(origin=of(alerted)), "pagerduty_note")).type == "ReportUndelivered"
    assert alerted.notes == [NOTE]


async def test_without_an_incident_there_is_nothing_to_do(notifications: NotificationHarness) -> None:
    await notifications.deliver(changed(service=None), "pagerduty_note")
    await notifications.deliver(DELIVERY, "pagerduty_note")
    assert {request.method for request in notifications.world.pagerduty_api.requests} == {"GET"}


async def test_a_note_waits_for_the_incident_of_a_hand_off(notifications: NotificationHarness) -> None:
    handed = changed(status="failed")
    assert "does not have the incident" in (await notifications.undelivered(handed, "pagerduty_note")).message
    await notifications.deliver(handed, "pagerduty_note", attempt=6)
    paged = opened(notifications.world, "checkout")
    await notifications.deliver(handed, "pagerduty_note", attempt=2)
    assert paged.notes == [NOTE]


@pytest.mark.parametrize("lacking", ["api_token", "from_email"])
async def test_without_configuration_no_request_is_sent(notifications: NotificationHarness, lacking: str) -> None:
    pagerduty: dict[str, Any] = dict(connected(notifications.world)["pagerduty"])
    del pagerduty[lacking]
    notifications.set(pagerduty=pagerduty)
    await notifications.deliver(changed(status="failed"), "pagerduty_note")
    assert notifications.world.pagerduty_api.requests == []


async def test_a_wrong_token_is_reported_and_not_shown(notifications: NotificationHarness) -> None:
    opened(notifications.world, "checkout")
    pagerduty = {**connected(notifications.world)["pagerduty"], "api_token": "a-wrong-token"}
    notifications.set(pagerduty=pagerduty)
    notifications.world.pagerduty_api.faults.append(fault(401, "no access with a-wrong-token"))
    error = await notifications.undelivered(DELIVERY, "pagerduty_note")
    assert (error.type, "answered 401" in error.message) == ("ReportRefused", True)
    assert "a-wrong-token" not in error.message


async def test_a_run_that_pages_and_hands_off_leaves_a_note(client: Client, world: World) -> None:
    tools = {**PAGER, "look": look}
    looked = calls(("look", {"service": "checkout"}))
    async with run_harness(client, [looked], tools=tools, **connected(world)) as harness:
        run = await harness.start(service="checkout", limits=LimitChanges(tokens=1), origin=ALERTS)
        _, _, hand_off = await failure(run)
        first = run.first_execution_run_id
    (incident,) = world.pages.incidents
    (note,) = incident.notes
    assert hand_off.undelivered == []
    assert note.startswith("checkout: no conclusion, stopped after")
    assert note.endswith(f"\n\nwatchkeeper run={first} part=report")


async def test_a_destination_that_is_down_delays_no_other(client: Client, world: World) -> None:
    incident = opened(world, "payments", "theirs")
    world.slack.outage = fault(404)
    origin = of(incident)
    async with run_harness(
        client, concludes(), tools={**PAGER, "look": look}, episodes={"follow_up": 0}, **connected(world)
    ) as harness:
        result = await (await harness.start(service="checkout", origin=origin)).result()
    (undelivered,) = result.undelivered
    assert undelivered.startswith("slack: Slack answered chat.postMessage with status 404 ")
    assert [note.splitlines()[0] for note in incident.notes] == ["Fine."]
    # The report is only in the note, so people are paged as if no destination had accepted it.
    assert [page.team for page in world.pages.incidents] == ["payments", "checkout"]


def test_each_destination_depends_on_the_expected_services() -> None:
    settings = build_settings(
        slack={"token": "xoxb-1", "channel": "C0"},
        teams={"shop": {"slack_channel": "C1"}},
        services={"checkout": {"team": "shop"}},
    )
    assert settings.channel(None, None) == "C0"
    assert settings.channel(None, "checkout") == "C1"
    assert settings.channel(AlertOrigin(source="s", kind="k", group="g", team="other"), "checkout") == "C0"
    assert settings.model_copy(update={"slack": Settings().slack}).channel(None, "checkout") is None
