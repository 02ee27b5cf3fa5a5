"""The floor: a loop of the same shape that does nothing. Its time is the time of Temporal itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio import activity, workflow

from bench.inbox import Inbox

with workflow.unsafe.imports_passed_through():
    import time
    from urllib.parse import urlsplit

    from temporalio.client import Client, WorkflowHandle

    from bench.contender import Commands, Contender, build_worker
    from bench.model_server import ModelCall
    from bench.task import calls_per_round

TIMEOUT = timedelta(seconds=60)


class FloorActivities:
    """Activities that do nothing. ``ask`` waits for its turn; this wait is subtracted."""

    def __init__(self, turn_url: str) -> None:
        self._url = urlsplit(turn_url)
        self._calls: list[ModelCall] = []

    @activity.defn
    async def ask(self) -> None:
        """Wait for a turn instead of asking the model."""
        started_at, at = time.perf_counter(), time.time()
        reader, writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        writer.write(f"GET {self._url.path} HTTP/1.0\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        self._calls.append((time.perf_counter() - started_at, 0, at))

    @activity.defn
    async def read_page(self) -> None:
        """Do nothing instead of calling a tool."""

    def take(self) -> list[ModelCall]:
        """Return the waits since the last call. No bytes were sent."""
        calls, self._calls = self._calls, []
        return calls


@workflow.defn
class FloorWorkflow(Inbox):
    """Each round: one activity, then the calls at once."""

    @workflow.run
    async def run(self, rounds: int, calls: int, stays_open: bool) -> None:
        for _ in range(rounds):
            await workflow.execute_activity_method(FloorActivities.ask, start_to_close_timeout=TIMEOUT)
            await asyncio.gather(*(self._call() for _ in range(calls)))
        await workflow.execute_activity_method(FloorActivities.ask, start_to_close_timeout=TIMEOUT)
        while stays_open:
            await self.next_alerts()
            await workflow.execute_activity_method(FloorActivities.ask, start_to_close_timeout=TIMEOUT)

    async def _call(self) -> None:
        await workflow.execute_activity_method(FloorActivities.read_page, start_to_close_timeout=TIMEOUT)


@asynccontextmanager
async def _run_worker(client: Client, queue: str, model_url: str) -> AsyncIterator[Commands]:
    activities = FloorActivities(f"{model_url}/floor/turn")
    async with build_worker(client, queue, FloorWorkflow, [activities.ask, activities.read_page]):
        yield {"served": activities.take}


async def _start(
    client: Client, queue: str, name: str, rounds: int, kib: int, stays_open: bool = False
) -> WorkflowHandle[FloorWorkflow, None]:
    arguments = [rounds, calls_per_round(stays_open), stays_open]
    return await client.start_workflow(FloorWorkflow.run, args=arguments, id=name, task_queue=queue)


FLOOR = Contender("floor", FloorWorkflow, _run_worker, _start)
