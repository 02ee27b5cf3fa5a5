"""Taking turns: what runs say to the queue of their team, and what the queue asks of the runs."""

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
"""How many runs are looked at together."""

_ENDED = {
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
}
_ENDED_BY_HAND = _ENDED - {WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED}


class QueueActivities:
    """Speaks for runs and their queues to Temporal. Everything may be said again."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue

    @activity.defn
    async def enter(self, entrant: QueueEntry) -> None:
        """Let a run wait in a queue, which is there from then on. Raises RPCError."""
        await self._signal(entrant, "enter")

    @activity.defn
    async def leave(self, leaving: QueueExit) -> None:
        """Tell a queue that is not there that a run left: the next one must know. Raises RPCError."""
        await self._signal(leaving, "leave")

    @activity.defn
    async def find_gone(self, queue: QueueState) -> list[str]:
        """Find the runs that hold a place and are over, by their first execution run ids.

        One of which nothing can be learnt just now counts as living.
        """
        free = asyncio.Semaphore(CONCURRENT_LOOKUPS)

        async def look(entrant: QueueEntry) -> bool:
            async with free:
                return await self._is_gone(entrant)

        gone = await asyncio.gather(*map(look, queue.holding))
        return [entrant.run for entrant, is_gone in zip(queue.holding, gone, strict=True) if is_gone]

    async def _signal(self, said: QueueEntry | QueueExit, signal: str) -> None:
        """Signal a queue; where there is none, start it with what the one before it left.

        Not with a start alone: that would never find out whether the one before it was broken off meanwhile.
        """
        workflow_id = queue_id(said.queue, self._task_queue)
        try:
            await self._client.get_workflow_handle(workflow_id).signal(signal, said)
        except RPCError as error:
            if error.status != RPCStatusCode.NOT_FOUND:
                raise
            await self._client.start_workflow(
                QUEUE_WORKFLOW,
                await self._left_behind(workflow_id, said.queue),
                id=workflow_id,
                task_queue=self._task_queue,
                task_timeout=WORKFLOW_TASK_TIMEOUT,
                id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                id_reuse_policy=WorkflowIDReusePolicy.ALLOW_DUPLICATE,
                start_signal=signal,
                start_signal_args=[said],
                static_summary=f"turns of {said.queue}",
                priority=Priority(priority_key=1),
            )

    async def _left_behind(self, workflow_id: str, name: str) -> QueueState:
        """Return how a queue stood when it was broken off; one that ended by itself left nobody."""
        before = await self._describe(workflow_id)
        if before is None or before.status not in _ENDED_BY_HAND:
            return QueueState(name=name)
        activity.logger.warning("the queue was ended by hand; its state is read from its history")
        return await queue_history.read_queue(self._client, workflow_id, before.execution.run_id)

    async def _is_gone(self, entrant: QueueEntry) -> bool:
        try:
            found = await self._describe(entrant.workflow_id)
        except RPCError as error:
            activity.logger.warning("cannot look at %s: %s", entrant.workflow_id, error_text(error))
            return False
        return found is None or found.first_run_id != entrant.run or found.status in _ENDED

    async def _describe(self, workflow_id: str) -> WorkflowExecutionInfo | None:
        """Describe the latest execution of a workflow, as the server answers: the SDK cannot read that of a paused one.

        None: there is none. Raises RPCError.
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
