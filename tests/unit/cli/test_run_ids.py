"""Every command that takes a run takes its run id, a unique beginning of an id, and ``latest``."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.support.cli_desk import address_of, at_desk
from tests.support.harness import until_waiting
from tests.support.program import Program
from tests.support.temporal import temporal_client
from watchkeeper.testing.scripts import always, calls, says

RESTART = ("restart", {"service": "checkout"})
REPORT = "**Status:** checkout is degraded."

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
async def quiet() -> AsyncIterator[Client]:
    """A server of its own, where ``latest`` is the run of the test."""
    async with temporal_client() as client:
        yield client


@pytest.fixture
def quiet_program(quiet: Client, tmp_path: Path) -> Program:
    return Program(tmp_path, {"TEMPORAL_ADDRESS": address_of(quiet)})


async def test_people_act_on_a_run_by_any_name(quiet: Client, quiet_program: Program) -> None:
    script = always(calls(RESTART), without_tools=says(REPORT))
    async with at_desk(quiet, quiet_program, script) as desk:
        run = await desk.started("--limit", "rounds=9")
        handle = quiet.get_workflow_handle(run)
        run_id = (await handle.describe()).run_id
        names = ["latest", run_id, run_id[:-2], run[:-1]]
        for number, name in enumerate(names, 1):
            call = f"r{number}.0"
            await until_waiting(handle, call)
            shown = await desk.program("show", name, "--json")
            assert json.loads(shown.out)["run"] == run
            told = await desk.program("tell", name, "Payments was deployed.")
            extended = await desk.program("extend", name, "rounds=2")
            decided = await desk.program("approve" if number % 2 else "deny", name, call)
            answers = [told, extended, decided]
            assert [(ended.code, ended.err.strip()) for ended in answers] == [(0, f"run {run}")] * 3
        stopped = await desk.program("stop", "latest")
        watched = await desk.program("watch", "latest")
        reported = await desk.program("report", run_id)
        exported = await desk.program("history", "export", run[:-1], "here.json")
    assert (stopped.code, watched.code, reported.code, exported.code) == (0, 5, 0, 0)
    assert run in watched.out
    assert run in reported.out
    assert json.loads((quiet_program.directory / "here.json").read_text())["events"]


async def test_an_ambiguous_beginning_is_one_sentence(quiet: Client, quiet_program: Program) -> None:
    async with at_desk(quiet, quiet_program, [calls(RESTART), says(REPORT)]) as desk:
        runs = [await desk.started() for _ in range(2)]
        for run in runs:
            await until_waiting(quiet.get_workflow_handle(run), "r1.0")
        for arguments in (["show", "incident-"], ["stop", "inci"], ["approve", "latest", "r1.0"]):
            ended = await desk.program(*arguments)
            assert ended.code == 1
            assert all(f"{run} (started 2" in ended.sentence() for run in runs)
            assert "UTC, 'Checkout fails.')" in ended.sentence()
        assert desk.harness.effects.restarts == []
        for run in runs:
            await quiet.get_workflow_handle(run).terminate()
