"""Every ``watchkeeper`` command in the documentation works, with a server, a worker and simulated services."""

from __future__ import annotations

import asyncio
import json
import shlex
import signal
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.end_to_end.docs.commands import blocks, documented_commands
from tests.support.harness import Harness, run_harness, until_waiting
from tests.support.paths import ROOT
from tests.support.program import Ended, Program, Running
from tests.support.settings import KEY
from watchkeeper.config.settings import env_variable
from watchkeeper.demo.world import World
from watchkeeper.temporal.dev_server import dev_server
from watchkeeper.temporal.ports import free_port
from watchkeeper.testing.scripts import calls, says
from workflows.incident import IncidentWorkflow

pytestmark = pytest.mark.timeout(240)

SCRIPT = [calls(("restart", {"service": "checkout"})), says("Nothing more is known. Roll back.")]
"""The call waits for a person."""

RUN = '.venv/bin/watchkeeper run "Checkout users report failed orders." --service checkout --limit rounds=10'
ASK = '.venv/bin/watchkeeper run "What is the current error rate on the payments service?"'
EXPORT = "watchkeeper history export incident-checkout-20261122-141503-4f2a tests/histories/checkout.json"
FROM_SERVER = "watchkeeper replay --from-server \"Service = 'checkout'\""
SERVERS = {"watchkeeper dev", ".venv/bin/watchkeeper dev", "watchkeeper worker", "watchkeeper intake"}
FIRST_MINUTES = {".venv/bin/watchkeeper init", ".venv/bin/watchkeeper demo --live"}
"""Run by ``test_first_minutes.py``."""


def watchkeeper_commands() -> set[str]:
    """Return the documented ``watchkeeper`` commands; the name alone is not a command."""
    typed = {command for command in documented_commands() if Path(command.split()[0]).name == "watchkeeper"}
    return typed - {"watchkeeper"}


@dataclass
class Tour:
    """Runs commands of the documentation, and keeps which."""

    program: Program
    tried: set[str] = field(default_factory=set)

    async def begin(self, command: str, filled: Mapping[str, str] | None = None, **environment: str) -> Running:
        """Start a command, with its placeholders replaced."""
        self.tried.add(command)
        words = shlex.split(command)[1:]
        return await self.program.begin(*((filled or {}).get(word, word) for word in words), **environment)

    async def do(self, command: str, filled: Mapping[str, str] | None = None) -> Ended:
        """Run a command to its end. It must succeed."""
        ended = await (await self.begin(command, filled)).end()
        assert ended.code == 0, f"{command}: {ended.err}{ended.out}"
        return ended


@asynccontextmanager
async def start_tour(client: Client, directory: Path) -> AsyncIterator[tuple[Tour, Harness]]:
    async with World.running() as world, run_harness(client, SCRIPT) as harness:
        settings = harness.settings
        (directory / "watchkeeper.toml").write_text(
            f"[worker]\ntask_queue = '{settings.worker.task_queue}'\n"
            f"[model]\nbase_url = '{settings.model.base_url}'\nname = 'scripted'\n"
            f"[services.checkout]\nteam = 'checkout'\n"
            f"[teams.checkout]\nrouting_key = '{world.routing_keys['checkout']}'\n"
            f"[pagerduty]\nevents_url = '{world.urls.pagerduty_events_url}'\n"
        )
        address = client.service_client.config.target_host
        environment = {"TEMPORAL_ADDRESS": address, env_variable("model", "api_key"): KEY}
        yield Tour(Program(directory, environment)), harness


@pytest.fixture
async def empty_server() -> AsyncIterator[Client]:
    """A client of a server without runs of other tests."""
    async with dev_server(port=free_port(), ui_port=free_port()) as server:
        yield server.client


async def test_every_command_of_the_page_works(empty_server: Client, tmp_path: Path) -> None:
    async with start_tour(empty_server, tmp_path) as (tour, harness):

        async def begin_run(command: str) -> tuple[Running, dict[str, str]]:
            """Start a run and wait for its approval request; return its process and the values of the placeholders."""
            running = await tour.begin(command)
            output = await running.says("incident-")
            run = next(word for word in output.split() if word.startswith("incident-"))
            await until_waiting(empty_server.get_workflow_handle_for(IncidentWorkflow.run, run), "r1.0")
            return running, {"RUN": run, "CALL": "r1.0", "TEXT": "Mind the promotion codes."}

        running, placeholders = await begin_run(RUN)
        assert placeholders["RUN"] in (await tour.do("watchkeeper list")).out
        assert "restart" in (await tour.do("watchkeeper show RUN", placeholders)).out
        async with asyncio.timeout(30):  # lists are updated with a short delay
            while placeholders["RUN"] not in (await tour.do("watchkeeper list --waiting approval")).out:
                await asyncio.sleep(0.2)
        watching = await tour.begin("watchkeeper watch RUN", placeholders)
        assert " 0 broken" in (await tour.do("watchkeeper replay --open")).out
        await tour.do("watchkeeper tell RUN TEXT", placeholders)
        assert "20" in (await tour.do("watchkeeper extend RUN rounds=10", placeholders)).out
        await tour.do("watchkeeper approve RUN CALL", placeholders)
        for follower in (running, watching):
            followed = await follower.end()
            assert (followed.code, "Nothing more is known. Roll back." in followed.out) == (0, True)
        assert harness.effects.restarts == ["checkout"]
        assert placeholders["TEXT"] in json.dumps(harness.messages())

        page = await tour.do("watchkeeper report RUN", placeholders)
        assert "Roll back." in page.out
        report_arguments = {**placeholders, "incident.html": "page.html"}
        await tour.do(".venv/bin/watchkeeper report RUN --html -o incident.html", report_arguments)
        assert "Roll back." in (tour.program.directory / "page.html").read_text()
        assert placeholders["RUN"] in (await tour.do(".venv/bin/watchkeeper list")).out
        assert "restart" in (await tour.do(".venv/bin/watchkeeper show RUN", placeholders)).out
        assert " 0 broken" in (await tour.do(".venv/bin/watchkeeper replay --open")).out

        await tour.do("watchkeeper history export RUN FILE", {**placeholders, "FILE": "here.json"})
        assert "agrees" in (await tour.do("watchkeeper replay PATH...", {"PATH...": "here.json"})).out

        await tour.do(EXPORT, {EXPORT.split()[-2]: placeholders["RUN"], EXPORT.split()[-1]: "checkout.json"})
        assert "1 history replayed" in (await tour.do(FROM_SERVER)).out

        running, placeholders = await begin_run(ASK)
        await tour.do("watchkeeper deny RUN CALL", placeholders)
        assert ((await running.end()).code, harness.effects.restarts) == (0, ["checkout"])

        running, placeholders = await begin_run(RUN)
        await tour.do("watchkeeper stop RUN", placeholders)
        assert (await running.end()).code == 5

        assert "search_logs" in (await tour.do("watchkeeper tools")).out
        assert "✓ Temporal" in (await tour.do("watchkeeper check")).out
    not_run = watchkeeper_commands() - SERVERS - FIRST_MINUTES - tour.tried
    assert not not_run, "the documentation shows these and no test runs them; run them in the tour"
    assert not tour.tried - watchkeeper_commands(), "the documentation no longer shows these"


@pytest.mark.slow
async def test_processes_start_as_shown_and_end_on_a_signal(client: Client, tmp_path: Path) -> None:
    ports = ["--temporal-port", str(free_port()), "--ui-port", str(free_port()), "--intake-port", str(free_port())]
    ready = {
        "watchkeeper worker": ([], "working on the task queue"),
        "watchkeeper intake": (["--port", "0"], "listening at"),
        "watchkeeper dev": (ports, "Ctrl-C ends it"),
        ".venv/bin/watchkeeper dev": (ports, "Ctrl-C ends it"),
    }
    assert ready.keys() == SERVERS & watchkeeper_commands()
    environment = dict(exported_variables())
    async with start_tour(client, tmp_path) as (tour, harness):
        environment[env_variable("model", "base_url")] = str(harness.settings.model.base_url)
        for command, (options, expected_output) in ready.items():
            process = await tour.program.begin(*shlex.split(command)[1:], *options, **environment)
            await process.says(expected_output)
            process.send(signal.SIGTERM)
            ended = await process.end()
            assert (ended.code, "Traceback" in ended.err) == (0, False), f"{command}: {ended.err}"


def exported_variables() -> list[tuple[str, str]]:
    """Return the variables that the README exports first. They must be settings."""
    typed = [command for block in blocks(ROOT / "README.md") for command in block if command.startswith("export ")]
    pairs = [command.removeprefix("export ").partition("=") for command in typed]
    assert [name for name, _, _ in pairs] == [env_variable("model", key) for key in ("base_url", "name", "api_key")]
    return [(name, value) for name, _, value in pairs]
