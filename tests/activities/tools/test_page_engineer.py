from __future__ import annotations

import json
import time
from datetime import timedelta

import pytest
from pydantic import SecretStr

from activities.tools import page_engineer
from tests.activities.tools.conftest import TOOLS, ToolHarness
from watchkeeper.contracts import JsonObject
from watchkeeper.testing.faults import drop_connection, fault, hang, lose_reply
from watchkeeper.tool import ToolUnavailable

PAGE: JsonObject = {"team": "checkout", "summary": "18.2% of orders fail since 13:42, after v2.4.1"}


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
    assert delivery.event["payload"]["source"] == "watchkeeper"
    assert delivery.event["payload"]["custom_details"] == {"run": "run-1", "call": "r1.0"}


async def test_repeated_pages_of_a_run_to_a_team_page_once(harness: ToolHarness) -> None:
    for number in range(8):
        page = await harness.ok("page_engineer", team="checkout", summary=f"page {number}", severity="error")
        assert page["incident"] == "INC-4827"
    (incident,) = harness.world.pages.incidents
    assert incident.alerts == 8


async def test_another_team_and_another_run_are_other_pages(harness: ToolHarness) -> None:
    first = await harness.ok("page_engineer", **PAGE)
    second = await harness.ok("page_engineer", team="payments", summary="x")
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
    assert dict(request.query) == {"incident_key": "run-1/page_engineer/checkout"}
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
        {"team": "nobody", "summary": "x"},
        {"team": "checkout", "summary": ""},
        {"team": "checkout", "summary": "x" * 1025},
        {"team": "checkout", "summary": "x", "severity": "urgent"},
        {"team": "checkout"},
        {"team": "checkout", "summary": "x", "service": "checkout"},
        {"team": ["checkout"], "summary": "x"},
    ],
)
async def test_invalid_arguments_page_no_one(harness: ToolHarness, arguments: JsonObject) -> None:
    result = await harness.call("page_engineer", **arguments)
    assert result.status == "rejected"
    assert harness.world.pages.events == []
    assert "expected" in json.loads(result.content)["arguments"][0]


def test_the_idempotency_key_is_the_run_and_the_team() -> None:
    assert (TOOLS["page_engineer"].effect, TOOLS["page_engineer"].key) == ("keyed", ("team",))
    assert {name: tool.effect for name, tool in TOOLS.items() if name != "page_engineer"} == {
        "get_service_health": "read",
        "search_logs": "read",
        "get_deploys": "read",
    }
