"""Time without a worker: a call that no worker took was not run, and the run continues with the next worker."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client
from temporalio.worker import Worker

from tests.conftest import Record
from tests.support.harness import Harness, Nothing, Run, failure, run_harness, until_asked
from watchkeeper.contracts import LimitChanges, ToolSpec
from watchkeeper.temporal import activity_options
from watchkeeper.temporal.sandbox import Sandbox
from watchkeeper.testing.faults import delay, hang
from watchkeeper.testing.scripts import calls, says
from watchkeeper.tool import Tool, ToolContext, tool
from worker import run_worker
from workflows.incident import IncidentWorkflow

REPORT = "**Status:** nothing was restarted."
SHORT = LimitChanges(duration=5)


@tool(effect="once", timeout=timedelta(seconds=1))
async def restart(args: Nothing, context: ToolContext) -> str:
    """Restart it."""
    return "restarted"


@tool(effect="read")
async def look(args: Nothing, context: ToolContext) -> str:
    """Take a while to look at it."""
    await asyncio.sleep(1)
    return "seen"


TOOLS: dict[str, Tool[Any]] = {"restart": restart, "look": look}


async def connect(harness: Harness) -> Client:
    return await Client.connect(
        harness.client.service_client.config.target_host, data_converter=harness.client.data_converter
    )


@asynccontextmanager
async def workflow_worker(harness: Harness) -> AsyncIterator[None]:
    """Run a worker for workflow tasks only, so that no worker takes activities."""
    queue = harness.settings.worker.task_queue
    client = await connect(harness)
    async with Worker(client, task_queue=queue, workflows=[IncidentWorkflow], workflow_runner=Sandbox()):
        yield


async def until_timed_out(run: Run) -> None:
    """Wait until the history has an activity timeout."""
    while not any(
        event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT for event in (await run.fetch_history()).events
    ):
        await asyncio.sleep(0.2)


async def test_a_call_that_no_worker_took_is_reported_as_not_run(client: Client, record: Record) -> None:
    async with run_harness(client, [calls(("restart", {})), says(REPORT)], tools=TOOLS) as harness:
        harness.model.faults.append(delay(1))
        run = await harness.start(limits=SHORT)
        await until_asked(harness, 1)
        await harness.running_worker.worker.shutdown()  # the answer in progress is still recorded
        async with workflow_worker(harness):
            await until_timed_out(run)
        async with run_worker(await connect(harness), harness.settings, tools=TOOLS):
            result = await run.result()
        await record(run, "untaken-call")
    assert (result.status, result.rounds) == ("concluded", 2)
    assert harness.results() == ['{"error":"not run: no worker was available before the time of the run was used up"}']


async def test_a_model_call_that_no_worker_took_is_not_a_model_failure(client: Client, record: Record) -> None:
    async with run_harness(client, [calls(("look", {})), says(REPORT)], tools=TOOLS) as harness:
        run = await harness.start(limits=SHORT)
        await until_asked(harness, 1)
        await asyncio.sleep(0.5)
        await harness.running_worker.worker.shutdown()  # during the call, whose result is still recorded
        async with workflow_worker(harness):
            await until_timed_out(run)
        async with run_worker(await connect(harness), harness.settings, tools=TOOLS):
            result = await run.result()
        await record(run, "untaken-question")
    assert (result.status, result.rounds) == ("concluded", 2)
    assert harness.results() == ['{"result":"seen"}']
    last = harness.model.requests[-1].json()
    assert last["tool_choice"] == "none", "the duration limit is reached: the last round must report"


async def test_a_model_call_interrupted_by_a_shutdown_is_not_a_model_failure(client: Client) -> None:
    async with run_harness(client, [says(REPORT)], worker={"shutdown_seconds": 0}) as harness:
        harness.model.outage = hang(60)
        run = await harness.start(limits=SHORT)
        await until_asked(harness, 1)
        await harness.running_worker.worker.shutdown()
        async with workflow_worker(harness):
            await until_timed_out(run)
        harness.model.outage = None
        async with run_worker(await connect(harness), harness.settings, tools=harness.effects.tools):
            result = await run.result()
    assert (result.status, result.rounds, len(harness.model.requests)) == ("concluded", 1, 2)


async def test_a_model_call_that_got_no_answer_is_a_model_failure(client: Client) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        harness.model.fail_next(503, times=100)
        run = await harness.start(limits=LimitChanges(duration=2))
        kind, _, result = await failure(run)
    assert (kind, result.status, result.rounds) == ("ModelUnavailable", "failed", 0)


def test_an_effect_has_a_limited_time_from_decision_to_start() -> None:
    spec = ToolSpec(name="restart", description="", parameters={}, effect="keyed", timeout=30, attempts=3)
    question = spec.model_copy(update={"effect": "read"})
    hours = timedelta(hours=2)
    assert activity_options.tool_options(question, hours)["schedule_to_close_timeout"] == hours
    assert activity_options.tool_options(spec, hours)["schedule_to_close_timeout"] == timedelta(minutes=5, seconds=135)
    assert activity_options.tool_options(spec, timedelta(seconds=1))["schedule_to_close_timeout"] == timedelta(
        seconds=45
    )
