"""Runs whose workflow tasks fail again and again, so that they make no progress: most often after a bad deploy.

The server retries such a task without end. Two things show it at once: the attempt number of the pending task in
DescribeWorkflowExecution, and the search attribute ``TemporalReportedProblems``, which a server from 1.30 on sets after
``system.numConsecutiveWorkflowTaskProblemsToTriggerSearchAttribute`` failures (5 by default, which takes some 20 s) and
clears with the next task that succeeds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import TimeoutType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionRequest, ListWorkflowExecutionsRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.temporal import search_attributes
from watchkeeper.temporal.events_backwards import events_backwards
from watchkeeper.text import excerpt

MAX_LISTED = 1_000
"""Failing runs that are listed. Beyond that, their number does not matter."""

_MAX_EVENTS = 1_000
"""Events that are read of one run: alerts may have signalled it often since the failure."""

_REASON_BYTES = 300

_HARMLESS = (
    # A person reset the run, or a signal arrived while the task completed: the server repeats it at once.
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW,
    WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND,
)


@dataclass(frozen=True)
class FailingTask:
    """Why a run makes no progress."""

    since: float
    """When its first task failed after the last one that succeeded, in Unix seconds."""
    reason: str


async def list_failing(client: Client, task_queue: str) -> Mapping[str, str] | None:
    """Return the open workflows of a task queue whose tasks fail, as the server reports: workflow id by run id.

    None if the server does not report it. Raises RPCError.
    """
    name = task_queue.replace("'", "''")
    query = (
        f"ExecutionStatus = 'Running' AND TaskQueue = '{name}' AND {search_attributes.REPORTED_PROBLEMS} IS NOT NULL"
    )
    request = ListWorkflowExecutionsRequest(namespace=client.namespace, query=query, page_size=MAX_LISTED)
    try:
        page = await client.workflow_service.list_workflow_executions(request)
    except RPCError as error:
        if error.status == RPCStatusCode.INVALID_ARGUMENT:  # an older server has no such attribute
            return None
        raise
    return {info.execution.run_id: info.execution.workflow_id for info in page.executions}


async def find_failing_task(client: Client, workflow_id: str, run_id: str) -> FailingTask | None:
    """Return why a run makes no progress; None if its workflow tasks do not fail. Raises RPCError."""
    execution = WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    request = DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
    try:
        description = await client.workflow_service.describe_workflow_execution(request)
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            return None
        raise
    # A signal makes the server count from 1 again. Its next attempt fails within seconds.
    if description.pending_workflow_task.attempt <= 1:
        return None
    failing: FailingTask | None = None
    read = 0
    async for event in events_backwards(client, workflow_id, run_id):
        read += 1
        if event.HasField("workflow_task_completed_event_attributes") or read > _MAX_EVENTS:
            break
        if (reason := _failure(event)) is not None:
            failing = FailingTask(event.event_time.ToDatetime(tzinfo=UTC).timestamp(), reason)
    return failing


def _failure(event: HistoryEvent) -> str | None:
    if event.HasField("workflow_task_failed_event_attributes"):
        failed = event.workflow_task_failed_event_attributes
        if failed.cause in _HARMLESS:
            return None
        cause = WorkflowTaskFailedCause.Name(failed.cause).removeprefix("WORKFLOW_TASK_FAILED_CAUSE_").lower()
        return excerpt(failed.failure.message, _REASON_BYTES) or cause.replace("_", " ")
    if event.HasField("workflow_task_timed_out_event_attributes"):
        timed_out = event.workflow_task_timed_out_event_attributes.timeout_type
        if timed_out == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE:
            return "its worker does not complete it in time"
    return None
