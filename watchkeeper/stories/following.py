"""Following a run by its history: every event of its chain of executions, through outages, to its end."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.runs import NoSuchRun, describe
from watchkeeper.stories.story import Story
from watchkeeper.stories.telling import Telling, Told
from watchkeeper.text import excerpt

OUTAGE = 300.0
"""Seconds for which Temporal may be out of reach before following gives up."""

QUIET = 3.0
"""Seconds without an event until it is looked into."""

_LOOK = 0.5

_POLL = timedelta(seconds=70)
"""A worker polls again within a minute, so one that has not is gone."""

_OUT_OF_REACH = (RPCStatusCode.UNAVAILABLE, RPCStatusCode.DEADLINE_EXCEEDED, RPCStatusCode.CANCELLED)

Notice = Callable[[str], None]


async def executions(client: Client, workflow_id: str) -> list[str]:
    """Return the run ids of a run's executions that the server still has, in order.

    From the latest one back: after a reset the first one leads to an end that was undone. Raises NoSuchRun, RPCError.
    """
    run_id = (await describe(client, workflow_id)).workflow_execution_info.execution.run_id
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


async def events(
    client: Client, workflow_id: str, *, wait: bool, notice: Notice
) -> AsyncIterator[tuple[str, HistoryEvent]]:
    """Give every event of a run with the run id of its execution; with ``wait``, until the run is over.

    A run that is reset meanwhile begins again from its first event.
    """
    chain = await executions(client, workflow_id)
    while chain:
        run_id = chain.pop(0)
        async for event in _execution(client, workflow_id, run_id, wait=wait and not chain, notice=notice):
            if wait and not chain and event.HasField("workflow_execution_terminated_event_attributes"):
                chain = await executions(client, workflow_id)
                if chain[-1] != run_id:  # not terminated by a person, but reset
                    break
                chain.clear()
            yield run_id, event
            following = event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
            if following and not chain:
                chain.append(following)


async def _execution(
    client: Client, workflow_id: str, run_id: str, *, wait: bool, notice: Notice
) -> AsyncIterator[HistoryEvent]:
    handle = client.get_workflow_handle(workflow_id, run_id=run_id)
    seen, lost_at = 0, None
    loop = asyncio.get_running_loop()
    while True:
        try:
            async for event in handle.fetch_history_events(wait_new_event=wait):
                lost_at = None
                if event.event_id > seen:
                    seen = event.event_id
                    yield event
            return
        except RPCError as error:
            if not wait or error.status not in _OUT_OF_REACH:
                raise
            if lost_at is None:
                lost_at = loop.time()
                notice("Temporal is out of reach; the run is safe, trying again")
            elif loop.time() - lost_at > OUTAGE:
                raise
            await asyncio.sleep(1)


async def retell(
    client: Client, workflow_id: str, tell: Callable[[Told], None] | None = None, telling: Telling | None = None
) -> Story:
    """Return the story of a run up to now, telling it on the way. Raises NoSuchRun and RPCError."""
    telling = telling or Telling(client.data_converter)
    return await _told(client, workflow_id, telling, tell, wait=False, notice=lambda _: None)


async def follow(
    client: Client, workflow_id: str, telling: Telling, tell: Callable[[Told], None], notice: Notice
) -> Story:
    """Tell a run as it happens, to its end, or to its report where it stays open after that.

    ``notice`` is told why nothing happens. Raises NoSuchRun and RPCError.
    """
    quiet = asyncio.create_task(_explain_quiet(client, workflow_id, telling, notice))
    try:
        return await _told(client, workflow_id, telling, tell, wait=True, notice=notice)
    finally:
        quiet.cancel()
        await asyncio.gather(quiet, return_exceptions=True)


async def _told(
    client: Client,
    workflow_id: str,
    telling: Telling,
    tell: Callable[[Told], None] | None,
    *,
    wait: bool,
    notice: Notice,
) -> Story:
    info = (await describe(client, workflow_id)).workflow_execution_info
    up_to_now = False
    async for run_id, event in events(client, workflow_id, wait=wait, notice=notice):
        for told in await telling.add(event, run_id):
            if tell is not None:
                tell(told)
        up_to_now |= run_id == info.execution.run_id and event.event_id >= info.history_length
        if wait and up_to_now and telling.story.settled:
            break
    return telling.story


async def _explain_quiet(client: Client, workflow_id: str, telling: Telling, notice: Notice) -> None:
    """Say once each what holds a run up: no worker, or an activity that is being tried again."""
    said: set[str] = set()
    events, quiet = 0, 0.0
    while True:
        await asyncio.sleep(_LOOK)
        quiet = quiet + _LOOK if telling.events == events else 0.0
        events = telling.events
        if quiet < QUIET:
            continue
        quiet = 0.0
        try:
            reasons = await _reasons(client, workflow_id, telling.failing)
        except (RPCError, NoSuchRun):
            continue
        for reason in reasons:
            if reason not in said:
                said.add(reason)
                notice(reason)


async def _reasons(client: Client, workflow_id: str, failing: str) -> list[str]:
    description = await describe(client, workflow_id)
    queue = description.execution_config.task_queue.name
    reasons = [
        f"{pending.activity_id} {pending.activity_type.name}: attempt {pending.attempt}, the last one failed: "
        f"{excerpt(pending.last_failure.message, 300)}"
        for pending in description.pending_activities
        if pending.attempt > 1 and pending.last_failure.message
    ]
    if failing:
        reasons.append(
            f"no worker can carry it on; it is tried again, and goes on when this is mended: {excerpt(failing, 300)}"
        )
    if not await has_worker(client, queue):
        reasons.append(
            f"no worker polls the task queue {queue!r}; the run waits for one: start it with `watchkeeper worker`"
        )
    return reasons


async def has_worker(client: Client, queue: str, *, retry: bool = True, machine: str = "") -> bool:
    """Tell whether a worker polls a task queue, anywhere or on the machine that is named.

    ``retry``: be patient with a Temporal out of reach. Raises RPCError.
    """
    answer = await client.workflow_service.describe_task_queue(
        DescribeTaskQueueRequest(
            namespace=client.namespace,
            task_queue=TaskQueue(name=queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        ),
        retry=retry,
    )
    alive = datetime.now(UTC) - _POLL
    pollers = [poller for poller in answer.pollers if not machine or poller.identity.endswith(f"@{machine}")]
    return any(poller.last_access_time.ToDatetime(tzinfo=UTC) > alive for poller in pollers)
