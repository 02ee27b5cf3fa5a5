"""Whether anybody works on a task queue, as Temporal tells."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

_POLL = timedelta(seconds=70)
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
    alive = datetime.now(UTC) - _POLL
    pollers = [poller for poller in answer.pollers if identity in ("", poller.identity)]
    return any(poller.last_access_time.ToDatetime(tzinfo=UTC) > alive for poller in pollers)
