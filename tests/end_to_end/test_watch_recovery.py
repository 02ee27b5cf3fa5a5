"""Watching while a worker is killed and while Temporal is: at a terminal and through a pipe, to the report."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.end_to_end.chaos.hosts import run_hosts
from tests.end_to_end.chaos.incidents import INCIDENTS
from tests.end_to_end.chaos.scripted_run import Environment, ScriptedRun, scripted_run
from tests.end_to_end.chaos.temporal_server import run_server
from tests.support.program import Program
from tests.support.terminal_screen import at_terminal

pytestmark = pytest.mark.timeout(180)


@asynccontextmanager
async def played() -> AsyncIterator[ScriptedRun]:
    """A run on a server of its own, begun before there is a worker."""
    async with (
        run_server() as server,
        run_hosts() as back_ends,
        scripted_run(Environment(server, back_ends), INCIDENTS["full"]) as run,
    ):
        await run.start()
        yield run


async def until_it_hangs(run: ScriptedRun) -> None:
    """Give the run a worker, and return when that hangs in the second call."""
    await run.start_worker("first", hold="r1.1")
    await run.wait_for_arrival("r1.1")


def program_of(run: ScriptedRun, directory: Path) -> Program:
    return Program(directory, {"TEMPORAL_ADDRESS": run.environment.server.address})


async def test_a_worker_that_is_killed_and_the_one_that_carries_on_are_told(tmp_path: Path) -> None:
    async with played() as run:
        program = program_of(run, tmp_path)
        piped = await program.begin("watch", run.name)
        async with at_terminal(program, "watch", run.name) as shown:
            for watching in (shown.shows, piped.says):
                await watching(f"no worker polls the task queue '{run.name}'")
            await until_it_hangs(run)
            await shown.shows("a worker continues after ", "• r1.1  look  service=payments", "1 of ")
            run.workers[0].send(signal.SIGKILL)
            lost = "r1.1 look: its worker stopped responding; attempt 2 waits for a worker"
            await shown.shows(lost, "attempt 2", "! no worker has taken it up for")
            await piped.says(lost, "no worker has taken it up for")
            await run.start_worker("second")
            await shown.shows("r1.1 look: another worker continues after")
            code = await shown.end()
        ended = await piped.end()
    assert (code, ended.code) == (0, 0)
    for read in (shown.screen.text, ended.out):
        assert read.count(lost) == 1
        assert "a worker continues after " in read
        assert "attempt 1: its worker stopped responding" in read
        assert "Checkout is back." in read
        assert read.index(lost) < read.index("another worker continues after") < read.index("Checkout is back.")
    assert "─── report" in shown.screen.text
    assert shown.screen.visible_cursor
    assert "no worker has taken it up for" not in shown.screen.text.splitlines()[-1], "the panel stays"
    assert "\x1b" not in ended.out


@pytest.mark.slow
async def test_temporal_that_is_killed_is_waited_for(tmp_path: Path) -> None:
    async with played() as run:
        program = program_of(run, tmp_path)
        piped = await program.begin("watch", run.name)
        async with at_terminal(program, "watch", run.name) as shown:
            await shown.shows("no worker polls the task queue")
            await until_it_hangs(run)
            await shown.shows("• r1.1  look")
            await run.environment.server.kill()
            await shown.shows("Temporal is out of reach; the run is safe", "! Temporal is out of reach for ")
            await asyncio.sleep(3)
            await run.environment.server.start()
            code = await shown.end()
        ended = await piped.end()
    assert (code, ended.code) == (0, 0)
    for read in (shown.screen.text, ended.out):
        assert read.count("Temporal is out of reach; the run is safe") == 1
        assert "Temporal is back, after " in read
        assert "Checkout is back." in read
