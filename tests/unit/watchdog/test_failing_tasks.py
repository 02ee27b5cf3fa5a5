"""A bad deploy: workers poll, and every workflow task fails. People are paged, and not for a failure that passes."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.worker import Worker

from tests.unit.watchdog.conftest import Setup, until
from watchkeeper.cli.list_runs import short_status
from watchkeeper.contracts import RunInput
from watchkeeper.incident.queue_state import queue_id
from watchkeeper.run_view.follow import read_run
from watchkeeper.runs.client import list_runs
from watchkeeper.runs.list_filter import RunFilter
from watchkeeper.temporal import search_attributes
from watchkeeper.watchdog import poller
from watchkeeper.watchdog.failing_tasks import find_failing_task, list_failing

CODE = "as deployed"
"""Which code the worker has. The tests deploy another one."""


@activity.defn
async def look() -> None: ...


def deploy(code: str) -> None:
    global CODE
    CODE = code


@workflow.defn(name="IncidentWorkflow", sandboxed=False)
class Deployed:
    """A run that sleeps once and then waits, in several versions."""

    @workflow.signal
    def alert(self, number: int) -> None: ...

    @workflow.run
    async def run(self, run_input: RunInput) -> None:
        if CODE == "a bug":
            raise RuntimeError("a bug of this version")
        if CODE == "too slow":
            time.sleep(3)  # noqa: ASYNC251 - the SDK's deadlock detector must notice
        if CODE == "does not fit":
            await workflow.execute_activity(look, start_to_close_timeout=timedelta(seconds=5))
        await workflow.sleep(0.01)
        if CODE == "queued":
            workflow.upsert_search_attributes([search_attributes.PHASE.value_set("queued")])
        await workflow.wait_condition(lambda: False)


@workflow.defn(name="QueueWorkflow", sandboxed=False)
class DeployedQueue:
    @workflow.run
    async def run(self) -> None:
        raise RuntimeError("a bug of the queue")


@asynccontextmanager
async def a_worker(setup: Setup) -> AsyncIterator[None]:
    """Run a worker without a cache, so that each workflow task replays the whole history."""
    async with Worker(
        setup.client,
        task_queue=setup.queue,
        workflows=[Deployed, DeployedQueue],
        activities=[look],
        max_cached_workflows=0,
    ):
        yield


async def has_slept(client: Client, run: str) -> None:
    """Wait until the run waits."""
    async with asyncio.timeout(20):
        while (
            sum(
                event.HasField("workflow_task_completed_event_attributes")
                for event in (await client.get_workflow_handle(run).fetch_history()).events
            )
            < 2
        ):
            await asyncio.sleep(0.05)


@pytest.mark.parametrize(
    ("code", "reason", "cause"),
    [
        ("a bug", "a bug of this version", "WorkflowWorkerUnhandledFailure"),
        ("does not fit", r"\[TMPRL1100\]", "NonDeterministicError"),
        ("too slow", r"\[TMPRL1101\]|in time", "StartToClose"),
    ],
)
async def test_a_deploy_that_fails_every_task_pages_its_team_once(
    setup: Setup, monkeypatch: pytest.MonkeyPatch, code: str, reason: str, cause: str
) -> None:
    monkeypatch.setattr(poller, "STUCK_SECONDS", 1.0)
    deploy("as deployed")
    async with a_worker(setup):
        handle, started = await setup.start()
        await has_slept(setup.client, handle.id)
        deploy(code)
        await handle.signal("alert", 0)
        async with setup.running_watchdog() as watchdog:
            await watchdog.record_accepted(started)
            await until(lambda: watchdog.counts.pages, 30)
            await until(lambda: watchdog.counts.stuck, 30)
            run_filter = RunFilter(workflow_id=handle.id)
            while (listed := [run async for run in list_runs(setup.client, run_filter)])[0].problem is None:
                await asyncio.sleep(0.2)
            assert (listed[0].problem, short_status(listed[0]).plain) == (cause, f"running, stuck: {cause}")
            while not (problem := (await read_run(setup.client, handle.id)).problem):
                await asyncio.sleep(0.2)
            assert re.search(reason, problem)
            deploy("as deployed")
            await until(lambda: not watchdog.counts.stuck, 60)
            assert watchdog.counts.pages == 1
        async with asyncio.timeout(60):  # the server repeats the task by its own backoff
            while (await read_run(setup.client, handle.id)).problem:
                await asyncio.sleep(0.2)
    (delivery,) = setup.world.pages.events
    assert delivery.team == "checkout"
    assert delivery.dedup_key == f"{started.run_id}/page_engineer/checkout"
    assert "its workflow tasks have failed since" in str(delivery.summary)
    assert re.search(reason, str(delivery.summary))
    assert "Check the last deploy of the workers" in str(delivery.summary)


async def test_alerts_that_join_a_stuck_run_do_not_hide_that_it_is_stuck(setup: Setup) -> None:
    setup.set(watchdog={"outage": 5})
    deploy("as deployed")
    async with a_worker(setup):
        handle, started = await setup.start()
        await has_slept(setup.client, handle.id)
        deploy("a bug")
        async with setup.running_watchdog() as watchdog:
            await watchdog.record_accepted(started)
            began = time.monotonic()
            while not watchdog.counts.pages:
                await handle.signal("alert", 0)
                await asyncio.sleep(0.2)
                assert time.monotonic() - began < 30
    assert "a bug of this version" in str(setup.world.pages.events[0].summary)


async def test_a_failure_that_passes_pages_no_one(setup: Setup) -> None:
    setup.set(watchdog={"outage": 20})
    deploy("as deployed")
    async with a_worker(setup):
        handle, started = await setup.start()
        await has_slept(setup.client, handle.id)
        deploy("a bug")
        await handle.signal("alert", 0)
        while (failing := await find_failing_task(setup.client, handle.id, started.run_id or "")) is None:
            await asyncio.sleep(0.05)
        assert abs(failing.since - time.time()) < 10
        deploy("as deployed")
        async with setup.running_watchdog() as watchdog:
            await watchdog.record_accepted(started)
            while await find_failing_task(setup.client, handle.id, started.run_id or "") is not None:
                await asyncio.sleep(0.05)
            await asyncio.sleep(0.5)
            assert (watchdog.counts.pages, watchdog.counts.watched, watchdog.counts.stuck) == (0, 1, 0)


async def test_a_stuck_queue_pages_for_the_runs_that_wait_for_it(setup: Setup) -> None:
    deploy("queued")
    async with a_worker(setup):
        handle, started = await setup.start()
        await has_slept(setup.client, handle.id)
        name = queue_id("checkout", setup.queue)
        await setup.client.start_workflow(
            "QueueWorkflow", id=name, task_queue=setup.queue, task_timeout=timedelta(seconds=2)
        )
        async with setup.running_watchdog() as watchdog:
            await watchdog.record_accepted(started)
            await until(lambda: watchdog.counts.pages, 30)
        await setup.client.get_workflow_handle(name).terminate()
    assert f"of the queue {name}: a bug of the queue" in str(setup.world.pages.events[0].summary)


async def test_runs_of_other_installations_are_not_listed(setup: Setup) -> None:
    assert await list_failing(setup.client, f"it's {uuid4()}") == {}
