"""The command line against a real server; each command is a separate process."""

from __future__ import annotations

import asyncio
import json
import signal
from typing import Any

import pytest
from temporalio.client import Client

from tests.support.cli_desk import at_desk, write_config
from tests.support.harness import reset
from tests.support.paths import HISTORIES
from tests.support.program import Program
from watchkeeper.testing.faults import hang
from watchkeeper.testing.scripts import always, calls, says
from workflows.incident import IncidentWorkflow

LOOK = ("look", {"service": "checkout"})
RESTART = ("restart", {"service": "checkout"})
REPORT = "**Status:** checkout is degraded.\n\nRoll back."

pytestmark = pytest.mark.timeout(180)


# --- following a run ----------------------------------------------------------------------------------------------


async def test_run_prints_the_rounds_the_calls_and_the_report(client: Client, program: Program) -> None:
    script = [calls(LOOK, ("look", {"service": "payments"}), content="I look first."), says(REPORT)]
    async with at_desk(client, program, script) as desk:
        ended = await desk.program("run", "Checkout fails.", "--service", "checkout", "--severity", "critical")
    assert (ended.code, ended.err) == (0, "")
    lines = [line.rstrip() for line in ended.out.splitlines()]
    assert lines[0].startswith("incident-checkout-")
    assert "checkout · critical" in lines[0]
    assert lines[1] == "Checkout fails."
    assert any(line.startswith("round 1  asks for 2 calls  ") and line.endswith("tokens") for line in lines)
    assert "  I look first." in lines
    assert any("r1.0  look  service=checkout" in line and "41 B" in line for line in lines)
    assert any("r1.1  look  service=payments" in line for line in lines)
    assert any(line.startswith("round 2  answers") for line in lines)
    assert "**Status:** checkout is degraded." in lines
    assert "concluded" in lines
    assert lines[-1].startswith("2 rounds · 2 calls · ")
    assert "cached" in lines[-1]
    assert "\x1b" not in ended.out


async def test_run_prints_one_object_for_scripts(client: Client, program: Program) -> None:
    async with at_desk(client, program, [calls(LOOK), says(REPORT)]) as desk:
        ended = await desk.program("run", "Checkout fails.", "--json", "--limit", "rounds=5", "--limit", "duration=2m")
        shown = json.loads(ended.out)
        assert await desk.shown(shown["run"]) == shown
    assert (ended.code, ended.err) == (0, "")
    assert (shown["status"], shown["rounds"], shown["tool_calls"][0]["status"]) == ("concluded", 2, "ok")
    assert (shown["limits"]["rounds"], shown["limits"]["duration"]) == (5, 120)


async def test_the_exit_code_is_the_outcome(client: Client, program: Program) -> None:
    async with at_desk(client, program, always(calls(LOOK), without_tools=calls(LOOK))) as desk:
        limited = await desk.program("run", "x", "--limit", "rounds=2")
        desk.harness.model.fail_next(401, {"error": {"message": "bad key"}}, times=1)
        failed = await desk.program("run", "x")
        desk.harness.model.outage = hang(60)
        run = await desk.started()
        watching = await desk.program.begin("watch", run)
        await watching.says("Checkout fails.")
        assert (await desk.program("stop", run, "--reason", "false alarm")).code == 0
        stopped = await watching.end()
    assert (limited.code, failed.code, stopped.code) == (3, 4, 5)
    assert "limit reached: stopped after 2 rounds without a conclusion" in limited.out
    assert "failed: ask failed: " in failed.out
    assert "bad key" in failed.out
    assert "ada stops the run: false alarm" in stopped.out
    assert "stopped by ada: false alarm" in stopped.out


async def test_a_closed_run_is_printed_without_a_worker(client: Client, program: Program) -> None:
    async with at_desk(client, program, [calls(LOOK), says(REPORT)]) as desk:
        first = await desk.program("run", "Checkout fails.")
    run = first.out.split()[0]
    again, shown = await program("watch", run), await program("show", run)
    assert again.out == shown.out == first.out
    assert (again.code, shown.code) == (0, 0)


async def test_a_watch_continues_with_a_reset_run(client: Client, program: Program) -> None:
    async with at_desk(client, program, [calls(RESTART), says(REPORT)]) as desk:
        run = await desk.started()
        watching = await desk.program.begin("watch", run)
        await watching.says(f"watchkeeper approve {run} r1.0")
        await reset(client, client.get_workflow_handle_for(IncidentWorkflow.run, run), before="r1")
        await watching.says("it was reset in Temporal (decide again), and continues from here")
        await desk.until(run, "waiting")
        assert (await desk.program("approve", run, "r1.0")).code == 0
        ended = await watching.end()
    assert ended.code == 0
    assert "terminated" not in ended.out
    assert ended.out.count("checkout is degraded") == 1


async def test_an_interrupted_watch_prints_how_to_resume(client: Client, program: Program) -> None:
    async with at_desk(client, program, [calls(RESTART), says(REPORT)]) as desk:
        following = await desk.program.begin("run", "Checkout fails.")
        output = await following.says("watchkeeper approve")
        run = output.split()[0]
        following.send(signal.SIGINT)
        ended = await following.end()
        assert ended.code == 130
        assert f"watchkeeper watch {run}" in ended.err
        assert "Traceback" not in ended.err
        assert (await desk.shown(run))["status"] == "running"
        assert (await desk.program("approve", run, "r1.0")).code == 0
        assert (await desk.program("watch", run)).code == 0


async def test_a_run_without_a_worker_says_so(program: Program) -> None:
    write_config(program, "unpolled")
    following = await program.begin("run", "Is the service up?")
    output = await following.says("no worker polls the task queue 'unpolled'")
    assert "watchkeeper worker" in output
    following.send(signal.SIGINT)
    assert (await following.end()).code == 130
    assert (await program("show", output.split()[0])).code == 0


async def test_the_cause_of_a_delay_is_printed(client: Client, program: Program) -> None:
    async with at_desk(client, program, [says(REPORT)]) as desk:
        desk.harness.model.fail_next(503, "overloaded, come back", {"retry-after": "5"}, times=1)
        ended = await desk.program("run", "Checkout fails.")
    assert ended.code == 0
    assert "r1 ask: attempt 2, the last one failed: " in ended.out
    assert "overloaded, come back" in ended.out
    assert "2 attempts" in ended.out


async def test_terminal_control_sequences_are_not_printed(client: Client, program: Program) -> None:
    hostile = "\x1b]0;owned\x07 \x1b[2J \u202egnp.exe"
    async with at_desk(client, program, [calls(("look", {"service": hostile})), says(f"Report {hostile}")]) as desk:
        ended = await desk.program("run", f"Alert {hostile}")
    assert ended.code == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(ended.out)
    assert "]0;owned" in ended.out


# --- approvals, messages and extensions ---------------------------------------------------------------------------


async def test_a_call_is_approved_from_the_command_line(client: Client, program: Program) -> None:
    async with at_desk(client, program, [calls(RESTART), says(REPORT)]) as desk:
        run = await desk.started()
        watching = await desk.program.begin("watch", run)
        await watching.says(f"watchkeeper approve {run} r1.0", f"watchkeeper deny {run} r1.0")
        approved = await desk.program("approve", run, "r1.0", "--note", "go")
        assert (approved.code, approved.out) == (0, "r1.0 approved\n")
        ended = await watching.end()
        second = await desk.program("deny", run, "r1.0")
        shown = await desk.shown(run)
    assert ended.code == 0
    assert "ada approves r1.0 (restart): go" in ended.out
    assert desk.harness.effects.restarts == ["checkout"]
    assert shown["tool_calls"][0]["approval"]["by"] == "ada"
    assert second.code == 1
    assert "has ended: concluded" in second.sentence()


async def test_a_denied_call_is_not_run(client: Client, program: Program) -> None:
    async with at_desk(client, program, [calls(RESTART), says(REPORT)]) as desk:
        run = await desk.started()
        await desk.until(run, "waiting")
        unknown_call = await desk.program("approve", run, "r7.7")
        assert (unknown_call.code, "no call 'r7.7' waits" in unknown_call.sentence()) == (1, True)
        assert (await desk.program("deny", run, "r1.0", "--note", "not on a Friday")).code == 0
        ended = await desk.program("watch", run)
    assert ended.code == 0
    assert "ada denies r1.0 (restart): not on a Friday" in ended.out
    assert desk.harness.effects.restarts == []


async def test_messages_and_extensions_reach_the_run(client: Client, program: Program) -> None:
    async with at_desk(client, program, [calls(RESTART), says(REPORT)]) as desk:
        run = await desk.started("--limit", "rounds=4")
        await desk.until(run, "waiting")
        assert (await desk.program("tell", run, "Payments was deployed too.")).code == 0
        extended = await desk.program("extend", run, "rounds=3", "duration=30m")
        assert (await desk.program("tell", run, " ")).sentence().endswith("nothing to tell: the text is empty")
        assert (await desk.program("deny", run, "r1.0")).code == 0
        ended = await desk.program("watch", run)
    assert "rounds=7" in extended.out
    assert "duration=3600" in extended.out
    assert "ada writes to the model: Payments was deployed too." in ended.out
    assert "ada extends the limits by 3 rounds, 30 min 00 s duration" in ended.out
    assert "ada: Payments was deployed too." in json.dumps(desk.harness.messages())


# --- lists --------------------------------------------------------------------------------------------------------


async def test_lists_can_be_narrowed(client: Client, program: Program) -> None:
    async with at_desk(client, program, [calls(RESTART), says(REPORT)]) as desk:
        run = await desk.started("--service", "checkout", "--severity", "critical")
        await desk.until(run, "waiting")

        async def listed(*options: str) -> dict[str, Any]:
            ended = await desk.program("list", "--json", *options)
            assert ended.code == 0, ended.err
            return {item["run"]: item for item in json.loads(ended.out)}

        assert (await listed("--open", "--service", "checkout"))[run]["status"] == "running"
        assert run not in await listed("--service", "payments")
        assert await listed("--service", 'it\'s "quoted" \\') == {}
        assert (await desk.program("deny", run, "r1.0")).code == 0
        assert (await desk.program("watch", run)).code == 0
        while run in await listed("--open"):
            await asyncio.sleep(0.1)
        item = (await listed())[run]
        assert len(await listed("--limit", "1")) == 1
        plain = await desk.program("list")
    assert (item["status"], item["severity"], item["text"]) == ("concluded", "critical", "Checkout fails.")
    assert item["summary"] == "Status: checkout is degraded."
    assert any(line.startswith(run) and "concluded" in line for line in plain.out.splitlines())


LOADED = """
import sys
from watchkeeper.cli.command_line import app
try:
    app(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code, ended.code
print(sorted({"workflows", "activities", "fastapi", "httpx2", "openai", "worker"} & set(sys.modules)))
"""


@pytest.mark.parametrize("command", [["list", "--json"], ["--help"]])
async def test_reading_commands_import_no_model_client(program: Program, command: list[str]) -> None:
    ended = await program.python("-c", LOADED, *command)
    assert ended.code == 0, ended.err
    assert ended.out.splitlines()[-1] == "[]"


# --- histories ----------------------------------------------------------------------------------------------------


async def test_histories_are_exported_and_replayed(client: Client, program: Program) -> None:
    async with at_desk(client, program, [calls(LOOK), says(REPORT)]) as desk:
        ended = await desk.program("run", "Checkout fails.", "--json")
        run = json.loads(ended.out)["run"]
        exported = await desk.program("history", "export", run, "here.json")
    assert (exported.code, exported.out.startswith("here.json: ")) == (0, True)
    agreed = await program("replay", "here.json")
    assert (agreed.code, "agrees  here.json" in agreed.out) == (0, True)
    file = program.directory / "here.json"
    broken = file.read_text().replace('"name": "look"', '"name": "peek"')
    assert broken != file.read_text()
    (program.directory / "broken.json").write_text(broken)
    ended = await program("replay", str(program.directory))
    assert ended.code == 1
    assert "breaks" in ended.out
    assert "2 histories replayed, 1 broken" in ended.out
    assert "Traceback" not in ended.out + ended.err


async def test_recorded_histories_replay(program: Program) -> None:
    ended = await program("replay", str(HISTORIES))
    assert (ended.code, " 0 broken" in ended.out) == (0, True), ended.out


@pytest.mark.parametrize("content", ["", "{", "[]", '{"events": []}', '{"events": [{"eventId": "1"}]}'])
async def test_a_file_that_is_not_a_history_is_refused(program: Program, content: str) -> None:
    (program.directory / "x.json").write_text(content)
    ended = await program("replay", "x.json")
    assert (ended.code, "x.json is not a recorded history" in ended.sentence()) == (2, True)


async def test_a_missing_file_is_refused_before_anything_is_replayed(program: Program) -> None:
    ended = await program("replay", str(HISTORIES), "y.json")
    assert (ended.code, ended.out, "no file or folder y.json" in ended.sentence()) == (2, "", True)
