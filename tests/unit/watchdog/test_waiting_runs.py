"""The intake counts the runs that wait for a person's approval."""

from __future__ import annotations

from tests.support.harness import run_harness, until_waiting
from tests.unit.watchdog.conftest import Setup, nowhere, until
from watchkeeper.contracts import Decision
from watchkeeper.testing.scripts import calls, says
from workflows.incident import IncidentWorkflow

RESTART = ("restart", {"service": "checkout"})


async def test_runs_that_wait_for_approval_are_counted(setup: Setup) -> None:
    script = [calls(RESTART), says("**Status:** checkout is degraded.")]
    async with (
        run_harness(setup.client, script, worker={"task_queue": setup.queue}) as harness,
        run_harness(setup.client, script) as elsewhere,
        setup.running_watchdog() as watchdog,
    ):
        first, second, other = await harness.start(), await harness.start(), await elsewhere.start()
        for run in (first, second, other):
            await until_waiting(run, "r1.0")
        await until(lambda: watchdog.counts.approvals == 2)
        await first.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True))
        await until(lambda: watchdog.counts.approvals == 1)
        await second.terminate("by mistake")
        await until(lambda: watchdog.counts.approvals == 0)


async def test_an_outage_of_temporal_keeps_the_last_count(setup: Setup) -> None:
    with setup.watchdog(await nowhere()) as watchdog:
        watchdog.counts.approvals = 2
        await watchdog.poll()
        assert watchdog.counts.approvals == 2
