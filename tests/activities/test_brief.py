"""The briefing: the Slack channel and the destinations of a run."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from httpx2 import AsyncClient
from temporalio.testing import ActivityEnvironment

from activities.brief import BriefActivities
from tests.support.settings import build_settings
from watchkeeper.contracts import AlertOrigin, Briefing, RunInput
from watchkeeper.demo.world import World
from watchkeeper.llm.conversation import ConversationStore
from watchkeeper.testing.faults import hang

SLACK = {"token": "xoxb-1", "channel": "C0"}
TEAMS = {"checkout": {"slack_channel": "C1"}}
ORIGIN = AlertOrigin(source="prod", kind="alertmanager", group="g", team="checkout")


async def briefed(run_input: RunInput, **settings: Any) -> Briefing:
    activities = BriefActivities(build_settings(**settings), [], ConversationStore(2**20))
    return await ActivityEnvironment().run(activities.brief, run_input)


async def test_without_settings_there_is_no_slack_channel() -> None:
    briefing = await briefed(RunInput(text="Why?"))
    assert briefing.destinations == ["log"]
    assert "channel" not in briefing.model_fields_set


@pytest.mark.parametrize(
    ("run_input", "channel"),
    [
        (RunInput(text="Why?"), "C0"),
        (RunInput(text="Why?", service="checkout"), "C1"),
        (RunInput(text="Why?", service="payments"), "C0"),
        (RunInput(text="Why?", service="payments", origin=ORIGIN), "C1"),
    ],
)
async def test_a_run_uses_the_channel_of_its_team(run_input: RunInput, channel: str) -> None:
    briefing = await briefed(run_input, slack=SLACK, teams=TEAMS)
    assert (briefing.channel, "slack" in briefing.destinations) == (channel, True)


async def test_a_channel_without_a_token_is_not_used() -> None:
    briefing = await briefed(RunInput(text="Why?"), slack={"channel": "C0"})
    assert (briefing.channel, "slack" in briefing.destinations) == (None, False)


@pytest.mark.parametrize(
    ("pagerduty", "noted"),
    [
        ({"api_token": "t", "from_email": "a@example.com"}, True),
        ({"api_token": "t"}, False),
        ({"from_email": "a@example.com"}, False),
    ],
)
async def test_pagerduty_notes_are_a_destination_if_configured(pagerduty: dict[str, str], noted: bool) -> None:
    briefing = await briefed(RunInput(text="Why?"), pagerduty=pagerduty)
    assert ("pagerduty_note" in briefing.destinations) == noted


async def test_without_a_service_catalogue_a_run_may_name_any_service() -> None:
    briefing = await briefed(RunInput(text="Why?", service="checkout"), services={})
    assert "Service: checkout" in briefing.opening[1]["content"]


# --- pages --------------------------------------------------------------------------------------------------------

JOINED = ORIGIN.model_copy(update={"opened_key": "their-key"})


def open_incident(world: World) -> None:
    world.pages.accept(
        {
            "routing_key": world.routing_keys["checkout"],
            "event_action": "trigger",
            "dedup_key": "their-key",
            "payload": {"summary": "HighErrorRate", "source": "prometheus", "severity": "critical"},
        }
    )


async def briefed_with(world: World, origin: AlertOrigin, *, token: bool = True) -> Briefing:
    pagerduty = {"api_url": world.urls.pagerduty_api_url, **({"api_token": world.pagerduty_token} if token else {})}
    async with AsyncClient(timeout=5) as http:
        settings = build_settings(pagerduty=pagerduty)
        activities = BriefActivities(settings, [], ConversationStore(2**20), http)
        return await ActivityEnvironment().run(activities.brief, RunInput(text="Checkout fails.", origin=origin))


@pytest.mark.parametrize("surely", [True, False])
@pytest.mark.parametrize("state", ["open", "resolved", "none", "no token", "no answer"])
async def test_a_run_knows_whether_a_person_was_paged_already(world: World, state: str, surely: bool) -> None:
    if state != "none":
        open_incident(world)
    if state == "resolved":
        world.pages.incidents[0].status = "resolved"
    if state == "no answer":
        world.pagerduty_api.fail_next(503, "busy")
    origin = JOINED.model_copy(update={"surely_opened": surely})
    briefing = await briefed_with(world, origin, token=state != "no token")
    assert briefing.pages is not None
    incident = briefing.pages.incident
    is_open = state == "open" or (surely and state in ("no token", "no answer"))
    assert (incident.opened_key, incident.is_open) == ("their-key", is_open)
    assert incident.opened_number == ("INC-4827" if state == "open" else None)
    opening = briefing.opening[1]["content"]
    assert ("A person has been paged for these alerts already" in opening) == is_open
    assert ("INC-4827 is open" in opening) == (state == "open")


async def test_a_run_starts_soon_even_if_pagerduty_hangs(world: World) -> None:
    world.pagerduty_api.outage = hang(60)
    async with asyncio.timeout(20):
        briefing = await briefed_with(world, JOINED)
    assert briefing.pages is not None
    assert not briefing.pages.incident.is_open


async def test_without_alerts_nothing_is_looked_up(world: World) -> None:
    await briefed_with(world, ORIGIN)
    assert world.pagerduty_api.requests == []


async def test_the_rules_for_pages_are_recorded() -> None:
    briefing = await briefed(RunInput(text="Why?", service="payments"), approval={"timeout": 60})
    assert briefing.pages is not None
    assert (briefing.pages.teams, briefing.pages.approval) == (["payments"], 60)
    assert briefing.pages.owners == {"checkout": "checkout", "payments": "payments"}
    assert briefing.pages.look_first
