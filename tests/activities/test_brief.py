"""The briefing: the Slack channel and the destinations of a run."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.brief import BriefActivities
from tests.support.settings import build_settings
from watchkeeper.contracts import AlertOrigin, Briefing, RunInput
from watchkeeper.llm.conversation import ConversationStore

SLACK = {"token": "xoxb-1", "channel": "C0"}
TEAMS = {"checkout": {"slack_channel": "C1"}}
ORIGIN = AlertOrigin(source="prod", kind="alertmanager", group="g", team="checkout")


async def briefed(run_input: RunInput, **settings: Any) -> Briefing:
    activities = BriefActivities(build_settings(**settings), [], ConversationStore(2**20))
    return await ActivityEnvironment().run(activities.brief, run_input)


async def test_without_settings_there_is_no_slack_channel() -> None:
    briefing = await briefed(RunInput(text="Why?"))
    assert briefing.destinations == ["log", "page"]
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
