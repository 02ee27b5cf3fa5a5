"""Lists of runs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from uuid import uuid4

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.client import Client

from tests.support.settings import build_settings
from watchkeeper.contracts import RunInput
from watchkeeper.runs.client import _newest_first, list_runs, start_run
from watchkeeper.runs.list_filter import RunFilter

CLOSED = {"second", "fourth", "fifth"}


async def test_a_list_shows_the_newest_run_first_whether_it_is_open_or_closed(client: Client) -> None:
    service = uuid4().hex
    settings = build_settings(worker={"task_queue": service})
    started = {}
    for text in ("first", "second", "third", "fourth", "fifth"):
        started[text] = (await start_run(client, RunInput(text=text, service=service), settings)).workflow_id
        if text == "fifth":  # it closes before "second" and "fourth"
            await client.get_workflow_handle(started["fifth"]).terminate()
    for text in ("second", "fourth"):
        await client.get_workflow_handle(started[text]).terminate()
    async with asyncio.timeout(20):  # the server updates its list a moment later
        while True:
            listed = [run async for run in list_runs(client, RunFilter(service=service))]
            if {run.text for run in listed if run.closed_at is not None} == CLOSED and len(listed) == len(started):
                break
            await asyncio.sleep(0.05)
    assert [run.text for run in listed] == ["fifth", "fourth", "third", "second", "first"]


async def test_a_run_that_closes_while_the_list_is_read_is_listed_once() -> None:
    async def pages() -> AsyncIterator[WorkflowExecutionInfo]:
        for run_id, started, closed in (("a", 3, 0), ("b", 2, 0), ("a", 3, 9), ("c", 1, 8)):
            info = WorkflowExecutionInfo(execution=WorkflowExecution(run_id=run_id))
            info.start_time.FromSeconds(started)
            if closed:
                info.close_time.FromSeconds(closed)
            yield info

    assert [info.execution.run_id async for info in _newest_first(pages())] == ["a", "b", "c"]
