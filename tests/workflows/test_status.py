"""What the Temporal UI shows of a run, whether or not a worker is alive."""

from __future__ import annotations

import ast
import time
from pathlib import Path
from typing import Any

import pytest
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.client import Client

from tests.support.alert_sender import Sender, until_reported
from tests.support.harness import LOOK, Harness, Run, concludes, model_text, run_harness, until_asked, until_waiting
from tests.support.paths import ROOT
from watchkeeper.contracts import (
    Alert,
    AlertOrigin,
    AlertState,
    CallRecord,
    Decision,
    JsonObject,
    Limits,
    PreviousEpisode,
    Report,
    RunInput,
    RunMemo,
    StopRequest,
)
from watchkeeper.incident import status_text
from watchkeeper.runs import client as runs_client
from watchkeeper.temporal import search_attributes
from watchkeeper.testing.faults import hang
from watchkeeper.testing.scripts import calls, says
from watchkeeper.text import arguments_summary, json_summary, utc
from workflows.incident import IncidentWorkflow

WORKFLOWS = ROOT / "workflows"
REPORT = "**Cause:** the latest deploy.\n\nRoll back."
RESTART = ("restart", {"service": "checkout"})
PRICES = {"prices": {"input": 1.0, "output": 1.0}}
LIMITS = Limits(rounds=30, tool_calls=60, tokens=400_000, duration=1_800)


async def begin(harness: Harness, **fields: Any) -> Run:
    """Start a run with the client that the command line uses."""
    run_input = RunInput.model_validate({"text": "Checkout fails.\nSince ten.", "service": "checkout", **fields})
    found = await runs_client.start_run(harness.client, run_input, harness.settings)
    return harness.client.get_workflow_handle_for(IncidentWorkflow.run, found.workflow_id)


async def shown(run: Run) -> tuple[dict[str, Any], RunMemo]:
    """Return what the server stores of a run: its search attributes, and its memo ``now``."""
    described = await run.describe()
    values = {key.name: described.typed_search_attributes.get(key) for key in search_attributes.ALL}
    glance = await described.memo_value("now", type_hint=RunMemo)
    return {name: value for name, value in values.items() if value is not None}, glance


async def current_details(run: Run) -> str:
    """Return the details that the Temporal UI asks a worker for."""
    metadata = await run.query("__temporal_workflow_metadata", result_type=WorkflowMetadata)
    return str(metadata.current_details)


async def test_the_current_details_are_those_of_the_time_of_the_question(client: Client) -> None:
    async with run_harness(client, [calls(LOOK), calls(RESTART), says(REPORT)]) as harness:
        run = await begin(harness)
        await until_waiting(run, "r2.0")
        waiting = await current_details(run)
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r2.0", approved=True))
        await run.result()
        over = await current_details(run)
    assert "**Waits for a person**" in waiting and "**Found so far**" in waiting
    assert "`r1.0` look" in waiting and "2 of " in waiting
    assert "**Waits for a person**" not in over and "Roll back." in over


async def test_a_run_that_waits_for_a_person_is_shown_without_a_worker(client: Client) -> None:
    async with run_harness(client, [calls(LOOK), calls(RESTART)], model=PRICES) as harness:
        run = await begin(harness, severity="critical")
        await until_waiting(run, "r2.0")
    indexed, glance = await shown(run)
    assert 0 < indexed.pop("CostUsd") < 1
    assert indexed == {
        **{"Service": "checkout", "Severity": "critical", "Team": "checkout", "Source": "person"},
        **{"Phase": "investigating", "WaitingFor": "approval", "Rounds": 2},
    }
    assert glance.waits_until is not None and 0 < glance.waits_until - time.time() <= 900
    until = utc(glance.waits_until)
    assert glance.waits_for == f"a person, until {until}, to approve r2.0 restart: service checkout"
    assert glance.answer == f"watchkeeper approve {run.id} r2.0"
    assert glance.doing == "round 2 of 30: restart"
    assert [found.partition(":")[0] for found in glance.found] == ["r1.0 look"]
    assert glance.used.startswith("2 of 30 rounds, 1 of 60 calls, ")


async def test_a_run_whose_model_hangs_is_shown_without_a_worker(client: Client) -> None:
    async with run_harness(client, [calls(LOOK)]) as harness:
        run = await begin(harness)
        await until_asked(harness, 1)
        harness.model.faults.append(hang(60))
        await until_asked(harness, 2)
    indexed, glance = await shown(run)
    assert (indexed["Phase"], indexed["Rounds"], indexed.get("WaitingFor")) == ("investigating", 1, None)
    assert glance.doing == "round 2 of 30: asking the model"
    assert glance.found == ["r1.0 look: error_rate 0.182"]


async def test_a_closed_run_shows_its_outcome_and_usage(client: Client) -> None:
    async with run_harness(client, concludes(REPORT)) as harness:
        run = await begin(harness)
        result = await run.result()
    indexed, glance = await shown(run)
    assert (indexed["Outcome"], indexed["Phase"], indexed["Rounds"]) == ("concluded", "over", 2)
    assert glance.doing == "concluded, over"
    assert glance.report == result.report.body
    assert model_text(result.report) == REPORT
    assert glance.used.startswith("2 of 30 rounds, 1 of 60 calls, ")


async def test_a_stopped_run_is_shown_as_stopped_and_not_as_waiting(client: Client) -> None:
    async with run_harness(client, [calls(RESTART)]) as harness:
        run = await begin(harness)
        await until_waiting(run, "r1.0")
        await run.execute_update(IncidentWorkflow.stop, StopRequest(reason="false alarm", by="ada"))
        await run.result()
    indexed, glance = await shown(run)
    assert (indexed["Outcome"], indexed.get("WaitingFor"), glance.waits_for) == ("stopped", None, None)


async def test_the_report_of_an_open_run_is_shown_without_a_worker(client: Client) -> None:
    async with run_harness(client, concludes(REPORT)) as harness:
        sender = Sender.on(harness)
        run = sender.run(await sender.fire(links={"runbook": "https://wiki.example.com/checkout"}))
        await until_reported(run)
        described = await run.describe()
        details = await described.static_details()
        assert await described.static_summary() == "critical · checkout · HighErrorRate: checkout fails"
    indexed, glance = await shown(run)
    assert (indexed["Outcome"], indexed["Phase"], indexed["WaitingFor"]) == ("concluded", "open", "alerts")
    assert (indexed["Source"], indexed["Team"]) == ("prod", "checkout")
    assert glance.report is not None and glance.report.startswith(REPORT)
    assert details is not None
    for text in ("**What fired**", "> HighErrorRate: checkout fails", "[runbook](https://wiki.example.com/checkout)"):
        assert text in details


async def test_every_round_is_a_group_of_events_with_summaries(client: Client) -> None:
    async with run_harness(client, [calls(LOOK, RESTART), says(REPORT)]) as harness:
        run = await begin(harness)
        await until_waiting(run, "r1.1")
        await run.execute_update(IncidentWorkflow.stop, StopRequest())
        await run.result()
    groups: dict[str, dict[str, None]] = {}
    async for event in run.fetch_history_events():
        if not event.user_metadata.HasField("summary"):
            continue
        (summary,) = await client.data_converter.decode([event.user_metadata.summary])
        for marker in event.event_group_markers:
            groups.setdefault(marker.label.id, {})[summary] = None  # twice for a cancelled timer
    assert {name: list(summaries) for name, summaries in groups.items()} == {
        "r1": ["round 1 of 30", "r1.0 checkout", "r1.1 restart: waits for approval"]
    }


def _without_a_summary(path: Path) -> list[str]:
    """Return the activities and timers that the UI would show without a summary."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        name, keywords = node.func.attr, {keyword.arg for keyword in node.keywords}
        is_activity = name.startswith(("execute_activity", "start_activity")) or name == "sleep"
        is_timer = name == "wait_condition" and "timeout" in keywords
        if (is_activity and "summary" not in keywords) or (is_timer and "timeout_summary" not in keywords):
            found.append(f"{path.name}:{node.lineno}: {name}")
    return found


def test_every_activity_and_timer_has_a_summary() -> None:
    assert [missing for path in sorted(WORKFLOWS.glob("*.py")) for missing in _without_a_summary(path)] == []


SCHEMA: JsonObject = {
    "properties": {
        "service": {"type": "string", "enum": ["checkout"]},
        "query": {"type": "string"},
        "minutes": {"type": "integer"},
        "limit": {"type": "integer"},
    }
}


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ('{"minutes":30,"query":"NullPointer","service":"checkout"}', 'checkout "NullPointer" 30 min'),
        ('{"limit":5,"deep":true,"tags":["a"]}', 'limit=5 deep=true tags=["a"]'),
        ('{"query":"two\\nlines"}', '"two\\nlines"'),
        ("{}", ""),
    ],
)
def test_a_call_is_shown_with_its_arguments_in_the_order_of_the_tool(arguments: str, expected: str) -> None:
    assert arguments_summary(arguments, SCHEMA) == expected


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        ('{"service":"checkout","rate":0.182,"up":true}', "service checkout, rate 0.182, up true"),
        ('{"lines":[{"at":"09:41","line":"5xx… (+11095 bytes)', "lines at 09:41, line 5xx… (+11095 bytes)"),
        ('{"query":"a \\"b\\", c","p95":"4,200 ms"}', "query a 'b', c, p95 4,200 ms"),
        ("not JSON, but\ntext", "not JSON, but text"),
        ("", ""),
    ],
)
def test_findings_are_shown_as_text_wherever_they_were_cut(finding: str, expected: str) -> None:
    assert json_summary(finding) == expected


@pytest.mark.parametrize(
    ("deadline", "phrase"),
    [
        (1_796_000_000.0, "**Waits for a person** until 2026-11-30 00:53:20 UTC, to approve"),
        (None, "person** to approve"),
    ],
)
def test_the_current_details_say_until_when_a_call_waits(deadline: float | None, phrase: str) -> None:
    call = CallRecord(key="r2.0", name="restart", arguments="{}", status="waiting", deadline=deadline)
    view = status_text.StatusFacts("run", "round 2", limits=LIMITS, calls=[call])
    assert phrase in status_text.current_details(view)
    assert status_text.status_memo(view).waits_until == deadline


HOSTILE = "`code` [click](javascript:alert(1)) <img src=x> **bold** # head\n- item"


def test_hostile_text_is_shown_and_not_rendered() -> None:
    origin = AlertOrigin(source="p*od", kind="alertmanager", group=HOSTILE, previous=_previous(HOSTILE))
    alert = Alert(
        source="prod",
        group="g",
        fingerprint="f",
        status="firing",
        title=HOSTILE,
        links={"ok": "https://a.example/x?y=1", "bad": "https://a.example/)[x](http://evil"},
    )
    details = status_text.start_details(RunInput(text=HOSTILE, service=HOSTILE, origin=origin), HOSTILE, [alert])
    view = status_text.StatusFacts("run", HOSTILE, limits=LIMITS, calls=[_call(HOSTILE)])
    for text in (details, status_text.current_details(view)):
        lines = text.replace("[ok](https://a.example/x?y=1)", "").splitlines()
        for line in lines:
            unquoted = line.removeprefix("> ")
            assert "[click](" not in unquoted and "<img" not in unquoted.replace("\\<img", "")
            assert "**bold**" not in unquoted and not unquoted.startswith("#")
    assert "evil" not in details and "[ok](https://a.example/x?y=1)" in details


@pytest.mark.parametrize(
    ("firing", "resolved", "line"),
    [
        (1, 0, "**Alerts:** 1 firing"),
        (0, 2, "**Alerts:** 2 resolved"),
        (1, 2, "**Alerts:** 1 firing, 2 resolved"),
    ],
)
def test_the_status_after_the_report_counts_the_alerts(firing: int, resolved: int, line: str) -> None:
    alerts = [AlertState(fingerprint=f"{n}", status="firing", title="Slow") for n in range(firing)]
    alerts += [
        AlertState(fingerprint=f"{n}", status="resolved", title="Slow") for n in range(firing, firing + resolved)
    ]
    report = Report(summary="s", body="b")
    assert (
        line
        in status_text.current_details(
            status_text.StatusFacts("run", "open", alerts=alerts, report=report)
        ).splitlines()
    )


def test_the_status_text_of_any_run_is_bounded() -> None:
    huge = "é" * 90_000
    calls_ = [_call(huge) for _ in range(100)]
    view = status_text.StatusFacts("run", huge, limits=LIMITS, calls=calls_, report=Report(summary=huge, body=huge))
    assert len(status_text.status_memo(view).model_dump_json(exclude_unset=True).encode()) < 2_048
    assert (
        len(status_text.summary_line(RunInput(text=huge, severity="s" * 150, service="s" * 150), huge).encode()) < 250
    )
    many = [Alert(source="p", group="g", fingerprint=f"{n}", status="firing", title="t" * 300) for n in range(500)]
    assert len(status_text.start_details(RunInput(text=huge, origin=_origin()), None, many).encode()) < 20_000


def test_links_of_many_alerts_are_left_out_before_the_alerts() -> None:
    links = {f"way {n}": f"https://a.example/{n}?{'q' * 900}" for n in range(8)}
    many = [_firing(f"alert {n}", links) for n in range(30)]
    details = status_text.start_details(RunInput(text="*" * 8_000, origin=_origin()), None, many)
    assert len(details.encode()) < 20_000
    assert [line for line in details.splitlines() if "alert 0" in line and "[way 7](https://a.example/7?" in line]
    assert "alert 19" in details and details.endswith("- and 10 more")


def _firing(title: str, links: dict[str, str]) -> Alert:
    return Alert(source="p", group="g", fingerprint=title, status="firing", title=title, links=links)


def _call(text: str) -> CallRecord:
    return CallRecord(key="r1.0", name="look", arguments=text[:400], status="ok", finding=text[:300])


def _origin() -> AlertOrigin:
    return AlertOrigin(source="prod", kind="alertmanager", group="g")


def _previous(summary: str) -> PreviousEpisode:
    return PreviousEpisode(run="r", status="concluded", summary=summary, ended_at=1_764_064_800.0)
