"""The floor: a loop of the same shape that does nothing. What Temporal takes for itself, nobody can undercut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    import time
    from urllib.parse import urlsplit

    from temporalio.client import Client, WorkflowHandle
    from temporalio.converter import DataConverter

    from bench.contender import Answers, Contender, plain_worker
    from bench.model import Served
    from bench.task import CALLS

TIMEOUT = timedelta(seconds=300)


class FloorActivities:
    """Activities that do nothing; the one in the model's place waits for its turn, which is not counted."""

    def __init__(self, turn_url: str) -> None:
        self._url = urlsplit(turn_url)
        self._served: list[Served] = []

    @activity.defn
    async def ask(self) -> None:
        """Stand where the model is asked."""
        began, at = time.perf_counter(), time.time()
        reader, writer = await asyncio.open_connection(self._url.hostname, self._url.port)
        writer.write(f"GET {self._url.path} HTTP/1.0\r\n\r\n".encode())
        await reader.readuntil(b"\r\n\r\n")
        writer.close()
        self._served.append((time.perf_counter() - began, 0, at))

    @activity.defn
    async def read_page(self) -> None:
        """Stand where a tool is called."""

    def take(self) -> list[Served]:
        """Return the seconds of each wait since the last time; no bytes were sent."""
        taken, self._served = self._served, []
        return taken


@workflow.defn
class FloorWorkflow:
    """One activity, then three at once, so many rounds."""

    @workflow.run
    async def run(self, rounds: int) -> None:
        for _ in range(rounds):
            await workflow.execute_activity_method(FloorActivities.ask, start_to_close_timeout=TIMEOUT)
            await asyncio.gather(*(self._call() for _ in range(CALLS)))
        await workflow.execute_activity_method(FloorActivities.ask, start_to_close_timeout=TIMEOUT)

    async def _call(self) -> None:
        await workflow.execute_activity_method(FloorActivities.read_page, start_to_close_timeout=TIMEOUT)


@asynccontextmanager
async def _working(client: Client, queue: str, model_url: str) -> AsyncIterator[Answers]:
    activities = FloorActivities(f"{model_url}/floor/turn")
    async with plain_worker(client, queue, FloorWorkflow, [activities.ask, activities.read_page]):
        yield {"served": activities.take}


async def _start(client: Client, queue: str, name: str, rounds: int, kib: int) -> WorkflowHandle[FloorWorkflow, None]:
    return await client.start_workflow(FloorWorkflow.run, rounds, id=name, task_queue=queue)


FLOOR = Contender("floor", FloorWorkflow, DataConverter.default, _working, _start)
