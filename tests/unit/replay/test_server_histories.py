"""Replay of the runs of a server before a deploy."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio.api.workflowservice.v1 import PauseWorkflowExecutionRequest
from temporalio.client import Client

from tests.support.cli_desk import address_of
from tests.support.code_edits import BREAKING, copy
from tests.support.harness import Harness, Run, run_harness
from tests.support.paths import HISTORIES
from tests.support.program import Program
from tests.support.temporal import temporal_client
from watchkeeper.replay.replayer import replay_histories
from watchkeeper.replay.server_histories import InvalidReplayQuery, fetch_histories, fetch_history
from watchkeeper.testing.replay_assertions import WORKFLOWS
from watchkeeper.testing.scripts import always, calls, says
from workflows.incident import IncidentWorkflow

LOOK = ("look", {"service": "checkout"})
RESTART = ("restart", {"service": "checkout"})


@pytest.fixture
def program(client: Client, tmp_path: Path) -> Program:
    return Program(tmp_path, {"TEMPORAL_ADDRESS": address_of(client)})


@pytest.fixture
async def pausing() -> AsyncIterator[Client]:
    """A server on which runs can be paused; by default they cannot."""
    async with temporal_client("frontend.WorkflowPauseEnabled=true") as client:
        yield client


async def start_waiting_run(harness: Harness) -> Run:
    """Start a run and wait until it waits for a person."""
    run = await harness.start(service="checkout")
    while "waiting" not in [call.status for call in (await run.query(IncidentWorkflow.progress)).calls]:
        await asyncio.sleep(0.1)
    return run


async def until_listed(client: Client, query: str, number: int) -> None:
    """Wait until a query counts this number of runs; lists are updated with a short delay."""
    async with asyncio.timeout(20):
        while (await client.count_workflows(query)).count != number:
            await asyncio.sleep(0.1)


async def test_open_runs_are_replayed_up_to_their_last_event(client: Client, program: Program) -> None:
    async with run_harness(client, always(calls(RESTART), without_tools=says("Stopped."))) as harness:
        run = await start_waiting_run(harness)
        await until_listed(client, f"WorkflowId = '{run.id}'", 1)
        ended = await program("replay", "--open", "--from-server", f"WorkflowId = '{run.id}'", "--json")
        await run.terminate()
    output = json.loads(ended.out)
    assert (ended.code, ended.err, output["replayed"], output["broken"]) == (0, "", 1, 0)
    assert output["histories"][0]["name"] == f"{run.id} {run.first_execution_run_id}"


async def test_code_that_would_block_open_runs_is_refused(client: Client, program: Program) -> None:
    async with run_harness(client, always(calls(RESTART), without_tools=says("Stopped."))) as harness:
        run = await start_waiting_run(harness)
        await until_listed(client, f"WorkflowId = '{run.id}'", 1)
        code = program.directory / "code"
        copy(code)
        BREAKING["a removed timer"].edit.apply(code)
        query = f"WorkflowId = '{run.id}'"
        ended = await program("replay", "--from-server", query, PYTHONPATH=str(code))
        await run.terminate()
    assert (ended.code, ended.err) == (1, "")
    (breaks, total, remedy) = ended.out.splitlines()
    assert breaks.startswith(f"breaks  {run.id} {run.first_execution_run_id}: event ")
    assert breaks.endswith(", TimerStarted: the history starts a timer there, this code does not")
    assert total == "1 history replayed, 1 broken"
    assert remedy.startswith("to fix 1: keep the old behaviour for runs that began with it (`if workflow.patched(")


async def test_a_paused_run_counts_as_open(pausing: Client, tmp_path: Path) -> None:
    client, program = pausing, Program(tmp_path, {"TEMPORAL_ADDRESS": address_of(pausing)})
    async with run_harness(client, always(calls(RESTART), without_tools=says("Stopped."))) as harness:
        run = await start_waiting_run(harness)
        await client.workflow_service.pause_workflow_execution(
            PauseWorkflowExecutionRequest(
                namespace=client.namespace, workflow_id=run.id, request_id=str(uuid4()), reason="a test"
            )
        )
        await until_listed(client, f"WorkflowId = '{run.id}' AND ExecutionStatus = 'Paused'", 1)
        ended = await program("replay", "--open", "--from-server", f"WorkflowId = '{run.id}'")
        await run.terminate()
    assert (ended.code, ended.out) == (0, "1 history replayed, 0 broken\n")


async def test_a_query_finds_closed_runs_on_several_result_pages(client: Client) -> None:
    async with run_harness(client, always(says("Fine."), without_tools=says("Fine."))) as harness:
        queue = harness.settings.worker.task_queue
        for _ in range(3):
            await (await harness.start()).result()
    query = f"TaskQueue = '{queue}'"
    await until_listed(client, query, 3)
    found = [verdict async for verdict in replay_histories(fetch_histories(client, query, page_size=1), WORKFLOWS)]
    assert [verdict.agrees for verdict in found] == [True, True, True]
    assert len({verdict.run for verdict in found}) == 3


async def test_a_run_deleted_in_the_meantime_is_left_out(client: Client) -> None:
    assert await fetch_history(client, "incident-gone", str(uuid4())) is None


async def test_an_invalid_query_is_a_usage_error(client: Client, program: Program) -> None:
    with pytest.raises(InvalidReplayQuery):
        [recording async for recording in fetch_histories(client, "Servce = 'checkout'")]
    ended = await program("replay", "--from-server", "Servce = 'checkout'")
    assert ended.code == 2
    assert "the server does not understand the query \"Servce = 'checkout'\"" in ended.sentence()


@pytest.mark.parametrize("options", [[], ["--open"], ["--json"], [str(HISTORIES / "concluded.json")]])
async def test_a_query_that_matches_no_run_is_a_usage_error(program: Program, options: list[str]) -> None:
    ended = await program("replay", *options, "--from-server", "Service = 'chekout'")
    assert (ended.code, "no run on the server matches the query \"Service = 'chekout'\"" in ended.sentence()) == (
        2,
        True,
    )


async def test_a_query_that_matches_only_closed_runs_passes_with_open(client: Client, program: Program) -> None:
    async with run_harness(client, always(says("Fine."), without_tools=says("Fine."))) as harness:
        run = await harness.start()
        await run.result()
    await until_listed(client, f"WorkflowId = '{run.id}' AND ExecutionStatus = 'Completed'", 1)
    ended = await program("replay", "--open", "--from-server", f"WorkflowId = '{run.id}'")
    assert (ended.code, ended.out) == (0, "0 histories replayed, 0 broken\n")


async def test_replay_without_arguments_is_a_usage_error(program: Program) -> None:
    ended = await program("replay")
    assert (ended.code, "name what to replay" in ended.sentence()) == (2, True)
