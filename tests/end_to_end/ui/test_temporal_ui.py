"""The Temporal UI shows the alert, the calls, findings, wait, cost and end of a run.

The tests share one scene. The tests without a worker are last, after the workers were stopped.
"""

from __future__ import annotations

import re

import pytest

from tests.end_to_end.ui.browser import Browser
from tests.end_to_end.ui.scene import FINISHED, LIMITED, STOPPED, WAITING, Scene

pytestmark = [pytest.mark.browser, pytest.mark.timeout(240)]

COST = re.compile(r"\$0\.00\d\d")
ALERT_SUMMARY = "critical · checkout · HighErrorRate: checkout a fails 16.36% of requests (and 1 more)"
QUESTION_SUMMARY = "critical · checkout · Checkout users are reporting failed orders in the last few minutes."
FINDINGS = ("NullPointerException in CheckoutController.applyPromo", "Roll back checkout to v2.4.0")
CALLS = ("get_service_health • r1.0 checkout", 'search_logs • r1.2 checkout "Exception" 30 min')


@pytest.fixture(scope="module")
async def scene_without_workers(ui_scene: Scene) -> Scene:
    """The scene without workers."""
    await ui_scene.stop_workers()
    return ui_scene


# --- with a worker ------------------------------------------------------------------------------------------------


async def test_the_ui_shows_the_alert_the_findings_and_the_wait(ui_scene: Scene, browser: Browser) -> None:
    await browser.read(ui_scene.page(ui_scene.alerted), "open for follow-ups until its alerts resolve", *CALLS)
    shown = await browser.open_tab("User Metadata", ALERT_SUMMARY, "What fired", "Current Details", *FINDINGS)
    assert "Service: checkout Severity: critical Team: payments Source: prometheus (alertmanager)" in shown
    assert "HighErrorRate: checkout b fails 10% of requests · runbook · source · silence" in shown
    assert "concluded: diagnosed, open for follow-ups until its alerts resolve" in shown
    assert "3 of 30 rounds, 7 of 60 calls, " in shown
    assert COST.search(shown)


async def test_the_ui_shows_the_commands_that_answer_an_approval_request(ui_scene: Scene, browser: Browser) -> None:
    await browser.read(ui_scene.page(WAITING), "r2.0 page_engineer: waits for approval", *CALLS)
    shown = await browser.open_tab(
        "User Metadata", QUESTION_SUMMARY, "Asked by a person", "Waits for a person", "to approve r2.0"
    )
    assert f"watchkeeper approve {WAITING} r2.0 watchkeeper deny {WAITING} r2.0" in shown
    assert "Found so far r1.0 get_service_health" in " ".join(shown.replace("•", " ").split())
    assert "2 of 30 rounds, 3 of 60 calls" in shown


async def test_the_list_distinguishes_the_runs(ui_scene: Scene, browser: Browser) -> None:
    await browser.choose_columns(
        ui_scene.runs, "Workflow ID", "Service", "Phase", "Outcome", "WaitingFor", "Rounds", "CostUsd"
    )
    await browser.read(ui_scene.runs, "CostUsd", WAITING, FINISHED, LIMITED, STOPPED, ui_scene.alerted)
    assert await browser.row(WAITING) == ["checkout", "investigating", "", "approval", "2"]
    assert await browser.row(ui_scene.alerted) == ["checkout", "open", "concluded", "alerts", "3"]
    assert await browser.row(FINISHED) == ["checkout", "over", "concluded", "", "3"]
    assert await browser.row(LIMITED) == ["search", "over", "limit_reached", "", "1"]
    assert await browser.row(STOPPED) == ["payments", "over", "stopped", "", "1"]


# --- without a worker ------------------------------------------------------------------------------------------------


async def test_the_ui_shows_cause_calls_wait_and_cost_without_a_worker(
    scene_without_workers: Scene, browser: Browser
) -> None:
    await browser.read(scene_without_workers.page(WAITING), "r2.0 page_engineer: waits for approval", *CALLS)
    await browser.open_tab(
        "User Metadata", QUESTION_SUMMARY, "Asked by a person", "Service: checkout Severity: critical"
    )
    memo = await browser.open_tab("Memo", '"doing": "round 2 of 30: page_engineer"', "waits_for")
    assert f"watchkeeper approve {WAITING} r2.0" in memo
    assert "r1.0 get_service_health: " in memo
    assert COST.search(memo)
    attributes = await browser.open_tab("Search Attributes", '"CostUsd": 0.00', '"WaitingFor": "approval"')
    assert '"Phase": "investigating", "Rounds": 2, "Service": "checkout", "Severity": "critical"' in attributes


async def test_the_ui_shows_the_findings_of_an_open_run_without_a_worker(
    scene_without_workers: Scene, browser: Browser
) -> None:
    await browser.read(scene_without_workers.page(scene_without_workers.alerted), *CALLS)
    await browser.open_tab("User Metadata", ALERT_SUMMARY, "What fired", "Team: payments")
    await browser.open_tab(
        "Memo", '"doing": "concluded: diagnosed, open for follow-ups until its alerts resolve"', "v2.4.1", "v2.4.0"
    )


async def test_the_result_of_a_closed_run_is_its_report(scene_without_workers: Scene, browser: Browser) -> None:
    shown = await browser.read(scene_without_workers.page(FINISHED), '"status": "concluded"', "**Root cause:**", *CALLS)
    assert "page_engineer • r2.0 checkout" in shown
    assert "deliver • report to log" in shown
    await browser.open_tab("Search Attributes", '"Outcome": "concluded"', '"Rounds": 3', '"CostUsd": 0.00')


async def test_the_ui_shows_why_a_run_did_not_conclude(scene_without_workers: Scene, browser: Browser) -> None:
    await browser.read(scene_without_workers.page(LIMITED), "tokens (limit 400) without a conclusion")
    await browser.read(scene_without_workers.page(STOPPED), '"status": "stopped"', "stopped by ada: The drill is over.")
