"""The catalogues that workers publish: read without a worker, merged, bounded, and in no list of workflows."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from typing import Any
from uuid import uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.client import (
    Client,
    Schedule,
    ScheduleActionStartWorkflow,
    ScheduleSpec,
    ScheduleState,
    WorkflowExecutionStatus,
    WorkflowFailureError,
)

from tests.support.harness import run_harness
from tests.support.settings import build_settings
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import WorkerCatalogue
from watchkeeper.runs.published_catalogues import (
    CATALOGUES,
    CURRENT_SECONDS,
    MAX_BYTES,
    bounded,
    current,
    merge,
    publish_catalogue,
    read_catalogues,
    schedule_id,
)
from watchkeeper.testing.scripts import says


def settings_of(queue: str, *services: str) -> Settings:
    return build_settings(worker={"task_queue": queue}, services={name: {"team": "any"} for name in services})


def new_queue() -> str:
    return f"catalogue-{uuid4().hex[:8]}"


async def services(client: Client, queue: str) -> set[tuple[str, ...]]:
    return {tuple(one.services or ()) for one in await read_catalogues(client, queue)}


# --- which catalogues count (pure) --------------------------------------------------------------------------------


def one(name: str, at: float, **fields: Any) -> WorkerCatalogue:
    return WorkerCatalogue(version="1", published_at=at, services=[name], **fields)


@pytest.mark.parametrize(
    ("published", "expected"),
    [
        ([], []),
        ([one("a", 1)], ["a"]),
        ([one("a", 1, ended=True)], ["a"]),
        ([one("a", 1), one("b", 2)], ["b", "a"]),
        ([one("a", 1), one("b", 2, ended=True)], ["a"]),
        ([one("a", 1, ended=True), one("b", 2, ended=True)], ["b"]),
        ([one("a", 1), one("b", 2 + CURRENT_SECONDS)], ["b"]),
        ([one("a", 1), one("b", 2 + CURRENT_SECONDS, ended=True)], ["a"]),
    ],
)
def test_the_catalogues_of_running_workers_count_or_the_last_one(
    published: list[WorkerCatalogue], expected: list[str]
) -> None:
    assert [(known.services or [""])[0] for known in current(published)] == expected


KNOWN = st.builds(
    one,
    st.sampled_from("abcdef"),
    st.floats(0, 2 * CURRENT_SECONDS),
    ended=st.booleans(),
    tools=st.sampled_from([None, ["look"], ["x" * 100_000], ["x" * 300_000]]),
)


@given(KNOWN, st.lists(KNOWN, max_size=8))
def test_a_publication_is_bounded_and_begins_with_the_writer(
    mine: WorkerCatalogue, known: list[WorkerCatalogue]
) -> None:
    merged = merge(mine, known)
    assert merged.catalogues[0] == mine
    assert len(merged.catalogues) <= CATALOGUES
    assert not any(other.ended for other in merged.catalogues[1:])
    assert len(merged.model_dump_json().encode()) <= MAX_BYTES + 1_000


@pytest.mark.parametrize(
    ("fields", "kept"),
    [
        ({"services": ["checkout"], "tools": ["look"]}, {"services", "tools"}),
        ({"services": ["x" * 600_000], "tools": ["look"]}, {"tools"}),
        ({"services": ["checkout"], "tools": ["x" * 600_000]}, set[str]()),
    ],
)
def test_a_catalogue_that_is_too_large_is_published_without_names(fields: dict[str, Any], kept: set[str]) -> None:
    published = bounded(WorkerCatalogue(version="1", published_at=1, **fields))
    assert {name for name in ("services", "tools") if getattr(published, name) is not None} == kept


# --- on a real server ---------------------------------------------------------------------------------------------


async def test_what_was_published_can_be_read_after_the_worker_has_ended(client: Client) -> None:
    async with run_harness(client, [says("Fine.")]) as harness:
        queue = harness.settings.worker.task_queue
        (running,) = await read_catalogues(client, queue)
    (ended,) = await read_catalogues(client, queue)
    assert (running.services, running.unpriced, running.ended) == (["checkout", "payments"], ["scripted"], False)
    assert (ended.services, ended.tools, ended.ended) == (running.services, running.tools, True)
    assert "look" in (ended.tools or [])


async def test_nothing_is_published_by_default(client: Client) -> None:
    assert await read_catalogues(client, new_queue()) == []


async def test_a_publication_is_in_no_list_of_workflows_and_starts_nothing(client: Client) -> None:
    queue = new_queue()
    async with publish_catalogue(client, settings_of(queue, "a"), ["look"]):
        described = await client.get_schedule_handle(schedule_id(queue)).describe()
    assert described.schedule.state.paused
    assert described.info.next_action_times == []
    assert described.info.num_actions == 0
    assert [run.id async for run in client.list_workflows() if queue in run.id] == []


async def test_a_publication_that_a_person_triggers_ends_at_once(client: Client) -> None:
    queue = new_queue()
    async with publish_catalogue(client, settings_of(queue, "a"), ["look"]):
        await client.get_schedule_handle(schedule_id(queue)).trigger()
        async with asyncio.timeout(20):
            while not (started := [run async for run in client.list_workflows() if queue in run.id]):
                await asyncio.sleep(0.05)
        with pytest.raises(WorkflowFailureError):
            await client.get_workflow_handle(started[0].id, run_id=started[0].run_id).result()
        ended = await client.get_workflow_handle(started[0].id, run_id=started[0].run_id).describe()
    assert ended.status == WorkflowExecutionStatus.TIMED_OUT


async def test_during_a_deploy_the_catalogues_of_both_versions_count(client: Client) -> None:
    queue = new_queue()
    async with publish_catalogue(client, settings_of(queue, "new"), ["look"]):
        async with publish_catalogue(client, settings_of(queue, "old"), ["look"]):
            assert await services(client, queue) == {("new",), ("old",)}
        assert await services(client, queue) == {("new",)}
    assert await services(client, queue) == {("new",)}


async def test_a_restarted_worker_replaces_what_it_published_before(client: Client) -> None:
    queue = new_queue()
    for name in ("first", "second", "first"):
        async with publish_catalogue(client, settings_of(queue, name), ["look"]):
            assert await services(client, queue) == {(name,)}


async def test_workers_that_publish_at_the_same_time_overwrite_nothing(client: Client) -> None:
    queue, names = new_queue(), ["a", "b", "c", "a"]
    async with AsyncExitStack() as stack:
        publications = [publish_catalogue(client, settings_of(queue, name), ["look"]) for name in names]
        await asyncio.gather(*map(stack.enter_async_context, publications))
        # A busy server may take longer than a worker waits for its first publication.
        while await services(client, queue) != {("a",), ("b",), ("c",)}:
            await asyncio.sleep(0.05)


async def test_a_catalogue_of_five_thousand_services_is_published_whole(client: Client) -> None:
    queue, names = new_queue(), [f"service-{number:05}-{'x' * 40}" for number in range(5_000)]
    async with publish_catalogue(client, settings_of(queue, *names), ["look"]):
        pass
    assert await services(client, queue) == {tuple(names)}


async def test_hostile_names_are_published_as_they_are(client: Client) -> None:
    queue, names = f"q {new_queue()} 'é\"\\/%_", sorted(["é", "a'b\"", "\u202e\x1b[2J", "x" * 300, " ", "null"])
    async with publish_catalogue(client, settings_of(queue, *names), ["look"]):
        pass
    assert await services(client, queue) == {tuple(names)}


@pytest.mark.parametrize("content", [[], ["text"], [{"catalogues": 5}], [{"catalogues": [{"version": "9"}]}]])
async def test_what_cannot_be_read_counts_as_absent_and_no_worker_fails(client: Client, content: list[Any]) -> None:
    """Another program, or a later version, may have written it."""
    queue = new_queue()
    schedule = Schedule(
        action=ScheduleActionStartWorkflow("Other", args=content, id="other", task_queue="other"),
        spec=ScheduleSpec(),
        state=ScheduleState(paused=True),
    )
    await client.create_schedule(schedule_id(queue), schedule)
    async with publish_catalogue(client, settings_of(queue, "a"), ["look"]):
        assert await services(client, queue) == {("a",)}
