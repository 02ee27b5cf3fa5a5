"""The command line, each command a process of its own, against a real server."""

from __future__ import annotations

import asyncio
import json
import signal
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from temporalio.client import Client

from tests.support.harness import Harness, reset, run_harness
from tests.support.paths import HISTORIES
from tests.support.program import Program
from watchkeeper.runs.client import new_workflow_id
from watchkeeper.testing.faults import hang
from watchkeeper.testing.scripts import Script, ScriptedReply, always, calls, says
from watchkeeper.tool import Tool
from workflows.incident import IncidentWorkflow

LOOK = ("look", {"service": "checkout"})
RESTART = ("restart", {"service": "checkout"})
REPORT = "**Status:** checkout is degraded, 18.2 % errors.\n\nRoll back."

pytestmark = pytest.mark.timeout(180)


@dataclass(frozen=True)
class Desk:
    """A person's desk: the program, and a worker somewhere."""

    harness: Harness
    program: Program

    async def started(self, *arguments: str) -> str:
        """Start a run without waiting for it; returns its name."""
        ended = await self.program("run", "Checkout fails.", "--no-wait", *arguments)
        assert ended.code == 0, ended.err
        return ended.out.strip()

    async def shown(self, run: str) -> Any:
        """The object of a run."""
        ended = await self.program("show", run, "--json")
        assert ended.code == 0, ended.err
        return json.loads(ended.out)

    async def until(self, run: str, status: str) -> None:
        """Return when a call of the run has a status."""
        while status not in [call["status"] for call in (await self.shown(run))["tool_calls"]]:
            await asyncio.sleep(0.1)


def address_of(client: Client) -> str:
    return client.service_client.config.target_host


@pytest.fixture
def program(client: Client, tmp_path: Path) -> Program:
    return Program(tmp_path, {"TEMPORAL_ADDRESS": address_of(client)})


@asynccontextmanager
async def at_desk(
    client: Client,
    program: Program,
    script: Script | Sequence[ScriptedReply],
    tools: Mapping[str, Tool[Any]] | None = None,
    **settings: Any,
) -> AsyncIterator[Desk]:
    async with run_harness(client, script, tools=tools, **settings) as harness:
        write_config(program, harness.settings.worker.task_queue)
        yield Desk(harness, program)


def write_config(program: Program, queue: str) -> None:
    services = "[services.checkout]\nteam = 'checkout'\n[services.payments]\nteam = 'payments'\n"
    (program.directory / "watchkeeper.toml").write_text(f"[worker]\ntask_queue = '{queue}'\n{services}")


# --- following a run ----------------------------------------------------------------------------------------------


async def test_run_tells_the_rounds_the_calls_and_the_report(client: Client, program: Program) -> None:
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
    assert "**Status:** checkout is degraded, 18.2 % errors." in lines
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


async def test_the_exit_code_says_how_it_ended(client: Client, program: Program) -> None:
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


async def test_a_finished_run_is_told_again_without_a_worker(client: Client, program: Program) -> None:
    async with at_desk(client, program, [calls(LOOK), says(REPORT)]) as desk:
        first = await desk.program("run", "Checkout fails.")
    run = first.out.split()[0]
    again, shown = await program("watch", run), await program("show", run)
    assert again.out == shown.out == first.out
    assert (again.code, shown.code) == (0, 0)


async def test_a_watcher_goes_on_with_a_run_that_is_reset(client: Client, program: Program) -> None:
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


async def test_an_interrupted_watcher_says_how_to_come_back(client: Client, program: Program) -> None:
    async with at_desk(client, program, [calls(RESTART), says(REPORT)]) as desk:
        following = await desk.program.begin("run", "Checkout fails.")
        said = await following.says("watchkeeper approve")
        run = said.split()[0]
        following.send(signal.SIGINT)
        ended = await following.end()
        assert ended.code == 130
        assert f"watchkeeper watch {run}" in ended.err
        assert "Traceback" not in ended.err
        assert (await desk.shown(run))["status"] == "running"
        assert (await desk.program("approve", run, "r1.0")).code == 0
        assert (await desk.program("watch", run)).code == 0


async def test_a_run_without_a_worker_says_so(program: Program) -> None:
    write_config(program, "nobody-polls-this")
    following = await program.begin("run", "Is anybody there?")
    said = await following.says("no worker polls the task queue 'nobody-polls-this'")
    assert "watchkeeper worker" in said
    following.send(signal.SIGINT)
    assert (await following.end()).code == 130
    assert (await program("show", said.split()[0])).code == 0


async def test_what_holds_a_run_up_is_said(client: Client, program: Program) -> None:
    async with at_desk(client, program, [says(REPORT)]) as desk:
        desk.harness.model.fail_next(503, "overloaded, come back", {"retry-after": "5"}, times=1)
        ended = await desk.program("run", "x")
    assert ended.code == 0
    assert "r1 ask: attempt 2, the last one failed: " in ended.out
    assert "overloaded, come back" in ended.out
    assert "2 attempts" in ended.out


async def test_what_a_terminal_would_obey_is_not_printed(client: Client, program: Program) -> None:
    hostile = "\x1b]0;owned\x07 \x1b[2J \u202egnp.exe"
    async with at_desk(client, program, [calls(("look", {"service": hostile})), says(f"Report {hostile}")]) as desk:
        ended = await desk.program("run", f"Alert {hostile}")
    assert ended.code == 0
    assert not {"\x1b", "\x07", "\u202e"} & set(ended.out)
    assert "]0;owned" in ended.out


# --- people's acts ------------------------------------------------------------------------------------------------


async def test_approvals_are_asked_for_and_given(client: Client, program: Program) -> None:
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
        wrong = await desk.program("approve", run, "r7.7")
        assert (wrong.code, "no call 'r7.7' waits" in wrong.sentence()) == (1, True)
        assert (await desk.program("deny", run, "r1.0", "--note", "not on a Friday")).code == 0
        ended = await desk.program("watch", run)
    assert ended.code == 0
    assert "ada denies r1.0 (restart): not on a Friday" in ended.out
    assert desk.harness.effects.restarts == []


async def test_words_and_extensions_reach_the_run(client: Client, program: Program) -> None:
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
    assert item["summary"] == "Status: checkout is degraded, 18.2 % errors."
    assert any(line.startswith(run) and "concluded" in line for line in plain.out.splitlines())


LOADED = """
import sys
from watchkeeper.cli.command_line import app
try:
    app(sys.argv[1:])
except SystemExit as ended:
    assert not ended.code, ended.code
print(sorted({"workflows", "activities", "fastapi", "httpx2", "worker"} & set(sys.modules)))
"""


@pytest.mark.parametrize("command", [["list", "--json"], ["--help"]])
async def test_looking_imports_no_model_client(program: Program, command: list[str]) -> None:
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


async def test_what_is_not_there_is_refused_before_anything_is_replayed(program: Program) -> None:
    ended = await program("replay", str(HISTORIES), "y.json")
    assert (ended.code, ended.out, "no file or folder y.json" in ended.sentence()) == (2, "", True)


# --- bad input ----------------------------------------------------------------------------------------------------

NOWHERE = "127.0.0.1:1"


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["run", "x", "--limit", "round=3"], 2, "no limit 'round=3'"),
        (["run", "x", "--limit", "rounds=many"], 2, "rounds=many: the value must be a whole number above 0"),
        (["run", "x", "--limit", "rounds=-1"], 2, "rounds=-1: the value must be a whole number above 0"),
        (["run", "x", "--limit", "duration=soon"], 2, "duration=soon: the value must be a time above 0, such as 90s"),
        (["run", "x", "--limit", "cost=free"], 2, "cost=free: the value must be US dollars above 0"),
        (["run", "x", "--limit", "rounds=0"], 2, "must be above 0"),
        (["run", "x", "--limit", "rounds=3", "--limit", "rounds=4"], 2, "'rounds' is given twice"),
        (["run", "x", "--service", "chekout"], 2, "no service 'chekout' in the catalogue; known: checkout, payments"),
        (["run", " "], 2, "the text is empty"),
        (["run", "x" * 100_001], 2, "text: 100,001 characters are too many; at most 100,000 can be sent"),
        (["run", "x", "--severity", "x" * 151], 2, "severity: 151 characters are too many; at most 150 can be sent"),
        (["extend", "nope", "rounds"], 2, "no limit 'rounds'"),
        (["show", "nope"], 1, "no run 'nope' in the namespace 'default'; `watchkeeper list` shows"),
        (["show", "nope", "--json"], 1, "no run 'nope'"),
        (["watch", "nope"], 1, "no run 'nope'"),
        (["tell", "nope", "hello"], 1, "no run 'nope'"),
        (["approve", "nope", "r1.0"], 1, "no run 'nope'"),
        (["stop", "nope"], 1, "no run 'nope'"),
        (["history", "export", "nope", "x.json"], 1, "no run 'nope'"),
        (["replay", "nowhere.json"], 2, "no file or folder nowhere.json"),
        (["--config", "nowhere.toml", "tools"], 1, "cannot read 'nowhere.toml'"),
        (["dev", "--temporal-port", "1"], 1, "set WATCHKEEPER_MODEL__API_KEY"),
        (["demo", "--live"], 1, "set WATCHKEEPER_MODEL__API_KEY"),
        (["worker"], 1, "set WATCHKEEPER_MODEL__API_KEY"),
    ],
)
async def test_bad_input_is_one_sentence(program: Program, arguments: list[str], code: int, said: str) -> None:
    write_config(program, "unused")
    ended = await program(*arguments)
    assert said in ended.sentence()
    assert ended.code == code


@pytest.mark.parametrize(
    "arguments",
    [["list"], ["run", "x"], ["show", "x"], ["tell", "x", "y"], ["worker"], ["history", "export", "x", "y"]],
)
async def test_a_server_out_of_reach_is_one_sentence(program: Program, arguments: list[str]) -> None:
    ended = await program(*arguments, TEMPORAL_ADDRESS=NOWHERE, WATCHKEEPER_MODEL__API_KEY="x")
    said = ended.sentence()
    assert f"no Temporal server answers at {NOWHERE} (Connection refused)" in said
    assert "TEMPORAL_ADDRESS" in said
    assert ended.code == 1


async def test_an_unknown_namespace_is_one_sentence(program: Program) -> None:
    ended = await program("list", TEMPORAL_NAMESPACE="nowhere")
    assert (ended.code, "nowhere" in ended.sentence(), "TEMPORAL_NAMESPACE" in ended.err) == (1, True, True)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[model", "is not valid TOML"),
        ("[modell]\nname = 'x'", "no such setting: modell"),
        ("[model]\ndeadline = -1", "model.deadline"),
    ],
)
async def test_broken_settings_are_one_sentence(program: Program, content: str, said: str) -> None:
    (program.directory / "watchkeeper.toml").write_text(content)
    for command in (["run", "x"], ["tools"], ["worker"], ["dev"]):
        ended = await program(*command)
        assert (ended.code, said in ended.sentence()) == (1, True), ended.err


async def test_a_service_that_only_the_worker_knows_not_fails_the_run(client: Client, program: Program) -> None:
    async with at_desk(client, program, [says(REPORT)]) as desk:
        (program.directory / "watchkeeper.toml").write_text(
            f"[worker]\ntask_queue = '{desk.harness.settings.worker.task_queue}'\n"
        )
        ended = await program("run", "x", "--service", "chekout")
    assert ended.code == 4
    assert "no service 'chekout' in the catalogue; known: checkout, payments" in ended.out


async def test_misuse_is_exit_code_2(program: Program) -> None:
    for arguments in (["run"], ["nonsense"], ["show"], ["list", "--limit", "0"]):
        ended = await program(*arguments)
        assert ended.code == 2
        assert "Traceback" not in ended.err


def test_runs_are_named_for_people() -> None:
    now = datetime(2026, 11, 22, 14, 15, 3, tzinfo=UTC)
    assert new_workflow_id("Check Out/eu", now).startswith("incident-check-out-eu-20261122-141503-")
    assert new_workflow_id(None, now).startswith("incident-20261122-141503-")
    assert new_workflow_id("checkout", now) != new_workflow_id("checkout", now)
