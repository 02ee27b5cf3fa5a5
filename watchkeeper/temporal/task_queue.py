"""Find out whether a worker polls a task queue."""

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
"""How long to wait for Temporal's answer."""

CACHE_SECONDS = 1.0
"""How long an answer is reused, because HTTP clients may ask very often."""

_POLL_INTERVAL = timedelta(seconds=70)
"""A live worker polls at least once a minute."""


async def has_worker(client: Client, queue: str, *, retry: bool = True, identity: str = "") -> bool:
    """Return whether a worker polls a task queue: any worker, or the one with ``identity``.

    ``retry``: retry if Temporal is not reachable. Raises RPCError.
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
    """The state of Temporal and of the workers."""

    temporal: bool
    """Whether Temporal answered."""
    worker: bool
    """Whether a worker polls the task queue."""


class WorkerProbe:
    """Checks for a worker on a task queue, one request at a time, at most one in ``CACHE_SECONDS``."""

    def __init__(self, client: Client, task_queue: str, identity: str = "") -> None:
        self._client = client
        self._task_queue = task_queue
        self._identity = identity
        self._lock = asyncio.Lock()
        self._known: tuple[float, WorkerStatus] | None = None

    async def status(self) -> WorkerStatus:
        """Return the current status, or one that is at most ``CACHE_SECONDS`` old."""
        async with self._lock:
            clock = asyncio.get_running_loop().time
            if self._known is None or clock() - self._known[0] > CACHE_SECONDS:
                status = await self._request()
                self._known = clock(), status  # the time of the answer: a request may take longer than CACHE_SECONDS
            return self._known[1]

    async def _request(self) -> WorkerStatus:
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                worker = await has_worker(self._client, self._task_queue, identity=self._identity)
        except (RPCError, TimeoutError):
            return WorkerStatus(temporal=False, worker=False)
        return WorkerStatus(temporal=True, worker=worker)
