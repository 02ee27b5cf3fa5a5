"""Following a run by its history: every event of its chain of executions, through outages, to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.pending_work import PendingWork
from watchkeeper.run_view.projection import RunChange, RunProjection
from watchkeeper.run_view.stall_monitor import Notice, monitor_stalls
from watchkeeper.runs.client import describe_run, split_run_name
from watchkeeper.text import duration

OUTAGE_SECONDS = 300.0
"""Seconds for which Temporal may be out of reach before following gives up."""

_OUT_OF_REACH = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)


async def execution_ids(client: Client, run: str) -> list[str]:
    """Return the run ids of a run's executions that the server still has, in order.

    From the latest one back: after a reset the first one leads to an end that was undone. Raises NoSuchRun, RPCError.
    """
    return await execution_chain(
        client, split_run_name(run)[0], (await describe_run(client, run)).workflow_execution_info
    )


async def execution_chain(client: Client, workflow_id: str, last: WorkflowExecutionInfo) -> list[str]:
    """Return the run ids of the executions that led to one, and its own, in order. Raises RPCError."""
    run_id = last.execution.run_id
    chain: list[str] = []
    while run_id:
        handle = client.get_workflow_handle(workflow_id, run_id=run_id)
        try:
            first = await anext(aiter(handle.fetch_history_events(page_size=1)))
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND and chain:  # retention took the earlier ones
                break
            raise
        chain.insert(0, run_id)
        run_id = first.workflow_execution_started_event_attributes.continued_execution_run_id
    return chain


async def run_events(
    client: Client, run: str, *, wait: bool, notice: Notice, outlook: PendingWork
) -> AsyncIterator[tuple[str, HistoryEvent]]:
    """Give every event of a run with the run id of its execution; with ``wait``, until the run is over.

    A run that is reset meanwhile begins again from its first event.
    """
    chain = await execution_ids(client, run)
    while chain:
        run_id = chain.pop(0)
        handle = client.get_workflow_handle(split_run_name(run)[0], run_id=run_id)
        async for event in _execution(handle, wait=wait and not chain, notice=notice, outlook=outlook):
            if wait and not chain and event.HasField("workflow_execution_terminated_event_attributes"):
                chain = await execution_ids(client, run)
                if chain[-1] != run_id:  # not terminated by a person, but reset
                    break
                chain.clear()
            yield run_id, event
            following = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
            if following and not chain:
                chain.append(following)


async def _execution(
    handle: WorkflowHandle[Any, Any], *, wait: bool, notice: Notice, outlook: PendingWork
) -> AsyncIterator[HistoryEvent]:
    seen, loop = 0, asyncio.get_running_loop()
    while True:
        try:
            async for event in handle.fetch_history_events(wait_new_event=wait):
                if outlook.unreached_since is not None:
                    notice(f"Temporal is back, after {duration(loop.time() - outlook.unreached_since)}")
                    outlook.unreached_since = None
                if event.event_id > seen:
                    seen = event.event_id
                    yield event
            return
        except RPCError as error:
            if not wait or error.status not in _OUT_OF_REACH:
                raise
            if outlook.unreached_since is None:
                outlook.unreached_since = loop.time()
                notice("Temporal is out of reach; the run is safe, trying again")
            elif loop.time() - outlook.unreached_since > OUTAGE_SECONDS:
                raise
            await asyncio.sleep(1)


async def read_run(
    client: Client, run: str, tell: Callable[[RunChange], None] | None = None, projection: RunProjection | None = None
) -> RunView:
    """Return the view of a run up to now, projection it on the way. Raises NoSuchRun and RPCError."""
    projection = projection or RunProjection(client.data_converter)
    return await _told(client, run, projection, tell, wait=False, notice=lambda _: None, outlook=PendingWork())


async def follow_run(
    client: Client,
    run: str,
    projection: RunProjection,
    tell: Callable[[RunChange], None],
    notice: Notice,
    outlook: PendingWork | None = None,
) -> RunView:
    """Tell a run as it happens, to its end, or to its report where it stays open after that.

    ``notice`` is told why nothing happens; ``outlook`` holds what is seen of that. Raises NoSuchRun and RPCError.
    """
    outlook = outlook or PendingWork()
    quiet = asyncio.create_task(monitor_stalls(client, run, projection, outlook, notice))
    try:
        return await _told(client, run, projection, tell, wait=True, notice=notice, outlook=outlook)
    finally:
        quiet.cancel()
        await asyncio.gather(quiet, return_exceptions=True)


async def _told(
    client: Client,
    run: str,
    projection: RunProjection,
    tell: Callable[[RunChange], None] | None,
    *,
    wait: bool,
    notice: Notice,
    outlook: PendingWork,
) -> RunView:
    info = (await describe_run(client, run)).workflow_execution_info
    up_to_now = False
    async for run_id, event in run_events(client, run, wait=wait, notice=notice, outlook=outlook):
        if carried_on := outlook.hear(event, projection.activity_id(event), asyncio.get_running_loop().time()):
            notice(carried_on)
        for told in await projection.add(event, run_id):
            if tell is not None:
                tell(told)
        up_to_now |= run_id == info.execution.run_id and event.event_id >= info.history_length
        if wait and up_to_now and projection.view.all_answered:
            break
    return projection.view
