"""Lists of runs, narrowed as people narrow them, and the earlier episodes of one name."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from rich.text import Text
from temporalio.client import Client

from tests.program import Program
from tests.screen import at_terminal
from tests.sending import Sender
from tests.stage import on_call, settings_for, staged, until_waiting
from watchkeeper import runs
from watchkeeper.contracts import Decision, RunInput
from watchkeeper.demo.turns import calls, says
from watchkeeper.demo.world import World
from workflows.incident import IncidentWorkflow

RESTART = ("restart", {"service": "checkout"})
REPORT = "**Status:** checkout is degraded."

pytestmark = pytest.mark.timeout(120)


@pytest.fixture
def program(client: Client, tmp_path: Path) -> Program:
    return Program(tmp_path, {"TEMPORAL_ADDRESS": client.service_client.config.target_host})


async def listed(program: Program, *options: str) -> list[dict[str, Any]]:
    ended = await program("list", "--json", *options)
    assert ended.code == 0, ended.err
    found: list[dict[str, Any]] = json.loads(ended.out)
    return found


async def names(program: Program, *options: str) -> set[str]:
    return {item["run"] for item in await listed(program, *options)}


async def until_listed(program: Program, run: str, *options: str) -> dict[str, Any]:
    """Return a run when a list shows it, which comes a moment after what it shows."""
    async with asyncio.timeout(30):
        while True:
            for item in await listed(program, *options):
                if item["run"] == run:
                    return item
            await asyncio.sleep(0.2)


async def test_a_run_is_found_by_what_is_known_of_it(client: Client, program: Program) -> None:
    async with staged(client, [calls(RESTART), says(REPORT)]) as stage:
        sender = Sender.on(stage)
        run = sender.run(await sender.fire())
        await until_waiting(run, "r1.0")
        waiting = await until_listed(program, run.id, "--waiting", "approval")
        narrowed = ["--service", "checkout", "--severity", "critical", "--team", "checkout", "--source", "prod"]
        assert run.id in await names(
            program, "--status", "running", "--since", "1h", "--query", "Rounds = 1", *narrowed
        )
        for others in (
            ["--service", "payments"],
            ["--severity", "warning"],
            ["--team", "payments"],
            ["--source", "person"],
            ["--status", "concluded"],
            ["--waiting", "turn"],
            ["--since", "2199-01-01"],
            ["--query", "Rounds > 1 OR Rounds = 0"],
        ):
            assert run.id not in await names(program, *others), others
        shown = (await program("list", "--waiting", "approval", "--service", "checkout")).out
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True, by="ada"))
        reported = await until_listed(program, run.id, "--waiting", "alerts")
        assert run.id in await names(program, "--open", "--status", "concluded")
        await sender.resolve()
        await run.result()
        over = await until_listed(program, run.id, "--status", "concluded", "--query", "ExecutionStatus = 'Completed'")
    facts = ("status", "service", "severity", "team", "source", "phase", "waiting_for", "rounds")
    known = ("checkout", "critical", "checkout", "prod")
    assert tuple(waiting[fact] for fact in facts) == ("running", *known, "investigating", "approval", 1)
    assert tuple(reported[fact] for fact in facts) == ("concluded", *known, "open", "alerts", 2)
    assert tuple(over[fact] for fact in facts) == ("concluded", *known, "over", None, 2)
    (line,) = [line for line in shown.splitlines() if line.startswith(run.id)]
    assert "  waits for approval  checkout  critical  " in line


async def test_an_earlier_episode_is_listed_by_a_name_that_shows_it(client: Client, program: Program) -> None:
    async with staged(client, [says(REPORT)]) as stage:
        sender = Sender.on(stage)
        first = sender.run(await sender.fire())
        await sender.resolve()
        await first.result()
        second = sender.run(await sender.fire("HighLatency", at=500))
        assert (second.id, second.first_execution_run_id) != (first.id, first.first_execution_run_id)
        await until_listed(program, first.id, "--open")
        plain = (await program("list")).out
        closed = (await program("list", "--query", f"WorkflowId = '{first.id}' AND ExecutionStatus = 'Completed'")).out
        whole = f"{first.id}@{first.first_execution_run_id}"
        episode = whole[: len(first.id) + 9]
        told = [await program(*command) for command in (("show", episode), ("watch", episode), ("show", whole))]
        shown = json.loads((await program("show", episode, "--json")).out)
        latest = await program("show", first.id)
        unknown = [
            await program("show", f"{first.id}@{run_id}")
            for run_id in ("00000000", f"{'0' * 8}-0000-4000-8000-{'0' * 12}")
        ]
        await sender.resolve("HighLatency", at=500, over=501)
        await second.result()
    assert [line.split()[0] for line in plain.splitlines() if line.startswith(first.id)] == [first.id, episode]
    assert closed.split()[0] == episode, "in a list of some, the latest of a name is not the latest there is"
    assert [one.code for one in told] == [0, 0, 0]
    assert all("HighErrorRate: checkout" in one.out and "HighLatency" not in one.out for one in told)
    assert (shown["run"], shown["run_id"]) == (first.id, first.first_execution_run_id)
    assert "HighLatency: checkout" in latest.out
    assert [(one.code, "no run" in one.sentence()) for one in unknown] == [(1, True)] * 2


async def test_who_waits_for_a_turn_is_told_so(client: Client, program: Program) -> None:
    async with World.running() as world:
        settings = {**on_call(world), "episodes": {"investigations": 1}}
        async with staged(client, [calls(RESTART), says(REPORT)], **settings) as stage:
            first = Sender.on(stage)
            investigating = first.run(await first.fire())
            await until_waiting(investigating, "r1.0")
            second = Sender.on(stage)
            waiting = second.run(await second.fire())
            piped = await program.begin("watch", waiting.id)
            async with at_terminal(program, "watch", waiting.id) as shown:
                queued = "queued behind the other investigations of checkout"
                await shown.shows(f"{queued}: it waits for its turn", "• queued: waits for its turn behind")
                await piped.says(f"{queued}: it waits for its turn")
                assert (await until_listed(program, waiting.id, "--waiting", "turn"))["phase"] == "queued"
                assert f"it goes on: {queued}" in (await program("show", waiting.id)).out
                await investigating.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=False))
                await shown.shows("it is its turn, after ", "in the queue of checkout", "approve")
                await until_waiting(waiting, "r1.0")
                await waiting.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=False))
                await shown.shows("It stays open")
                assert await shown.end() == 0
            ended = await piped.end()
            for sender, run in ((first, investigating), (second, waiting)):
                await sender.resolve()
                await run.result()
    assert "it is its turn, after " in ended.out


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        (["--query", "Rounds ="], 1, "Temporal cannot list by 'Rounds ='"),
        (["--query", "Colour = 'red'"], 1, "Colour"),
        (["--since", "yesterday"], 2, "--since 'yesterday': write 90m, 24h, 7d, or a time such as 2026-11-25T03:00"),
        (["--since", "99999999d"], 2, "--since '99999999d'"),
    ],
)
async def test_a_list_that_cannot_be_made_is_one_sentence(
    program: Program, options: list[str], code: int, said: str
) -> None:
    ended = await program("list", *options)
    assert (ended.code, said in ended.sentence()) == (code, True), ended.err


async def test_a_list_that_is_empty_says_how_to_see_more(program: Program) -> None:
    ended = await program("list", "--service", "no-such")
    assert (ended.code, ended.out) == (0, "")
    assert "watchkeeper list" in ended.err


@pytest.mark.parametrize("width", [40, 80, 200])
async def test_a_list_fits_its_terminal(client: Client, program: Program, width: int) -> None:
    text = "\u30c1\u30a7\u30c3\u30af \x1b[2J fails " * 20
    found = await runs.start(client, RunInput(text=text, service="checkout"), settings_for("http://unused"))
    await until_listed(program, found.workflow_id)
    async with at_terminal(program, "list", "--since", "1h", width=width) as shown:
        assert await shown.end() == 0
    await client.get_workflow_handle(found.workflow_id).terminate()
    lines = [Text.from_ansi(line) for line in shown.said.splitlines()]
    rows = [line for line in lines if not line.plain.startswith(("incident-", "alert-"))]
    assert rows
    assert all(line.cell_len <= width for line in (lines if width > 80 else rows))
    assert "starting" in shown.screen.text
    assert "checkout" in shown.screen.text
