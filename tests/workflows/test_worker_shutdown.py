"""Worker shutdown: a model call is finished or left to another worker, and no run is stopped."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.support.program import Program, Running
from tests.support.settings import build_settings
from watchkeeper.contracts import RunInput, RunResult
from watchkeeper.runs import client as runs_client
from watchkeeper.testing.faults import hang
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import says

pytestmark = pytest.mark.timeout(180)

QUEUE = "draining"
SETTINGS = build_settings("http://127.0.0.1:9", worker={"task_queue": QUEUE})


@asynccontextmanager
async def run_program(client: Client, model: str, program: Program, grace: float) -> AsyncIterator[Running]:
    """Run the worker program; stop it when the context ends."""
    running = await program.begin(
        "worker",
        TEMPORAL_ADDRESS=client.service_client.config.target_host,
        WATCHKEEPER_MODEL__BASE_URL=model,
        WATCHKEEPER_MODEL__API_KEY="key",
        WATCHKEEPER_WORKER__TASK_QUEUE=QUEUE,
        WATCHKEEPER_WORKER__SHUTDOWN_SECONDS=str(grace),
    )
    await running.says(f"working on the task queue {QUEUE!r}")
    try:
        yield running
    finally:
        if running.process.returncode is None:
            running.send(signal.SIGTERM)
        ended = await running.end()
        assert (ended.code, "Traceback" in ended.err) == (0, False), ended.err


async def until_asked(model: ScriptedModel, times: int) -> None:
    """Wait until the model has received this number of requests."""
    while len(model.requests) < times:
        await asyncio.sleep(0.02)


async def outcome(client: Client, workflow_id: str) -> tuple[RunResult, list[int]]:
    """Return the result of a run, and the attempt numbers of its activities."""
    run = client.get_workflow_handle(workflow_id, result_type=RunResult)
    result = await run.result()
    attempts = [event.activity_task_started_event_attributes.attempt async for event in run.fetch_history_events()]
    return result, [attempt for attempt in attempts if attempt]


async def test_a_model_call_within_the_shutdown_grace_period_is_finished(client: Client, tmp_path: Path) -> None:
    model = ScriptedModel([says("All is well.")], key="key", pace=1.5)
    async with model.serve() as url:
        found = await runs_client.start_run(client, RunInput(text="Is it?"), SETTINGS)
        async with run_program(client, url, Program(tmp_path), grace=30) as draining:
            await until_asked(model, 1)
            draining.send(signal.SIGTERM)
            await draining.end()
        async with run_program(client, url, Program(tmp_path), grace=30):
            result, attempts = await outcome(client, found.workflow_id)
    assert (result.status, len(model.requests), set(attempts)) == ("concluded", 1, {1})


async def test_a_longer_model_call_is_left_to_another_worker(client: Client, tmp_path: Path) -> None:
    model = ScriptedModel([says("All is well.")], key="key")
    model.faults.append(hang(60))
    async with model.serve() as url:
        found = await runs_client.start_run(client, RunInput(text="Is it?"), SETTINGS)
        async with run_program(client, url, Program(tmp_path), grace=0.2) as draining:
            await until_asked(model, 1)
            async with run_program(client, url, Program(tmp_path), grace=30):
                draining.send(signal.SIGTERM)
                result, attempts = await outcome(client, found.workflow_id)
    assert (result.status, len(model.requests), max(attempts)) == ("concluded", 2, 2)
