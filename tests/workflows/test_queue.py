"""The queue of a team on a real server: never more concurrent investigations than places, in every failure."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
from temporalio.client import Client, WorkflowExecution, WorkflowFailureError, WorkflowHandle
from temporalio.testing import ActivityEnvironment

from activities.queue import QUEUE_WORKFLOW, QueueActivities
from tests.conftest import Record
from tests.support.forbidding_server import forbidding
from tests.support.harness import reset
from tests.support.queue_runs import InvestigatingWorkflow
from tests.support.queue_team import PLACES, Investigation, Team
from tests.support.temporal import temporal_client
from watchkeeper.contracts import QueueEntry, QueueExit, QueueState
from watchkeeper.incident.queue_state import queue_id
from watchkeeper.temporal import queue_history
from workflows.queue import QueueWorkflow

NAMES = ("a", "b", "c")


@pytest.fixture(scope="module")
async def impatient() -> AsyncIterator[Client]:
    """A server that suggests continue-as-new after a few events."""
    async with temporal_client("limit.historyCount.suggestContinueAsNew=40") as client:
        yield client


async def fill(team: Team) -> list[Investigation]:
    """Start one run for each place."""
    runs = [await team.start(name) for name in NAMES]
    await team.until_investigating(*NAMES)
    return runs


async def close(*runs: Investigation) -> list[bool]:
    """End the runs; return for each whether it was admitted."""
    for run in runs:
        await run.signal(InvestigatingWorkflow.close)
    return await asyncio.gather(*(run.result() for run in runs))


async def test_a_limited_number_of_runs_investigates_and_the_most_severe_is_next(
    client: Client, record: Record
) -> None:
    team = Team(client)
    async with team.run_worker():
        runs = await fill(team)
        severities = {"d": 5, "e": 3, "f": 1, "g": 4, "h": 2, "i": 1, "j": 3, "k": 5, "l": 2}
        for name, priority in severities.items():
            runs.append(await team.start(name, priority))
            while len((await team.queued()).waiting) < len(runs) - PLACES:
                await asyncio.sleep(0.02)
        order = ["f", "i", "h", "l", "e", "j", "g", "d", "k"]
        await team.until_waiting(*order)
        details = await team.details()
        queue = team.queue
        for name in [*NAMES, *order[:-PLACES]]:
            admitted_count = len(team.investigations.begun)
            await client.get_workflow_handle(team.run(name)).signal(InvestigatingWorkflow.finish)
            while len(team.investigations.begun) == admitted_count:
                await asyncio.sleep(0.02)
        assert await close(*runs) == [True] * 12
        await queue.result()
        await record(queue, "queue-full")
    assert details.splitlines()[0] == "**3 of 3 slots taken, 9 waiting**"
    assert [line.split()[1] for line in details.splitlines()[5:]] == list(map(team.run, order))
    assert [name.removeprefix(f"{team.name}/") for name in team.investigations.begun[PLACES:]] == order
    assert team.investigations.peak == PLACES


async def test_an_open_run_that_leaves_the_queue_frees_its_place(client: Client) -> None:
    team = Team(client)
    async with team.run_worker():
        first, *others = await fill(team)
        await first.signal(InvestigatingWorkflow.finish)
        last = await team.start("d")
        await team.until_investigating("b", "c", "d")
        assert (await first.describe()).close_time is None
        assert await close(first, *others, last) == [True] * 4


async def test_runs_that_end_without_leaving_free_their_places(client: Client) -> None:
    team = Team(client)
    async with team.run_worker():
        first, second, third = await fill(team)
        for terminated in (first, second):
            await terminated.terminate()
            team.investigations.current.remove(terminated.id)
        again = await team.start("a")  # the next episode of the same group
        last = await team.start("e")
        await team.until_investigating("a", "c", "e")
        assert await close(third, again, last) == [True] * 3
    assert team.investigations.peak == PLACES


async def test_a_run_that_ended_while_it_waited_gets_no_place(client: Client) -> None:
    team = Team(client)
    async with team.run_worker():
        runs = await fill(team)
        terminated, next_run = await team.start("d", 1), await team.start("e")
        await team.until_waiting("d", "e")
        await terminated.terminate()
        await runs[0].signal(InvestigatingWorkflow.finish)
        await team.until_investigating("b", "c", "e")
        assert await close(*runs, next_run) == [True] * 4


async def test_a_run_stops_waiting_at_its_wait_limit(client: Client) -> None:
    team = Team(client)
    async with team.run_worker():
        runs = await fill(team)
        team.patience = 1
        waiting = await team.start("d")
        assert await close(waiting) == [False]
        assert (await team.queued()).waiting == []
        assert await close(*runs) == [True] * 3


async def test_a_stopped_or_cancelled_run_leaves_the_queue(client: Client) -> None:
    team = Team(client)
    async with team.run_worker():
        runs = await fill(team)
        stopped, cancelled = await team.start("d", 1), await team.start("e")
        await team.until_waiting("d", "e")
        await stopped.signal(InvestigatingWorkflow.stop)
        await cancelled.cancel()
        assert await close(stopped) == [False]
        with pytest.raises(WorkflowFailureError):
            await cancelled.result()
        assert (await team.queued()).waiting == []
        await runs[0].cancel()
        with pytest.raises(WorkflowFailureError):
            await runs[0].result()
        assert len((await team.queued()).holding) == PLACES - 1
        assert await close(*runs[1:]) == [True] * 2


async def test_a_queue_terminated_by_hand_is_started_again(client: Client) -> None:
    team = Team(client)
    async with team.run_worker():
        runs = await fill(team)
        runs.append(await team.start("d"))
        await team.until_waiting("d")
        await team.queue.terminate()
        runs.append(await team.start("e", 1))
        await team.until_waiting("e", "d")
        await runs[0].signal(InvestigatingWorkflow.finish)
        await team.until_investigating("b", "c", "e")
        assert await close(*runs) == [True] * 5
    assert team.investigations.peak == PLACES


async def test_a_run_that_leaves_a_terminated_queue_frees_its_place_in_the_next(client: Client) -> None:
    team = Team(client)
    async with team.run_worker():
        runs = await fill(team)
        runs.append(await team.start("d"))
        await team.until_waiting("d")
        await team.queue.terminate()
        await runs[0].signal(InvestigatingWorkflow.finish)
        await team.until_investigating("b", "c", "d")
        assert await close(*runs) == [True] * 4
    assert team.investigations.peak == PLACES


async def test_signals_received_without_a_worker_are_not_lost(client: Client) -> None:
    team = Team(client)
    async with team.run_worker():
        runs = await fill(team)
        runs.append(await team.start("d"))
        await team.until_waiting("d")
        holding = (await team.queued()).holding
    leaving = QueueExit(queue=team.name, run=holding[0].run, at=holding[0].sent + 60)
    await team.queue.signal(QueueWorkflow.leave, leaving)
    await team.queue.terminate()
    description = await team.queue.describe()
    state = await queue_history.read_queue(client, description.id, description.run_id or "")
    assert state.holding == holding[1:]
    assert [entry.workflow_id for entry in state.waiting] == [team.run("d")]
    assert (state.name, state.places, state.left) == (team.name, PLACES, [leaving])
    for run in runs:
        await run.terminate()


async def test_another_worker_continues_a_queue(client: Client) -> None:
    team = Team(client)
    async with team.run_worker():
        runs = await fill(team)
        runs.append(await team.start("d"))
        await team.until_waiting("d")
    await runs[0].signal(InvestigatingWorkflow.finish)
    runs.append(await team.start("e", 1))
    async with team.run_worker():
        await runs[1].signal(InvestigatingWorkflow.finish)
        await team.until_investigating("c", "d", "e")
        assert await close(*runs) == [True] * 5
    assert team.investigations.peak == PLACES


async def test_a_lost_answer_is_sent_again(client: Client) -> None:
    team = Team(client)
    async with team.run_worker() as activities:
        runs = await fill(team)
        (admitted,) = [entry for entry in (await team.queued()).holding if entry.workflow_id == runs[0].id]
        resent = admitted.model_copy(update={"sent": admitted.sent + 60})
        await ActivityEnvironment().run(activities.enter, resent)
        events = [event async for event in runs[0].fetch_history_events()]
        while sum(event.HasField("workflow_execution_signaled_event_attributes") for event in events) < 2:
            await asyncio.sleep(0.05)
            events = [event async for event in runs[0].fetch_history_events()]
        assert len((await team.queued()).holding) == PLACES
        assert await close(*runs) == [True] * 3


async def test_a_run_that_is_reset_keeps_its_place(client: Client) -> None:
    team = Team(client)
    async with team.run_worker():
        runs = await fill(team)
        runs.append(await team.start("d"))
        await team.until_waiting("d")
        team.investigations.current.remove(runs[0].id)
        await reset(client, runs[0], before="enter")
        await team.until_investigating(*NAMES)
        latest: list[Investigation] = [client.get_workflow_handle(run.id, result_type=bool) for run in runs]
        assert await close(*latest)
    assert team.investigations.peak == PLACES


async def test_a_run_ignores_the_answer_to_an_earlier_run_with_its_id(client: Client) -> None:
    team = Team(client)
    async with team.run_worker():
        runs = await fill(team)
        waiting = await team.start("d")
        await team.until_waiting("d")
        await waiting.signal(InvestigatingWorkflow.admit, "of-an-earlier-episode")
        await waiting.query("__temporal_workflow_metadata")
        assert team.run("d") not in team.investigations.begun
        assert await close(*runs, waiting) == [True] * 4
    assert team.investigations.peak == PLACES


async def test_no_signal_is_lost_when_a_queue_ends_or_continues_as_new(impatient: Client, record: Record) -> None:
    team = Team(impatient)
    async with team.run_worker():
        for _ in range(2):
            runs = [await team.start(f"{number}", number % 5 + 1) for number in range(20)]
            for run in runs:
                await run.signal(InvestigatingWorkflow.close)
            assert await asyncio.gather(*(run.result() for run in runs)) == [True] * 20
        chain = await continued_executions(impatient, queue_id(team.name, team.task_queue))
        for number, execution in enumerate(chain[:2], 1):
            await record(execution, f"queue-continue-as-new-{number}")
    assert len(chain) >= 2
    assert team.investigations.peak == PLACES


async def continued_executions(client: Client, workflow_id: str) -> list[WorkflowHandle[Any, Any]]:
    """Return the executions of the latest queue with this id that continued as new, in order."""
    chains: dict[str, list[WorkflowExecution]] = {}
    async for found in client.list_workflows(f"WorkflowId = '{workflow_id}'"):
        chains.setdefault(found.raw_info.first_run_id, []).append(found)
    chain = next(
        sorted(chain, key=lambda execution: execution.start_time) for chain in chains.values() if len(chain) > 1
    )
    return [client.get_workflow_handle(execution.id, run_id=execution.run_id) for execution in chain]


async def test_no_signal_is_lost_at_the_highest_rate(impatient: Client) -> None:
    """Each run leaves at once, so that the queue ends repeatedly while other runs enter."""
    team = Team(impatient, places=2)
    async with team.run_worker() as activities:
        runs = [await team.start(f"{number}") for number in range(10)]
        finished: list[str] = []

        async def enter_and_leave(number: int) -> None:
            run, now = f"run-{number}", 1_000.0 + number
            entry = QueueEntry(
                queue=team.name, run=run, workflow_id=runs[0].id, priority=1, at=now, sent=now, places=team.places
            )
            await ActivityEnvironment().run(activities.enter, entry)
            queue_exit = QueueExit(queue=team.name, run=run, at=now + 0.5)
            await ActivityEnvironment().run(activities.leave, queue_exit)
            finished.append(run)

        await asyncio.gather(*(enter_and_leave(number) for number in range(100)), *(close(run) for run in runs))
        while (await team.queue.describe()).close_time is None:
            await asyncio.sleep(0.05)
    assert len(finished) == 100
    assert 1 <= team.investigations.peak <= team.places


async def test_only_runs_known_to_have_ended_are_removed(client: Client) -> None:
    team = Team(client)
    async with team.run_worker() as activities:
        runs = await fill(team)
        holding = (await team.queued()).holding
        earlier = holding[0].model_copy(update={"run": "of-an-earlier-episode"})
        missing = holding[0].model_copy(update={"run": "nowhere", "workflow_id": "nowhere"})
        state = QueueState(name=team.name, holding=[*holding, earlier, missing])
        assert await ActivityEnvironment().run(activities.find_gone, state) == ["of-an-earlier-episode", "nowhere"]
        assert await close(*runs) == [True] * 3
        assert await ActivityEnvironment().run(activities.find_gone, state) == [entry.run for entry in state.holding]
    async with forbidding() as address:
        without_permission = QueueActivities(await Client.connect(address), team.task_queue)
        assert await ActivityEnvironment().run(without_permission.find_gone, state) == []


def test_queues_are_started_under_the_name_of_their_workflow() -> None:
    assert QueueWorkflow.__name__ == QUEUE_WORKFLOW


@pytest.mark.slow
@pytest.mark.timeout(300)
async def test_the_queue_checks_its_runs_again_and_runs_enter_again(client: Client) -> None:
    team = Team(client)
    async with team.run_worker():
        runs = await fill(team)
        waiting = await team.start("d")
        await team.until_waiting("d")
        await asyncio.sleep(2)  # the queue has checked its runs once
        await runs[0].terminate()
        team.investigations.current.remove(runs[0].id)
        await team.until_investigating("b", "c", "d")
        last = await team.start("e")
        await team.until_waiting("e")
        await team.queue.terminate()
        while (await team.queue.describe()).close_time is not None:
            await asyncio.sleep(0.5)
        await team.until_waiting("e")
        assert await close(*runs[1:], waiting, last) == [True] * 4
    assert team.investigations.peak == PLACES
