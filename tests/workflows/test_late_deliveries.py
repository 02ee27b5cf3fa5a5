"""A destination that is out of reach: the next episode starts once people know, and the report is delivered later."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import uuid4

import pytest
from temporalio.client import Client, WorkflowHandle

from tests.activities.conftest import connected
from tests.activities.test_deliver import Inbox
from tests.conftest import Record
from tests.support.alert_sender import Run, Sender
from tests.support.harness import LOOK, Harness, concludes, failure, run_harness
from tests.support.settings import paging_tables
from watchkeeper.contracts import JsonObject, StopRequest
from watchkeeper.demo.world import World
from watchkeeper.runs.dispatch import DispatchResult, RunClosing
from watchkeeper.runs.update_client import stop
from watchkeeper.testing.faults import fault
from watchkeeper.testing.scripts import ScriptedReply, calls
from worker import run_worker
from workflows.late_delivery import DeliveryWorkflow

pytestmark = pytest.mark.timeout(120)

HAND_OFF: dict[str, Any] = {"limits": {"rounds": 2}}


@dataclass(frozen=True)
class Case:
    """A worker whose webhook is dead."""

    harness: Harness
    webhook: Inbox
    sender: Sender

    def late(self, run: Run, part: str = "report") -> WorkflowHandle[Any, list[str]]:
        """Return the workflow that delivers a report of a run later."""
        return self.harness.client.get_workflow_handle_for(
            DeliveryWorkflow.run, f"delivery-{run.first_execution_run_id}-{part}"
        )

    def heal(self) -> None:
        """Let the webhook accept reports from now on."""
        self.webhook.requests.clear()
        self.webhook.outage = None

    def accepted(self, run: Run) -> int:
        """Count the reports of a run that the webhook has accepted since it was healed."""
        bodies = [request.json() for request in self.webhook.requests]
        return sum(body["run"] == run.first_execution_run_id for body in bodies)

    async def fire_until_started(self, at: float) -> DispatchResult:
        """Send the alert again as its sender does after a 503."""
        async with asyncio.timeout(30):
            while True:
                try:
                    result = await self.sender.fire(at=at)
                except RunClosing:
                    await asyncio.sleep(0.2)
                    continue
                assert result.outcome == "started"
                return result


@asynccontextmanager
async def dead_webhook(client: Client, world: World, script: Any, **tables: Any) -> AsyncIterator[Case]:
    async with Inbox.open() as inbox:
        inbox.outage = fault(503, headers={"retry-after": "1"})
        paging = paging_tables(world, webhook_url=inbox.url)
        reports = {**tables.pop("reports", {}), **paging["reports"]}
        async with run_harness(client, script, **{**paging, **tables, "reports": reports}) as harness:
            yield Case(harness, inbox, Sender.on(harness))


def always_looks(request: JsonObject) -> ScriptedReply:
    return calls(LOOK)


async def test_the_next_episode_starts_beside_the_late_delivery(client: Client, world: World, record: Record) -> None:
    async with dead_webhook(client, world, always_looks, **HAND_OFF) as case:
        first = case.sender.run(await case.sender.fire())
        kind, _, result = await failure(first)
        assert len(world.pages.incidents) == 1, "people know of it"
        second = case.sender.run(await case.fire_until_started(at=400))
        assert second.first_execution_run_id != first.first_execution_run_id
        await failure(second)
        case.heal()
        assert [await case.late(run).result() for run in (first, second)] == [[], []]
        await record(first, "late-delivery")
        await record(case.late(first), "late-delivery-workflow")
    assert (kind, result.undelivered) == ("RoundLimitReached", ["webhook: not accepted yet; it is still tried"])
    assert [case.accepted(run) for run in (first, second)] == [1, 1]
    assert [len(world.pages.incidents), world.pages.incidents[0].title[:5]] == [2, world.pages.incidents[1].title[:5]]


async def test_another_worker_continues_a_late_delivery(client: Client, world: World) -> None:
    queue = f"test-{uuid4().hex[:8]}"
    async with dead_webhook(client, world, always_looks, **HAND_OFF, worker={"task_queue": queue}) as case:
        first = case.sender.run(await case.sender.fire())
        await failure(first)
    settings = case.harness.settings
    async with Inbox.open() as inbox:
        reports = settings.reports.model_copy(update={"webhook_url": inbox.url})
        async with run_worker(client, settings.model_copy(update={"reports": reports}), tools={}):
            assert await case.late(first).result() == []
    assert [request.json()["run"] for request in inbox.requests] == [first.first_execution_run_id]


async def test_a_stop_opens_the_group_of_a_concluded_run(client: Client, world: World) -> None:
    diagnosed = "Verdict: diagnosed\n\nThe error rate of checkout is 18.2 % [r1.0]."
    async with dead_webhook(client, world, concludes(diagnosed)) as case:
        first = case.sender.run(await case.sender.fire())
        while not world.pages.incidents:
            await asyncio.sleep(0.05)
        await stop(client, first.id, StopRequest(by="ada"))
        result = await first.result()
        second = case.sender.run(await case.fire_until_started(at=400))
        await second.terminate()
        case.heal()
        assert await case.late(first).result() == []
    assert (result.status, len(result.undelivered)) == ("concluded", 1)
    assert case.accepted(first) == 1


async def test_a_cancelled_run_delivers_late_too(client: Client, world: World) -> None:
    async with dead_webhook(client, world, [calls(LOOK)] * 2, **HAND_OFF) as case:
        first = case.sender.run(await case.sender.fire())
        while not world.pages.incidents:
            await asyncio.sleep(0.05)
        await first.cancel()
        await failure(first)
        case.heal()
        assert await case.late(first).result() == []
    assert case.accepted(first) == 1


async def test_a_run_of_a_person_waits_for_its_destinations(client: Client, world: World) -> None:
    async with dead_webhook(client, world, always_looks, **HAND_OFF) as case:
        run = await case.harness.start()
        while len(case.webhook.requests) < 3:
            await asyncio.sleep(0.05)
        case.heal()
        _, _, result = await failure(run)
    assert result.undelivered == []


@pytest.mark.slow
async def test_a_dead_channel_delays_the_next_episode_by_a_minute_at_most(client: Client, world: World) -> None:
    tables = connected(world)
    tables["slack"]["url"] = "http://127.0.0.1:9"
    async with dead_webhook(client, world, always_looks, **HAND_OFF, **tables) as case:
        first = case.sender.run(await case.sender.fire())
        while not world.pages.incidents:
            await asyncio.sleep(0.05)
        paged = time.monotonic()
        _, _, result = await failure(first)
        waited = time.monotonic() - paged
        second = case.sender.run(await case.fire_until_started(at=400))
        await second.terminate()
    assert len(result.undelivered) == 2
    assert waited < 75
