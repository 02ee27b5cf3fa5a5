"""Names of runs as people write them: run ids, beginnings, and ``latest``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

import pytest
from temporalio.client import Client
from temporalio.common import WorkflowIDReusePolicy

from tests.support.harness import run_harness, until_waiting
from tests.support.settings import build_settings
from tests.support.temporal import temporal_client
from watchkeeper.contracts import RunInput
from watchkeeper.runs.client import WORKFLOW, NoSuchRun, list_runs, start_run
from watchkeeper.runs.list_filter import RunFilter
from watchkeeper.runs.run_reference import CANDIDATES, AmbiguousRun, find_reference
from watchkeeper.testing.scripts import calls, says

LOOK = ("look", {"service": "checkout"})
SETTINGS = build_settings()


@pytest.fixture(scope="module")
async def quiet() -> AsyncIterator[Client]:
    """A server of its own, where ``latest`` is the run of the test. It continues long runs as new early."""
    async with temporal_client("limit.historyCount.suggestContinueAsNew=50") as client:
        yield client


async def started(client: Client, workflow_id: str, text: str = "Why?") -> str:
    """Start a run on a queue without a worker; return its run id once it is listed."""
    found = await start_run(client, RunInput(text=text), SETTINGS, workflow_id)
    await until_listed(client, workflow_id, found.run_id)
    return found.run_id


async def until_listed(client: Client, workflow_id: str, run_id: str) -> None:
    async with asyncio.timeout(20):
        while run_id not in [run.run_id async for run in list_runs(client, RunFilter(workflow_id=workflow_id))]:
            await asyncio.sleep(0.02)


async def start_episode(client: Client, workflow_id: str) -> str:
    handle = await client.start_workflow(
        WORKFLOW,
        RunInput(text="Why?"),
        id=workflow_id,
        task_queue=SETTINGS.worker.task_queue,
        id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    )
    run_id = handle.first_execution_run_id or ""
    await until_listed(client, workflow_id, run_id)
    return run_id


async def test_a_run_is_found_by_each_of_its_names(client: Client) -> None:
    name = f"named-{uuid4()}"
    run_id = await started(client, name)
    for written in (name, name[:-1], name[:12], run_id, run_id[:-1], run_id.upper(), f"{name}@{run_id}"):
        found = await find_reference(client, written)
        assert (found.workflow_id, found.first_run_id) in ((name, run_id), (name, None)), written
    assert (await find_reference(client, run_id)).first_run_id == run_id
    await client.get_workflow_handle(name).terminate()


async def test_a_complete_id_is_not_the_beginning_of_another(client: Client) -> None:
    name = f"twin-{uuid4()}"
    for workflow_id in (name, f"{name}-2"):
        await started(client, workflow_id)
    assert (await find_reference(client, name)).workflow_id == name
    with pytest.raises(AmbiguousRun):
        await find_reference(client, name[:-1])


async def test_an_ambiguous_beginning_lists_the_candidates(client: Client) -> None:
    name = f"many-{uuid4()}"
    for number in range(2):
        await started(client, f"{name}-{number}", "Orders \x1b[2J fail.")
    with pytest.raises(AmbiguousRun) as two:
        await find_reference(client, name)
    for number in range(2, CANDIDATES + 1):
        await started(client, f"{name}-{number}", "Orders \x1b[2J fail.")
    with pytest.raises(AmbiguousRun) as many:
        await find_reference(client, name)
    assert f"{name}-0 (started 2" in str(two.value)
    assert f"{name}-1 (started 2" in str(two.value)
    assert "UTC, 'Orders" in str(two.value)
    assert "and more" not in str(two.value)
    assert str(many.value).count(name) == CANDIDATES + 1
    assert "and more; write the whole id of one" in str(many.value)
    assert "\x1b" not in str(many.value)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ("", "no run ''"),
        ("inc", "the beginning of an id needs 4 characters"),
        ("nobody-has-this-name", "no run 'nobody-has-this-name'"),
        ("0000", "no run '0000'"),
        ("ffffffff-ffff-ffff-ffff-ffffffffffff", "no run 'ffffffff"),
        ("x" * 2_000, "no run 'xxxx"),
        *((hostile, "no run ") for hostile in ("' OR 1=1 --", "%%%%", "____", "a\\'b\\", "\udcff\x00\x1b[2J", "*" * 9)),
    ],
)
async def test_any_other_text_is_no_run(client: Client, written: str, message: str) -> None:
    with pytest.raises(NoSuchRun) as refused:
        await find_reference(client, written)
    assert message in str(refused.value)
    assert len(str(refused.value)) < 500


async def test_other_workflows_are_no_runs(client: Client) -> None:
    name = f"queue-{uuid4()}"
    await client.start_workflow("QueueWorkflow", id=name, task_queue="unpolled")
    for written in (name, name[:-1]):
        with pytest.raises(NoSuchRun):
            await find_reference(client, written)
    found = await find_reference(client, name, types=(WORKFLOW, "QueueWorkflow"))
    assert found.workflow_id == name


async def test_a_run_id_names_one_episode_and_the_workflow_id_the_latest(client: Client) -> None:
    name = f"episodes-{uuid4()}"
    first = await start_episode(client, name)
    await client.get_workflow_handle(name).terminate()
    second = await start_episode(client, name)
    earlier, latest = await find_reference(client, first), await find_reference(client, second)
    assert (earlier.name, earlier.first_run_id) == (f"{name}@{first}", first)
    assert (latest.name, latest.first_run_id) == (name, second)
    assert (await find_reference(client, name[:-1])).name == name
    assert (await find_reference(client, f"{name}@{first}")).first_run_id == first


async def test_every_execution_of_a_run_names_the_whole_run(quiet: Client) -> None:
    script = [*(calls(LOOK) for _ in range(8)), says("**Fine** again.")]
    async with run_harness(quiet, script) as harness:
        run = await harness.start(service="checkout")
        await run.result()
        executions = [one.run_id async for one in quiet.list_workflows(f"WorkflowId = '{run.id}'")]
        assert len(executions) >= 2
        for run_id in executions:
            found = await find_reference(quiet, run_id)
            assert (found.name, found.first_run_id) == (run.id, run.first_execution_run_id)
        again = await start_episode(quiet, run.id)
        for run_id in executions:
            found = await find_reference(quiet, run_id)
            assert found.first_run_id == run.first_execution_run_id
            assert found.episode in executions
        await quiet.get_workflow_handle(run.id, run_id=again).terminate()
    names = {(await find_reference(quiet, run_id)).name for run_id in executions}
    assert len(names) == 1


async def test_latest_is_the_run_that_started_last_open_or_closed(quiet: Client) -> None:
    for closes in (False, True, False):
        name = f"latest-{uuid4()}"
        run_id = await started(quiet, name)
        await quiet.start_workflow("QueueWorkflow", id=f"queue-{uuid4()}", task_queue="unpolled")
        if closes:
            await quiet.get_workflow_handle(name).terminate()
        assert await find_reference(quiet, "latest") == await find_reference(quiet, run_id)
        assert (await find_reference(quiet, "latest")).name == name


async def test_for_a_decision_latest_is_the_only_run_that_waits(quiet: Client) -> None:
    with pytest.raises(NoSuchRun, match="no run waits for an approval"):
        await find_reference(quiet, "latest", waits=True)
    async with run_harness(quiet, lambda request: calls(("restart", {"service": "checkout"}))) as harness:
        first = await harness.start()
        await until_waiting(first, "r1.0")
        await started(quiet, f"newer-{uuid4()}")
        found = await until_found(quiet, first.id)
        assert found == (first.id, first.first_execution_run_id)
        second = await harness.start()
        await until_waiting(second, "r1.0")
        async with asyncio.timeout(20):
            while True:
                try:
                    await find_reference(quiet, "latest", waits=True)
                except AmbiguousRun as several:
                    message = str(several)
                    break
                await asyncio.sleep(0.02)
        assert "several runs wait for an approval: " in message
        assert first.id in message
        assert second.id in message


async def until_found(client: Client, workflow_id: str) -> tuple[str, str | None]:
    """Wait until the list shows that the run waits."""
    async with asyncio.timeout(20):
        while True:
            try:
                found = await find_reference(client, "latest", waits=True)
            except NoSuchRun:
                await asyncio.sleep(0.02)
                continue
            return found.workflow_id, found.first_run_id


async def test_latest_of_no_runs_says_how_to_start_one() -> None:
    async with temporal_client() as client:
        with pytest.raises(NoSuchRun, match="start one: `watchkeeper run TEXT`"):
            await find_reference(client, "latest")
