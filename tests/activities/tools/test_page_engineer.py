from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from pydantic import SecretStr

from activities.tools import page_engineer
from tests.activities.tools.conftest import TOOLS, ToolHarness
from watchkeeper.contracts import Incident, JsonObject
from watchkeeper.demo.world import World
from watchkeeper.testing.faults import drop_connection, fault, hang, lose_reply
from watchkeeper.tool import ToolUnavailable

INCIDENT = Incident(
    title="HighErrorRate: checkout fails",
    service="checkout",
    severity="warning",
    links={
        "runbook": "https://wiki.example/checkout",
        "panel": "file:///etc/passwd",
        "silence": "https://am.example/#/silences/new",
    },
    measured=["get_service_health: error_rate 0.182"],
)


def open_incident(world: World) -> None:
    """Open an incident as the alerting system does."""
    world.pages.accept(
        {
            "routing_key": world.routing_keys["checkout"],
            "event_action": "trigger",
            "dedup_key": "their-key",
            "payload": {"summary": "[FIRING:1] HighErrorRate", "source": "prometheus", "severity": "critical"},
        }
    )


PAGE: JsonObject = {"service": "checkout", "summary": "18.2% of orders fail since 13:42, after v2.4.1"}


async def test_the_seed_incident(harness: ToolHarness) -> None:
    page = await harness.ok("page_engineer", **PAGE)
    assert page == {
        "team": "checkout",
        "status": "triggered",
        "incident": "INC-4827",
        "dedup_key": "run-1/page_engineer/checkout",
        "url": "https://acme.pagerduty.com/incidents/Q0004827",
    }
    (delivery,) = harness.world.pages.events
    assert (delivery.team, delivery.summary, delivery.severity) == ("checkout", PAGE["summary"], "critical")
    assert delivery.event["client"] == "Watchkeeper"
    assert delivery.event["payload"]["source"] == "watchkeeper"
    details = {"run": "run-1", "show": "watchkeeper show run-1", "call": "r1.0"}
    assert delivery.event["payload"]["custom_details"] == details


async def test_a_page_begins_with_what_code_knows(harness: ToolHarness) -> None:
    harness.incident, harness.workflow_id = INCIDENT, "alert-prod-abc"
    harness.set(reports={"run_url": "https://ui.example/runs/{run}/{run_id}"})
    await harness.ok("page_engineer", service="checkout", summary="Probably the deploy.", severity="critical")
    (sent,) = harness.world.pages.events
    assert sent.summary == (
        "HighErrorRate: checkout fails · checkout · warning · measured: get_service_health: error_rate 0.182 · "
        "the model: Probably the deploy."
    )
    assert sent.severity == "warning"
    assert sent.event["client_url"] == "https://ui.example/runs/alert-prod-abc/run-1"
    assert sent.event["links"] == [
        {"href": "https://ui.example/runs/alert-prod-abc/run-1", "text": "Run"},
        {"href": "https://wiki.example/checkout", "text": "Runbook"},
        {"href": "https://am.example/#/silences/new", "text": "Silence"},
    ]
    details = sent.event["payload"]["custom_details"]
    assert details["show"] == "watchkeeper show alert-prod-abc"
    assert details["model_says"] == "Probably the deploy."


@pytest.mark.parametrize("severity", ["critical", "error", "warning", "info", "urgent", 3, None])
async def test_a_call_of_the_earlier_version_still_pages_its_team(harness: ToolHarness, severity: object) -> None:
    page = await harness.ok("page_engineer", team="payments", summary="x", severity=severity)
    assert (page["team"], page["dedup_key"]) == ("payments", "run-1/page_engineer/payments")
    known = severity if severity in ("error", "warning", "info") else "critical"
    assert [event.severity for event in harness.world.pages.events] == [known]


async def test_code_finds_the_team_even_if_the_model_names_another(harness: ToolHarness) -> None:
    harness.set_service("search", team="payments")
    page = await harness.ok("page_engineer", service="search", team="checkout", summary="x")
    assert page["team"] == "payments"


# --- an incident that the alerting system has opened --------------------------------------------------------------


async def test_a_page_joins_the_open_incident(harness: ToolHarness) -> None:
    open_incident(harness.world)
    harness.incident = INCIDENT.model_copy(update={"opened_key": "their-key"})
    page = await harness.ok("page_engineer", **PAGE)
    assert (page["dedup_key"], page["incident"]) == ("their-key", "INC-4827")
    assert page["note"] == "The alerting system had opened this incident before; the page was added to it."
    assert [incident.alerts for incident in harness.world.pages.incidents] == [2]


@pytest.mark.parametrize("state", ["none", "resolved", "no answer", "no token", "refused"])
async def test_a_page_wakes_a_person_itself_unless_the_incident_is_known_to_be_open(
    harness: ToolHarness, state: str
) -> None:
    if state != "none":
        open_incident(harness.world)
    if state == "resolved":
        harness.world.pages.incidents[0].status = "resolved"
    if state == "no answer":
        harness.world.pagerduty_api.fail_next(503, "busy")
    if state == "refused":
        harness.world.pagerduty_api.fail_next(403, "no")
    if state == "no token":
        harness.set(pagerduty={"api_token": None})
    harness.incident = INCIDENT.model_copy(update={"opened_key": "their-key"})
    page = await harness.ok("page_engineer", **PAGE)
    assert page["dedup_key"] == "run-1/page_engineer/checkout"
    assert harness.world.pages.incidents[-1].key == "run-1/page_engineer/checkout"


async def test_an_incident_that_surely_exists_is_joined_without_a_token(harness: ToolHarness) -> None:
    open_incident(harness.world)
    harness.set(pagerduty={"api_token": None})
    harness.incident = INCIDENT.model_copy(update={"opened_key": "their-key", "surely_opened": True})
    await harness.ok("page_engineer", **PAGE)
    assert [incident.alerts for incident in harness.world.pages.incidents] == [2]


# --- one page for a run and a team --------------------------------------------------------------------------------


async def test_repeated_pages_of_a_run_to_a_team_page_once(harness: ToolHarness) -> None:
    for number in range(8):
        page = await harness.ok("page_engineer", service="checkout", summary=f"page {number}")
        assert page["incident"] == "INC-4827"
    (incident,) = harness.world.pages.incidents
    assert incident.alerts == 8


async def test_another_team_and_another_run_are_other_pages(harness: ToolHarness) -> None:
    first = await harness.ok("page_engineer", **PAGE)
    second = await harness.ok("page_engineer", service="payments", summary="x")
    third = await harness.ok("page_engineer", run_id="run-2", **PAGE)
    assert [page["incident"] for page in (first, second, third)] == ["INC-4827", "INC-4828", "INC-4829"]


async def test_a_lost_response_is_retried_with_the_same_key(harness: ToolHarness) -> None:
    harness.world.pagerduty_events.faults.append(lose_reply())
    with pytest.raises(ToolUnavailable):
        await harness.call("page_engineer", attempt=1, **PAGE)
    assert (await harness.call("page_engineer", attempt=2, **PAGE)).status == "ok"
    assert [incident.alerts for incident in harness.world.pages.incidents] == [2]


@pytest.mark.parametrize("status", [429, 500, 503])
async def test_an_outage_is_retryable(harness: ToolHarness, status: int) -> None:
    harness.world.pagerduty_events.fail_next(status, "busy", {"retry-after": "3"})
    with pytest.raises(ToolUnavailable, match="busy") as caught:
        await harness.call("page_engineer", **PAGE)
    assert caught.value.delay == timedelta(seconds=3)


async def test_the_tool_waits_for_the_incident(harness: ToolHarness) -> None:
    harness.world.pages.rest_delay = 0.3
    assert (await harness.ok("page_engineer", **PAGE))["incident"] == "INC-4827"
    assert len(harness.world.pagerduty_api.requests) >= 2
    request = harness.world.pagerduty_api.requests[0]
    assert dict(request.query) == {"incident_key": "run-1/page_engineer/checkout", "date_range": "all"}
    assert request.headers["accept"] == "application/vnd.pagerduty+json;version=2"


async def test_a_lookup_without_a_result_does_not_fail_the_page(harness: ToolHarness) -> None:
    harness.world.pages.rest_delay = 3600
    page = await harness.ok("page_engineer", **PAGE)
    assert "incident" not in page
    assert page["note"] == "The page is sent, but PagerDuty has not created its incident yet."
    assert len(harness.world.pages.incidents) == 1


async def test_a_refused_lookup_does_not_fail_the_page(harness: ToolHarness) -> None:
    harness.set(pagerduty={"api_token": SecretStr("another token")})
    page = await harness.ok("page_engineer", **PAGE)
    assert "could not be looked up" in page["note"]
    assert "401" in page["note"]
    assert len(harness.world.pagerduty_api.requests) == 1


async def test_a_failed_lookup_is_tried_again(harness: ToolHarness) -> None:
    harness.world.pagerduty_api.faults.extend([drop_connection(), fault(500, "oops")])
    assert (await harness.ok("page_engineer", **PAGE))["incident"] == "INC-4827"


async def test_a_lookup_that_hangs_does_not_fail_the_page(
    harness: ToolHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(page_engineer, "LOOK_UP", timedelta(seconds=0.2))
    harness.world.pagerduty_api.outage = hang(30)
    began = time.monotonic()
    assert "note" in await harness.ok("page_engineer", **PAGE)
    assert time.monotonic() - began < 3


@pytest.mark.parametrize("body", ["<html>", {"incidents": None}, {"incidents": [{"number": "x"}]}])
async def test_a_malformed_lookup_response_does_not_fail_the_page(harness: ToolHarness, body: str) -> None:
    harness.world.pagerduty_api.outage = fault(200, body)
    assert "could not be looked up" in (await harness.ok("page_engineer", **PAGE))["note"]


async def test_without_a_token_nothing_is_looked_up(harness: ToolHarness) -> None:
    harness.set(pagerduty={"api_token": None})
    assert "incident number is not known" in (await harness.ok("page_engineer", **PAGE))["note"]
    assert harness.world.pagerduty_api.requests == []


async def test_the_routing_key_for_all_teams(harness: ToolHarness) -> None:
    harness.settings = harness.settings.model_copy(update={"teams": {}})
    harness.set(pagerduty={"routing_key": SecretStr(harness.world.routing_keys["search"])})
    await harness.ok("page_engineer", **PAGE)
    assert [delivery.team for delivery in harness.world.pages.events] == ["search"]


async def test_a_missing_routing_key_names_the_team_and_the_remedy(harness: ToolHarness) -> None:
    harness.settings = harness.settings.model_copy(update={"teams": {}})
    error = await harness.error("page_engineer", **PAGE)
    assert error.startswith("no one was paged: team 'checkout' has no PagerDuty routing key")
    assert "teams.checkout.routing_key (WATCHKEEPER_TEAMS__CHECKOUT__ROUTING_KEY)" in error
    assert "WATCHKEEPER_PAGERDUTY__ROUTING_KEY" in error


async def test_a_refusal_quotes_pagerduty_without_the_key(harness: ToolHarness) -> None:
    key = "k" * 32
    harness.settings = harness.settings.model_copy(update={"teams": {}})
    harness.set(pagerduty={"routing_key": SecretStr(key)})
    assert "Invalid routing key" in await harness.error("page_engineer", **PAGE)
    harness.world.pagerduty_events.fail_next(400, {"message": f"Invalid routing key {key}"})
    error = await harness.error("page_engineer", **PAGE)
    assert "Invalid routing key (secret)" in error
    assert key not in error


@pytest.mark.parametrize(
    "arguments",
    [
        {"service": "nobody", "summary": "x"},
        {"service": None, "summary": "x"},
        {"team": "nobody", "summary": "x"},
        {"service": "checkout", "summary": ""},
        {"service": "checkout", "summary": "x" * 1025},
        {"service": "checkout"},
        {"summary": "x"},
        {"service": "checkout", "summary": "x", "urgency": "high"},
        {"service": ["checkout"], "summary": "x"},
    ],
)
async def test_invalid_arguments_page_no_one(harness: ToolHarness, arguments: JsonObject) -> None:
    result = await harness.call("page_engineer", **arguments)
    assert result.status == "rejected"
    assert harness.world.pages.events == []
    assert json.loads(result.content)["arguments"][0]["problem"]


def test_it_is_the_only_tool_that_pages() -> None:
    assert TOOLS["page_engineer"].effect == "keyed"
    assert [name for name, tool in TOOLS.items() if tool.pages] == ["page_engineer"]
    assert {name: tool.effect for name, tool in TOOLS.items() if name != "page_engineer"} == {
        "get_service_health": "read",
        "search_logs": "read",
        "get_deploys": "read",
    }
