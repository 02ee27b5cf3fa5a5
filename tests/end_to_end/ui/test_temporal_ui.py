"""A newcomer learns from the Temporal UI alone what fired, what a run did, found and waits for, its cost and its end.

The tests share one scene: those that need no worker come last, after the workers have gone home.
"""

from __future__ import annotations

import re

import pytest

from tests.end_to_end.ui.browser import Browser
from tests.end_to_end.ui.scene import FINISHED, LIMITED, STOPPED, WAITING, Scene

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

COST = re.compile(r"\$0\.00\d\d")
FIRED = "critical · checkout · HighErrorRate: checkout a fails 16.36% of requests (and 1 more)"
ASKED = "critical · checkout · Checkout users are reporting failed orders in the last few minutes."
FOUND = ("NullPointerException in CheckoutController.applyPromo", "Roll back checkout to v2.4.0")
CALLED = ("get_service_health • r1.0 checkout", 'search_logs • r1.2 checkout "Exception" 30 min')


@pytest.fixture(scope="module")
async def deserted(played: Scene) -> Scene:
    """The scene when no worker is alive."""
    await played.stop_workers()
    return played


# --- with a worker ------------------------------------------------------------------------------------------------


async def test_the_ui_shows_the_alert_the_findings_and_the_wait(played: Scene, browser: Browser) -> None:
    await browser.read(played.page(played.alerted), "open for follow-ups until its alerts resolve", *CALLED)
    shown = await browser.turn_to("User Metadata", FIRED, "What fired", "Current Details", *FOUND)
    assert "Service: checkout Severity: critical Team: payments Source: prometheus (alertmanager)" in shown
    assert "HighErrorRate: checkout b fails 10% of requests · runbook · source · silence" in shown
    assert "concluded, open for follow-ups until its alerts resolve" in shown
    assert "3 of 30 rounds, 7 of 60 calls, " in shown
    assert COST.search(shown)


async def test_the_ui_shows_the_commands_that_answer_an_approval_request(played: Scene, browser: Browser) -> None:
    await browser.read(played.page(WAITING), "r2.0 page_engineer: waits for approval", *CALLED)
    shown = await browser.turn_to("User Metadata", ASKED, "Asked by a person", "Waits for a person to allow r2.0")
    assert f"watchkeeper approve {WAITING} r2.0 watchkeeper deny {WAITING} r2.0" in shown
    assert "Found so far r1.0 get_service_health" in " ".join(shown.replace("•", " ").split())
    assert "2 of 30 rounds, 3 of 60 calls" in shown


async def test_the_list_distinguishes_the_runs(played: Scene, browser: Browser) -> None:
    await browser.choose_columns("Workflow ID", "Service", "Phase", "Outcome", "WaitingFor", "Rounds", "CostUsd")
    await browser.read(played.runs, "CostUsd", WAITING, FINISHED, LIMITED, STOPPED, played.alerted)
    assert await browser.row(WAITING) == ["checkout", "investigating", "", "approval", "2"]
    assert await browser.row(played.alerted) == ["checkout", "open", "concluded", "alerts", "3"]
    assert await browser.row(FINISHED) == ["checkout", "over", "concluded", "", "3"]
    assert await browser.row(LIMITED) == ["search", "over", "limit_reached", "", "1"]
    assert await browser.row(STOPPED) == ["payments", "over", "stopped", "", "1"]


# --- with none ----------------------------------------------------------------------------------------------------


async def test_the_ui_shows_cause_calls_wait_and_cost_without_a_worker(deserted: Scene, browser: Browser) -> None:
    await browser.read(deserted.page(WAITING), "r2.0 page_engineer: waits for approval", *CALLED)
    await browser.turn_to("User Metadata", ASKED, "Asked by a person", "Service: checkout Severity: critical")
    memo = await browser.turn_to("Memo", '"doing": "round 2 of 30: page_engineer"', "waits_for")
    assert f"watchkeeper approve {WAITING} r2.0" in memo
    assert "r1.0 get_service_health: " in memo
    assert COST.search(memo)
    attributes = await browser.turn_to("Search Attributes", '"CostUsd": 0.00', '"WaitingFor": "approval"')
    assert '"Phase": "investigating", "Rounds": 2, "Service": "checkout", "Severity": "critical"' in attributes


async def test_the_ui_shows_the_findings_of_an_open_run_without_a_worker(deserted: Scene, browser: Browser) -> None:
    await browser.read(deserted.page(deserted.alerted), *CALLED)
    await browser.turn_to("User Metadata", FIRED, "What fired", "Team: payments")
    await browser.turn_to(
        "Memo", '"doing": "concluded, open for follow-ups until its alerts resolve"', "v2.4.1", "v2.4.0"
    )


async def test_the_result_of_a_closed_run_is_its_report(deserted: Scene, browser: Browser) -> None:
    shown = await browser.read(deserted.page(FINISHED), '"status": "concluded"', "**Root cause:**", *CALLED)
    assert "page_engineer • r2.0 checkout" in shown
    assert "deliver • report to log" in shown
    await browser.turn_to("Search Attributes", '"Outcome": "concluded"', '"Rounds": 3', '"CostUsd": 0.00')


async def test_the_ui_shows_why_a_run_did_not_conclude(deserted: Scene, browser: Browser) -> None:
    await browser.read(deserted.page(LIMITED), "tokens (limit 400) without a conclusion")
    await browser.read(deserted.page(STOPPED), '"status": "stopped"', "stopped by ada: The drill is over.")
