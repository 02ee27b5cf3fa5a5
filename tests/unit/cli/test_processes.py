"""The long-running processes: the demo, ``dev`` and the worker, and how they end."""

from __future__ import annotations

import asyncio
import json
import os
import pty
import re
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.support.program import Program, Running
from watchkeeper.demo.demo_settings import INCIDENT
from watchkeeper.demo.script import on_call_engineer
from watchkeeper.temporal.ports import free_port, is_free
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import says

pytestmark = pytest.mark.timeout(180)

FOUND = ("18.2%", "4,200 ms", "v2.4.1", "NullPointerException", "INC-4827")


@pytest.fixture
def program(tmp_path: Path) -> Program:
    return Program(tmp_path)


def ports() -> tuple[str, ...]:
    return "--temporal-port", str(free_port()), "--ui-port", str(free_port())


def serves(chosen: tuple[str, ...]) -> bool:
    """Return whether a server process with these ports exists."""
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().decode(errors="replace").split("\0")
        except OSError:
            continue
        if "start-dev" in command and chosen[1] in command:
            return True
    return False


def port_of(output: str, name: str) -> int:
    found = re.search(rf"{name}: (?:http://)?127\.0\.0\.1:(\d+)", output)
    assert found, output
    return int(found[1])


def keyed(url: str) -> dict[str, str]:
    return {"WATCHKEEPER_MODEL__BASE_URL": url, "WATCHKEEPER_MODEL__API_KEY": "key"}


@asynccontextmanager
async def developing(program: Program, *arguments: str, **environment: str) -> AsyncIterator[tuple[Running, str]]:
    """Run ``watchkeeper dev`` with a scripted model."""
    async with ScriptedModel(on_call_engineer).serve() as url:
        variables = {"WATCHKEEPER_INTAKE__PORT": str(free_port()), **keyed(url), **environment}
        dev = await program.begin("dev", *arguments, **variables)
        output = await dev.says("Ctrl-C ends it")
        try:
            yield dev, output
        finally:
            if dev.process.returncode is None:
                dev.send(signal.SIGINT)
                await dev.end()


async def test_the_demo_solves_the_incident_and_ends(program: Program) -> None:
    ended = await program("demo", *ports(), WATCHKEEPER_MODEL__API_KEY="of-somebody-else")
    assert (ended.code, ended.err) == (0, "")
    for text in (*FOUND, INCIDENT, "round 3  answers", "concluded", "3 rounds · 4 calls"):
        assert text in ended.out
    for call in ("r1.0  get_service_health", "r1.1  get_deploys", "r1.2  search_logs", "r2.0  page_engineer"):
        assert call in ended.out
    assert "1 page arrived at the simulated PagerDuty: INC-4827 for the checkout team" in ended.out
    assert "/namespaces/default/workflows/incident-checkout-" in ended.out
    assert is_free(port_of(ended.out, "Temporal UI"))


async def test_demos_use_free_ports_if_the_usual_ones_are_in_use(program: Program) -> None:
    demos = await asyncio.gather(program("demo"), program("demo"))
    assert [demo.code for demo in demos] == [0, 0], demos
    assert len({port_of(demo.out, "Temporal UI") for demo in demos}) == 2
    assert all("1 page arrived" in demo.out for demo in demos)


async def test_at_a_terminal_the_demo_stays_up_for_more_questions(program: Program) -> None:
    master, slave = pty.openpty()
    port = free_port()
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "watchkeeper.cli.main", "demo", "--temporal-port", str(port)),
        *("--ui-port", str(free_port())),
        cwd=program.directory,
        env={**program.full_environment, "TERM": "xterm-256color", "COLUMNS": "120"},
        stdin=slave,
        stdout=slave,
        stderr=slave,
    )
    os.close(slave)
    written, screen = b"", ""

    async def shows(text: str) -> None:
        nonlocal written, screen
        while text not in screen:
            try:
                written += await asyncio.to_thread(os.read, master, 65_536)
            except OSError:  # the demo has ended
                pytest.fail(f"the demo ended without {text!r}: {screen}")
            # A read may end within a character.
            screen = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", written.decode(errors="ignore"))

    async with asyncio.timeout(60):
        await shows("Everything stays up until Ctrl-C")
        assert f"export TEMPORAL_ADDRESS=127.0.0.1:{port}" in screen
        assert 'watchkeeper run "What is the current error rate on the payments service?"' in screen
        environment = {"TEMPORAL_ADDRESS": f"127.0.0.1:{port}"}
        question = await program("run", "What is the current error rate on the payments service?", **environment)
        assert (question.code, "0.2%" in question.out, "180 ms" in question.out) == (0, True, True)
        page = await program(
            "run", "Page the checkout on-call: orders fail.", "--tool-choice", "page_engineer", **environment
        )
        assert (page.code, "page_engineer" in page.out) == (0, True)
        demo.send_signal(signal.SIGINT)
        await shows("Ending")
        assert await demo.wait() == 0
    os.close(master)
    assert is_free(port)


async def test_an_interrupted_demo_leaves_nothing_behind(program: Program) -> None:
    for wait_for in ("Temporal UI", "round 1"):
        chosen = ports()
        demo = await program.begin("demo", *chosen)
        await demo.says(wait_for)
        demo.send(signal.SIGTERM)
        ended = await demo.end()
        assert (ended.code, "Traceback" in ended.err) == (0, False), ended.err
        assert not serves(chosen)


@pytest.mark.parametrize("signal_number", [signal.SIGINT, signal.SIGTERM])
async def test_dev_serves_runs_and_ends_cleanly(program: Program, signal_number: signal.Signals) -> None:
    chosen = ports()
    async with developing(program, *chosen) as (dev, output):
        assert serves(chosen)
        environment = {"TEMPORAL_ADDRESS": f"127.0.0.1:{port_of(output, 'Temporal')}"}
        assert "Runs are kept in: watchkeeper.db" in output
        assert f"export TEMPORAL_ADDRESS={environment['TEMPORAL_ADDRESS']}" in output
        # No tool of this run reaches a back end; the run still concludes.
        ended = await program("run", "What is the current error rate on the payments service?", **environment)
        assert ended.code == 0
        dev.send(signal_number)
        ended_dev = await dev.end()
    assert ended_dev.code == 0
    assert "Traceback" not in ended_dev.err
    assert "WARN" not in ended_dev.err
    assert not serves(chosen)
    async with developing(program, *ports()) as (_, output):
        listed = await program("list", "--json", TEMPORAL_ADDRESS=f"127.0.0.1:{port_of(output, 'Temporal')}")
    assert [item["status"] for item in json.loads(listed.out)] == ["concluded"]


async def test_dev_ends_cleanly_while_it_starts(program: Program) -> None:
    chosen = ports()
    dev = await program.begin("dev", *chosen, "--intake-port", str(free_port()), WATCHKEEPER_MODEL__API_KEY="key")
    while not serves(chosen):
        await asyncio.sleep(0.02)
    dev.send(signal.SIGTERM)
    ended = await dev.end()
    assert (ended.code, "Traceback" in ended.err) == (0, False), ended.err
    assert not serves(chosen)


MAIN = """
import sys
import watchkeeper.cli.main as entry
try:
    print("started", flush=True)
    entry.main()
except KeyboardInterrupt as interrupt:
    if interrupt.__traceback__.tb_next:
        raise
    sys.exit(130)  # Interrupted in this script, not in the program.
"""
"""Starts the program, and reports when Python has started: before that, the program cannot handle Ctrl-C."""


@pytest.mark.parametrize("command", [("dev",), ("list",), ("demo",)], ids=" ".join)
@pytest.mark.parametrize("delay", [0, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0])
async def test_ctrl_c_at_any_moment_prints_no_traceback(
    program: Program, command: tuple[str, ...], delay: float
) -> None:
    chosen = ports() if command != ("list",) else ()
    environment = {"WATCHKEEPER_MODEL__API_KEY": "key", "TEMPORAL_ADDRESS": "127.0.0.1:1"}  # no server is there
    running = await program.begin_python("-c", MAIN, *command, *chosen, **environment)
    await running.says("started")
    await asyncio.sleep(delay)
    with suppress(ProcessLookupError):
        running.send(signal.SIGINT)
    ended = await running.end()
    assert not re.search("Traceback|never awaited|Error", ended.err), ended.err
    assert ended.code in ((0, 130) if chosen else (1, 130)), "list must fail without a server"
    async with asyncio.timeout(20):
        while chosen and serves(chosen):  # a killed server needs a moment to end
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("command", ["worker", "dev"])
async def test_a_cost_limit_without_prices_stops_the_start(program: Program, command: str) -> None:
    ended = await program(command, WATCHKEEPER_MODEL__API_KEY="key", WATCHKEEPER_LIMITS__COST="2.5")
    assert ended.code == 1
    assert "limits.cost = 2.5 needs the prices of every model" in ended.sentence()
    assert "remove limits.cost" in ended.sentence()


async def test_dev_names_a_port_in_use_and_the_option(program: Program) -> None:
    async with developing(program, *ports()) as (_, output):
        taken = str(port_of(output, "Temporal"))
        ended = await program("dev", "--temporal-port", taken, WATCHKEEPER_MODEL__API_KEY="key")
        assert ended.code == 1
        assert f"port {taken} for Temporal is in use; choose another one with --temporal-port" in ended.sentence()
        demo = await program("demo", "--ui-port", taken)
        assert (demo.code, "--ui-port" in demo.sentence()) == (1, True)


async def test_a_worker_executes_a_waiting_run_and_drains(client: Client, program: Program) -> None:
    address = client.service_client.config.target_host
    (program.directory / "watchkeeper.toml").write_text("[worker]\ntask_queue = 'drained'\n")
    async with ScriptedModel([says("All is well.")], key="key").serve() as url:
        started = await program("run", "Is it?", "--no-wait", TEMPORAL_ADDRESS=address)
        worker = await program.begin("worker", TEMPORAL_ADDRESS=address, **keyed(url))
        await worker.says("working on the task queue 'drained'")
        watched = await program("watch", started.out.strip(), TEMPORAL_ADDRESS=address)
        worker.send(signal.SIGTERM)
        ended = await worker.end()
    assert (watched.code, "All is well." in watched.out) == (0, True)
    assert (ended.code, "drained" in ended.err, "Traceback" in ended.err) == (0, True, False)
