"""``list`` with filters, and earlier episodes with the same workflow id."""

from __future__ import annotations

import asyncio
import json
import re
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from rich.text import Text
from temporalio.client import Client, WorkflowFailureError

from tests.support.alert_sender import Sender
from tests.support.harness import HEALTHY, concludes, run_harness, until_waiting
from tests.support.program import Program
from tests.support.settings import build_settings, paging_tables
from tests.support.terminal_screen import at_terminal
from watchkeeper.contracts import Decision, LimitChanges, RunInput, RunStatus, StopRequest
from watchkeeper.demo.world import World
from watchkeeper.run_view.json_view import iso
from watchkeeper.runs import client as runs_client
from watchkeeper.runs.client import NoSuchRun, RunInfo
from watchkeeper.runs.list_filter import RunFilter
from watchkeeper.testing.scripts import always, calls, says
from workflows.incident import IncidentWorkflow

LOOK = ("look", {"service": "checkout"})
RESTART = ("restart", {"service": "checkout"})
REPORT = "**Status:** checkout is degraded."

pytestmark = pytest.mark.timeout(120)


async def list_runs(client: Client, **filters: Any) -> dict[str, RunInfo]:
    """Return the listed runs by workflow id."""
    return {run.workflow_id: run async for run in runs_client.list_runs(client, RunFilter(**filters))}


async def until_listed(client: Client, run: str, **filters: Any) -> RunInfo:
    """Wait until a list shows the run; lists are updated with a short delay."""
    async with asyncio.timeout(30):
        while run not in (listed := await list_runs(client, **filters)):
            await asyncio.sleep(0.1)
    return listed[run]


async def test_a_run_is_found_by_its_attributes(client: Client, program: Program) -> None:
    async with run_harness(client, [calls(RESTART, LOOK), says("**Cause:** a deploy.")]) as harness:
        sender = Sender.on(harness)
        run = sender.run(await sender.fire())
        await until_waiting(run, "r1.0")
        waiting = await until_listed(client, run.id, waiting_for="approval")
        others: list[dict[str, Any]] = [
            {"service": "payments"},
            {"severity": "warning"},
            {"team": "payments"},
            {"source": "person"},
            {"state": "concluded"},
            {"waiting_for": "turn"},
            {"since": datetime.now(UTC) + timedelta(hours=1)},
            {"query": "Rounds > 1 OR Rounds = 0"},
        ]
        wrong_matches = [filters for filters in others if run.id in await list_runs(client, **filters)]
        narrowed = ["--service", "checkout", "--severity", "critical", "--team", "checkout", "--source", "prod"]
        narrowed += ["--status", "running", "--waiting", "approval", "--since", "1h", "--query", "Rounds = 1", "--open"]
        shown, as_json = await program("list", *narrowed), await program("list", "--json", *narrowed)
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True, by="ada"))
        reported = await until_listed(client, run.id, waiting_for="alerts", open_only=True, state="concluded")
        await sender.resolve()
        await run.result()
        closed = await until_listed(client, run.id, state="concluded", query="ExecutionStatus = 'Completed'")
    assert wrong_matches == []
    attributes = ("checkout", "critical", "checkout", "prod")
    assert facts_of(waiting) == ("running", *attributes, "investigating", "approval", 1)
    assert facts_of(reported) == ("concluded", *attributes, "open", "alerts", 2)
    assert facts_of(closed) == ("concluded", *attributes, "over", None, 2)
    (line,) = [line for line in shown.out.splitlines() if line.startswith(run.id)]
    assert re.search(r"  waits for approval until \d\d:\d\d:\d\d  checkout  critical  ", line), line
    (item,) = [item for item in json.loads(as_json.out) if item["run"] == run.id]
    expected = {"status": "running", "team": "checkout", "source": "prod", "waiting_for": "approval", "rounds": 1}
    assert {name: item[name] for name in expected} == expected
    assert waiting.waits_until is not None
    assert item["waits_until"] == iso(waiting.waits_until)
    assert item["waits_for"] == waiting.waits_for
    assert "to approve r1.0 restart" in item["waits_for"]


def facts_of(run: RunInfo) -> tuple[str | int | None, ...]:
    return run.status, run.service, run.severity, run.team, run.source, run.phase, run.waiting_for, run.rounds


@pytest.mark.parametrize(
    ("state", "outcome"),
    [("stopped", "terminated"), ("stopped", "stopped"), ("failed", "failed"), ("limit_reached", "limited")],
)
async def test_a_run_is_found_by_its_outcome(client: Client, state: str, outcome: str) -> None:
    script = always(calls(LOOK), without_tools=calls(LOOK)) if outcome == "limited" else [calls(RESTART)]
    async with run_harness(client, script) as harness:
        if outcome == "failed":
            harness.model.fail_next(401, {"error": {"message": "bad key"}}, times=1)
        run = await harness.start(limits=LimitChanges(rounds=2))
        if outcome in ("terminated", "stopped"):
            await until_waiting(run, "r1.0")
            stopping = (
                run.terminate() if outcome == "terminated" else run.execute_update(IncidentWorkflow.stop, StopRequest())
            )
            await stopping
        with suppress(WorkflowFailureError):
            await run.result()
        listed = await until_listed(client, run.id, state=state)
        statuses: list[RunStatus] = ["running", "concluded", "limit_reached", "failed", "stopped"]
        assert (
            [status for status in statuses if run.id in await list_runs(client, state=status)]
            == [state]
            == [listed.status]
        )


async def test_an_earlier_episode_is_listed_with_a_name_that_show_accepts(client: Client, program: Program) -> None:
    async with run_harness(client, concludes(HEALTHY, HEALTHY)) as harness:
        sender = Sender.on(harness)
        first = sender.run(await sender.fire())
        await sender.resolve()
        await first.result()
        second = sender.run(await sender.fire("HighLatency", at=500))
        assert (second.id, second.first_execution_run_id) != (first.id, first.first_execution_run_id)
        await until_listed(client, first.id, open_only=True)
        plain = (await program("list")).out
        closed = (await program("list", "--query", f"WorkflowId = '{first.id}' AND ExecutionStatus = 'Completed'")).out
        full_name = f"{first.id}@{first.first_execution_run_id}"
        episode = full_name[: len(first.id) + 9]
        commands = [await program(*command) for command in (("show", episode), ("watch", full_name))]
        shown, latest = await runs_client.find_run(client, episode), await runs_client.find_run(client, first.id)
        for unknown in ("00000000", f"{'0' * 8}-0000-4000-8000-{'0' * 12}"):
            with pytest.raises(NoSuchRun, match=f"no run '{first.id}@{unknown}'"):
                await runs_client.find_run(client, f"{first.id}@{unknown}")
        await sender.resolve("HighLatency", at=500, over=501)
        await second.result()
    assert [line.split()[0] for line in plain.splitlines() if line.startswith(first.id)] == [first.id, episode]
    assert closed.split()[0] == episode, "the latest run in a filtered list is not the latest run with this id"
    assert [ended.code for ended in commands] == [0, 0]
    assert all("HighErrorRate: checkout" in ended.out and "HighLatency" not in ended.out for ended in commands)
    assert (shown.workflow_id, shown.run_id) == (first.id, first.first_execution_run_id)
    assert latest.run_id == second.first_execution_run_id


async def test_a_run_in_a_queue_is_listed_as_queued(client: Client, program: Program) -> None:
    async with World.running() as world:
        settings = {**paging_tables(world), "episodes": {"investigations": 1}}
        script = [calls(RESTART), *concludes("**Cause:** a deploy.")]
        async with run_harness(client, script, **settings) as harness:
            first = Sender.on(harness)
            investigating = first.run(await first.fire())
            await until_waiting(investigating, "r1.0")
            second = Sender.on(harness)
            waiting = second.run(await second.fire())
            piped = await program.begin("watch", waiting.id)
            async with at_terminal(program, "watch", waiting.id) as shown:
                queued = "waiting for a slot in the queue of checkout"
                await shown.shows(queued, f"• {queued}")
                await piped.says(queued)
                assert (await until_listed(client, waiting.id, waiting_for="turn")).phase == "queued"
                assert f"still running: {queued}" in (await program("show", waiting.id)).out
                await investigating.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=False))
                await shown.shows("it leaves the queue of checkout after ", "approve")
                await until_waiting(waiting, "r1.0")
                await waiting.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=False))
                await shown.shows("It stays open")
                assert await shown.end() == 0
            ended = await piped.end()
            for sender, run in ((first, investigating), (second, waiting)):
                await sender.resolve()
                await run.result()
    assert "it leaves the queue of checkout after " in ended.out


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (["--query", "Rounds ="], 1, "Temporal cannot list by 'Rounds ='"),
        (["--query", "Colour = 'red'"], 1, "Colour"),
        (["--since", "yesterday"], 2, "--since 'yesterday': write 90m, 24h, 7d, or a time such as 2026-11-25T03:00"),
        (["--since", "99999999d"], 2, "--since '99999999d'"),
    ],
)
async def test_a_list_that_fails_is_one_sentence(program: Program, options: list[str], code: int, message: str) -> None:
    ended = await program("list", *options)
    assert (ended.code, message in ended.sentence()) == (code, True), ended.err


async def test_a_list_that_is_empty_says_how_to_see_more(program: Program) -> None:
    ended = await program("list", "--service", "no-such")
    assert (ended.code, ended.out) == (0, "")
    assert "watchkeeper list" in ended.err


@pytest.mark.parametrize("width", [40, 80, 200])
async def test_a_list_fits_its_terminal(client: Client, program: Program, width: int) -> None:
    text = "\u30c1\u30a7\u30c3\u30af \x1b[2J fails " * 20
    begun = await runs_client.start_run(client, RunInput(text=text, service="checkout"), build_settings())
    await until_listed(client, begun.workflow_id)
    async with at_terminal(program, "list", "--since", "1h", width=width) as shown:
        assert await shown.end() == 0
    await client.get_workflow_handle(begun.workflow_id).terminate()
    lines = [Text.from_ansi(line) for line in shown.output.splitlines()]
    # In a narrow terminal each run has two lines, and only the first, its name, may be wider.
    rows = [line for line in lines if line.plain.startswith("  ")] or lines
    assert all(line.cell_len <= width for line in (lines if width > 80 else rows))
    assert "starting" in shown.screen.text
    assert "checkout" in shown.screen.text
