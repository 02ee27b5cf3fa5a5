"""Follows a run by its history: every event of its executions, across outages, until it ends."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.pending_work import PendingWork, stuck_reason
from watchkeeper.run_view.projection import RunChange, RunProjection
from watchkeeper.run_view.stall_monitor import Notice, monitor_stalls
from watchkeeper.runs.client import describe_run, split_run_name
from watchkeeper.temporal.followed_events import FollowedEvents
from watchkeeper.text import duration

OUTAGE_SECONDS = 300.0
"""Seconds for which Temporal may be unreachable before following fails."""

DELIVERY_SECONDS = 10.0
"""Seconds for which a run is followed while its report is delivered. Mostly that takes less than one."""

_UNREACHABLE = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)


async def execution_ids(client: Client, run: str) -> list[str]:
    """Return the run ids of a run's executions that the server still has, in order. Raises NoSuchRun and RPCError.

    The chain is read backwards from the latest execution: after a reset the first one leads to an end that was undone.
    """
    last = (await describe_run(client, run)).workflow_execution_info
    return await execution_chain(client, split_run_name(run)[0], last)


async def execution_chain(client: Client, workflow_id: str, last: WorkflowExecutionInfo) -> list[str]:
    """Return the run ids of the executions that led to the last one, and its own, in order. Raises RPCError."""
    run_id = last.execution.run_id
    chain: list[str] = []
    while run_id:
        handle = client.get_workflow_handle(workflow_id, run_id=run_id)
        try:
            first = await anext(aiter(handle.fetch_history_events(page_size=1)))
        except RPCError as error:
            if error.status == RPCStatusCode.NOT_FOUND and chain:  # the retention period of the earlier ones has ended
                break
            raise
        chain.insert(0, run_id)
        run_id = first.workflow_execution_started_event_attributes.continued_execution_run_id
    return chain


async def read_run(
    client: Client,
    run: str,
    on_change: Callable[[RunChange], None] | None = None,
    projection: RunProjection | None = None,
) -> RunView:
    """Return the view of a run up to now. ``on_change`` takes each change. Raises NoSuchRun and RPCError."""
    projection = projection or RunProjection(client.data_converter)
    return await _project(client, run, projection, on_change, wait=False, notice=lambda _: None, pending=PendingWork())


async def follow_run(
    client: Client,
    run: str,
    projection: RunProjection,
    on_change: Callable[[RunChange], None],
    notice: Notice,
    pending: PendingWork | None = None,
) -> RunView:
    """Follow a run to its end, or to its report if it stays open after that. Raises NoSuchRun and RPCError.

    A delivery may take hours. So a run that ends with its delivery is followed ``DELIVERY_SECONDS`` after its report.

    ``notice`` takes the reasons why the run makes no progress; ``pending`` holds what is known of them.
    """
    pending = pending or PendingWork()
    monitor = asyncio.create_task(monitor_stalls(client, run, projection, pending, notice))
    deadline = asyncio.timeout(None)
    try:
        async with deadline:

            def show(change: RunChange) -> None:
                on_change(change)
                ends = projection.view.is_delivering and not projection.view.is_open
                if ends != (deadline.when() is not None):
                    deadline.reschedule(asyncio.get_running_loop().time() + DELIVERY_SECONDS if ends else None)

            return await _project(client, run, projection, show, wait=True, notice=notice, pending=pending)
    except TimeoutError:
        if not deadline.expired():
            raise
        return projection.view
    finally:
        monitor.cancel()
        await asyncio.gather(monitor, return_exceptions=True)


async def _project(
    client: Client,
    run: str,
    projection: RunProjection,
    on_change: Callable[[RunChange], None] | None,
    *,
    wait: bool,
    notice: Notice,
    pending: PendingWork,
) -> RunView:
    description = await describe_run(client, run)
    info = description.workflow_execution_info
    is_current = False
    async for run_id, event in run_events(client, run, wait=wait, notice=notice, pending=pending):
        now = asyncio.get_running_loop().time()
        if recovered := pending.add_event(event, projection.activity_id(event), now):
            notice(recovered)
        for change in await projection.add(event, run_id):
            if on_change is not None:
                on_change(change)
        is_current |= run_id == info.execution.run_id and event.event_id >= info.history_length
        if wait and is_current and projection.view.is_settled:
            break
    projection.view.problem = stuck_reason(description, projection.task_failure)
    return projection.view


async def run_events(
    client: Client, run: str, *, wait: bool, notice: Notice, pending: PendingWork
) -> AsyncIterator[tuple[str, HistoryEvent]]:
    """Yield every event of a run with the run id of its execution; with ``wait``, until the run ends.

    If the run is reset meanwhile, its events are yielded again from the first one.
    """
    chain = await execution_ids(client, run)
    while chain:
        run_id = chain.pop(0)
        handle = client.get_workflow_handle(split_run_name(run)[0], run_id=run_id)
        async for event in _execution_events(handle, wait=wait and not chain, notice=notice, pending=pending):
            if wait and not chain and event.HasField("workflow_execution_terminated_event_attributes"):
                chain = await execution_ids(client, run)
                if chain[-1] != run_id:  # a reset terminated it, not a person
                    break
                chain.clear()
            yield run_id, event
            next_id = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
            if next_id and not chain:
                chain.append(next_id)


async def _execution_events(
    handle: WorkflowHandle[Any, Any], *, wait: bool, notice: Notice, pending: PendingWork
) -> AsyncIterator[HistoryEvent]:
    followed, loop = FollowedEvents(), asyncio.get_running_loop()
    while True:
        try:
            async for event in handle.fetch_history_events(wait_new_event=wait):
                if pending.unreached_since is not None:
                    notice(f"Temporal is back, after {duration(loop.time() - pending.unreached_since)}")
                    pending.unreached_since = None
                if followed.is_new(event):
                    yield event
            return
        except RPCError as error:
            if not wait or error.status not in _UNREACHABLE:
                raise
            if pending.unreached_since is None:
                pending.unreached_since = loop.time()
                notice("Temporal is out of reach; the run is safe, trying again")
            elif loop.time() - pending.unreached_since > OUTAGE_SECONDS:
                raise
            await asyncio.sleep(1)
