"""The activities ``enter``, ``leave`` and ``find_gone``, by which runs and the queue of their team communicate."""

from __future__ import annotations

import asyncio

from temporalio import activity
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.common import Priority, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.contracts import QueueEntry, QueueExit, QueueState
from watchkeeper.incident.queue_state import queue_id
from watchkeeper.temporal import queue_history
from watchkeeper.temporal.activity_options import WORKFLOW_TASK_TIMEOUT
from watchkeeper.text import error_text

QUEUE_WORKFLOW = "QueueWorkflow"

CONCURRENT_LOOKUPS = 10
"""How many runs are checked at the same time."""

_ENDED = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
}
_ENDED_BY_HAND = _ENDED - {WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED}


class QueueActivities:
    """Signals queues and checks runs. Every call may be repeated."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    @activity.defn
    async def enter(self, entrant: QueueEntry) -> None:
        """Add a run to a queue; starts the queue if it is not running. Raises RPCError."""
        await self._signal(entrant, "enter")

    @activity.defn
    async def leave(self, leaving: QueueExit) -> None:
        """Remove a run from a queue; starts the queue if it is not running. Raises RPCError."""
        await self._signal(leaving, "leave")

    @activity.defn
    async def find_gone(self, queue: QueueState) -> list[str]:
        """Return the runs that hold a slot although they have ended, by first execution run id.

        A run whose state cannot be read now counts as running.
        """
        free = asyncio.Semaphore(CONCURRENT_LOOKUPS)

        async def check(entrant: QueueEntry) -> bool:
            async with free:
                return await self._has_ended(entrant)

        ended = await asyncio.gather(*map(check, queue.holding))
        return [entrant.run for entrant, has_ended in zip(queue.holding, ended, strict=True) if has_ended]

    async def _signal(self, argument: QueueEntry | QueueExit, signal: str) -> None:
        """Signal a queue. If it is not running, start it with the state that its last execution left.

        Signal-with-start alone would not show whether the last execution was terminated, and its state would be lost.
        """
        workflow_id = queue_id(argument.queue, self._task_queue)
        try:
            await self._client.get_workflow_handle(workflow_id).signal(signal, argument)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            await self._client.start_workflow(
                QUEUE_WORKFLOW,
                await self._last_state(workflow_id, argument.queue),
                id=workflow_id,
                task_queue=self._task_queue,
                task_timeout=WORKFLOW_TASK_TIMEOUT,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                start_signal=signal,
                start_signal_args=[argument],
                static_summary=f"queue of {argument.queue}",
                priority=Priority(priority_key=1),
            )

    async def _last_state(self, workflow_id: str, name: str) -> QueueState:
        """Return the state of a terminated queue; a queue that ended by itself was empty."""
        last = await self._describe(workflow_id)
        if last is None or last.status not in _ENDED_BY_HAND:
            return QueueState(name=name)
        activity.logger.warning("the queue was terminated; reading its state from its history")
        return await queue_history.read_queue(self._client, workflow_id, last.execution.run_id)

    async def _has_ended(self, entrant: QueueEntry) -> bool:
        try:
            found = await self._describe(entrant.workflow_id)
        except RPCError as error:
            activity.logger.warning("cannot read the state of %s: %s", entrant.workflow_id, error_text(error))
            return False
        return found is None or found.first_run_id != entrant.run or found.status in _ENDED

    async def _describe(self, workflow_id: str) -> WorkflowExecutionInfo | None:
        """Describe the latest execution of a workflow; None if none exists. Raises RPCError.

        Uses the server's API, because the SDK cannot read the description of a paused workflow.
        """
        request = DescribeWorkflowExecutionRequest(
            namespace=self._client.namespace, execution=WorkflowExecution(workflow_id=workflow_id)
        )
        try:
            described = await self._client.workflow_service.describe_workflow_execution(request, retry=True)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            return None
        return described.workflow_execution_info
