"""Whether anybody works on a task queue, as Temporal tells."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

TIMEOUT_SECONDS = 2.0
"""For Temporal to say who polls."""

CACHE_SECONDS = 1.0
"""Seconds for which what it said is told again; whoever may ask over HTTP may ask as often as they like."""

_POLL_INTERVAL = timedelta(seconds=70)
"""A worker polls again within a minute, so one that has not is gone."""


async def has_worker(client: Client, queue: str, *, retry: bool = True, identity: str = "") -> bool:
    """Tell whether a worker polls a task queue, whichever or the one of an identity.

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
    alive = datetime.now(UTC) - _POLL_INTERVAL
    pollers = [poller for poller in answer.pollers if identity in ("", poller.identity)]
    return any(poller.last_access_time.ToDatetime(tzinfo=UTC) > alive for poller in pollers)


@dataclass(frozen=True)
class WorkerStatus:
    """What Temporal said."""

    temporal: bool
    """Whether it said anything."""
    worker: bool


class WorkerProbe:
    """Asks who polls a task queue, one question at a time and not too often."""

    def __init__(self, client: Client, task_queue: str, identity: str = "") -> None:
        self._client = client
        self._task_queue = task_queue
        self._identity = identity
        self._lock = asyncio.Lock()
        self._known: tuple[float, WorkerStatus] | None = None

    async def now(self) -> WorkerStatus:
        """Tell how things are, or were a moment ago."""
        async with self._lock:
            clock = asyncio.get_running_loop().time
            if self._known is None or clock() - self._known[0] > CACHE_SECONDS:
                found = await self._ask()
                self._known = clock(), found
            return self._known[1]

    async def _ask(self) -> WorkerStatus:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                worker = await has_worker(self._client, self._task_queue, identity=self._identity)
        except (RPCError, TimeoutError):
            return WorkerStatus(temporal=False, worker=False)
        return WorkerStatus(temporal=True, worker=worker)
