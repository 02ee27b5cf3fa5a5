"""Following continues when a run is reset in Temporal."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import pytest
from temporalio.client import Client

from tests.support.harness import Run, reset, run_harness
from tests.workflows.test_continue_as_new import executions, impatient
from watchkeeper.contracts import Decision, LimitChanges
from watchkeeper.run_view.entries import Call, Round, RunReset
from watchkeeper.run_view.follow import follow_run, read_run
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.projection import RunChange, RunProjection
from watchkeeper.temporal.client import DATA_CONVERTER
from watchkeeper.testing.scripts import ScriptedReply, calls, says
from workflows.incident import IncidentWorkflow

__all__ = ["impatient"]

LOOK = ("look", {"service": "checkout"})
RESTART = ("restart", {"service": "checkout"})


class Follower:
    """Follows a run and keeps its changes and notices."""

    def __init__(self, client: Client, run: Run) -> None:
        self.changes: list[RunChange] = []
        self.notices: list[str] = []
        projection = RunProjection(DATA_CONVERTER)
        self.following = asyncio.create_task(
            follow_run(client, run.id, projection, self.changes.append, self.notices.append)
        )

    async def until(self, happened: Callable[[RunChange], bool], times: int = 1) -> None:
        """Wait for a number of matching changes."""
        while sum(map(happened, self.changes)) < times:
            assert not self.following.done(), self.following
            await asyncio.sleep(0.02)


def waits(told: RunChange) -> bool:
    return isinstance(told, Call) and told.approval is not None


def answered(told: RunChange) -> bool:
    return isinstance(told, Round) and told.reply is not None


async def test_a_run_can_be_followed_across_a_reset(client: Client) -> None:
    async with run_harness(client, [calls(LOOK), calls(RESTART), says("**Fine** again.")]) as harness:
        run = await harness.start()
        follower = Follower(client, run)
        await follower.until(waits)
        again = await reset(client, run, before="r2")
        await follower.until(waits, times=2)
        await again.execute_update(IncidentWorkflow.decide, Decision(call="r2.0", approved=True, by="ada"))
        view = await asyncio.wait_for(follower.following, 30)
    assert (view.status, view.run_id, view.first_run_id) == ("concluded", again.run_id, run.first_execution_run_id)
    assert [told.number for told in follower.changes if isinstance(told, Round) and answered(told)] == [1, 2, 2, 3]
    assert [told for told in follower.changes if isinstance(told, RunReset)] == [RunReset("decide again")]
    assert follower.changes[-1] is view
    assert [(call.key, call.status) for call in view.calls.values()] == [("r1.0", "ok"), ("r2.0", "ok")]
    assert [told.number for told in view.rounds if told.reply] == [1, 2, 3]
    assert harness.effects.restarts == ["checkout"]


async def test_a_run_can_be_followed_across_continue_as_new_and_a_reset(impatient: Client) -> None:
    script: list[ScriptedReply] = [*[calls(LOOK)] * 7, calls(RESTART), says("**Fine** again.")]
    async with run_harness(impatient, script) as harness:
        run = await harness.start()
        follower = Follower(impatient, run)
        await follower.until(waits)
        before = await executions(harness, run.id)
        again = await reset(impatient, run, before="r8")
        await follower.until(waits, times=2)
        await again.execute_update(IncidentWorkflow.decide, Decision(call="r8.0", approved=True, by="ada"))
        view = await asyncio.wait_for(follower.following, 30)
        latest = (await run.describe()).run_id
        retold = await read_run(impatient, run.id)
    assert len(before) > 1
    assert (view.status, view.run_id, view.first_run_id) == ("concluded", latest, run.first_execution_run_id)
    assert [told.number for told in view.rounds if told.reply] == [*range(1, 10)]
    assert [told.number for told in follower.changes if isinstance(told, Round) and answered(told)] == [
        *range(1, 9),
        8,
        9,
    ]
    assert retold == view


async def test_following_ends_when_a_person_terminates_the_run(client: Client) -> None:
    async with run_harness(client, [calls(RESTART)]) as harness:
        run = await harness.start(limits=LimitChanges(rounds=5))
        follower = Follower(client, run)
        await follower.until(waits)
        await run.terminate(reason="no longer needed")
        view = await asyncio.wait_for(follower.following, 30)
    assert (view.status, view.reason) == ("stopped", "terminated in Temporal: no longer needed")
    assert isinstance(follower.changes[-1], RunView)


@pytest.mark.parametrize("times", [1, 2])
async def test_a_finished_run_that_was_reset_is_read_as_it_continued(client: Client, times: int) -> None:
    async with run_harness(client, [calls(LOOK), says("**Fine** again.")]) as harness:
        run = await harness.start()
        await run.result()
        for _ in range(times):
            run = await reset(client, run, before="r2")
            await run.result()
    told: list[RunChange] = []
    view = await read_run(client, run.id, told.append)
    assert (view.status, view.run_id, view.rounds_completed) == ("concluded", run.run_id, 2)
    assert sum(isinstance(one, RunReset) for one in told) == times
