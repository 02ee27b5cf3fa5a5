"""The report status of an incident's run, read from Temporal."""

from __future__ import annotations

from datetime import UTC
from typing import Literal, TypeAlias

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.runs import client as runs_client
from watchkeeper.temporal import search_attributes
from watchkeeper.temporal.events_backwards import events_backwards
from watchkeeper.watchdog.models import WatchedIncident

ReportStatus: TypeAlias = Literal[
    "reported", "waiting", "reporting", "undelivered", "joined", "unanswered", "ended", "unknown", "accepted"
]
"""``reporting``: the report is written, but not delivered yet. ``undelivered``: it will not be delivered.
``joined``: alerts joined after the report, and people have no answer about them yet. ``unanswered``: they will have
none. ``ended``: the run closed without a report. ``unknown``: Temporal has no such run. ``accepted``: a refused group
has been accepted since."""

_OPEN = (
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
)
_ENDED_BY_HAND = (
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
)
_CONTINUED = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW


async def report_status(client: Client, incident: WatchedIncident) -> ReportStatus:
    """Return the report status of an incident, and update the latest execution in it. Raises RPCError."""
    try:
        if incident.run_id is None:
            accepted = await _signalled_since(client, incident.workflow_id, incident.accepted_at)
            return "accepted" if accepted else "waiting"
        description = await _describe_latest(client, incident)
    except RPCError as error:
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):
            return "waiting" if incident.run_id is None else "unknown"
        raise
    info = description.workflow_execution_info
    incident.execution = info.execution.run_id
    is_open = info.status in _OPEN
    if "delivered" in info.memo.fields:
        if is_open and description.HasField("pending_workflow_task"):
            return "waiting"  # alerts joined after the report and wait for a worker
        if info.status in _ENDED_BY_HAND and await _has_unread_signal(client, info.execution):
            return "unanswered"
        incident.waiting_since = await runs_client.read_memo(client, info, "joined", float)
        if incident.waiting_since is None:
            return "reported"
        return "joined" if is_open else "unanswered"
    if not has_report(info):
        return "waiting" if is_open else "ended"
    return "reporting" if is_open else "undelivered"


def has_report(info: WorkflowExecutionInfo) -> bool:
    """Return whether the run has written its report."""
    indexed = info.search_attributes.indexed_fields
    return "report" in info.memo.fields or runs_client.read_keyword(indexed, search_attributes.OUTCOME) is not None


async def _describe_latest(client: Client, incident: WatchedIncident) -> DescribeWorkflowExecutionResponse:
    """Describe the latest execution of the incident's run. The group may have a newer run."""
    description = await _describe(client, incident.workflow_id, "")
    if description.workflow_execution_info.first_run_id == incident.run_id:
        return description
    description = await _describe(client, incident.workflow_id, incident.execution)
    while description.workflow_execution_info.status == _CONTINUED:
        current = description.workflow_execution_info.execution.run_id
        next_execution = await _successor(client, incident.workflow_id, current)
        description = await _describe(client, incident.workflow_id, next_execution)
    return description


async def _describe(client: Client, workflow_id: str, run_id: str) -> DescribeWorkflowExecutionResponse:
    return await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
        )
    )


async def _successor(client: Client, workflow_id: str, run_id: str) -> str:
    last = await anext(events_backwards(client, workflow_id, run_id))
    return last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id


async def _signalled_since(client: Client, workflow_id: str, at: float) -> bool:
    """Return whether the latest run of a group has received a signal since a time. Another intake may have sent it."""
    async for event in events_backwards(client, workflow_id, ""):
        if event.event_time.ToDatetime(tzinfo=UTC).timestamp() < at:
            return False
        if event.HasField("workflow_execution_signaled_event_attributes"):
            return True
    return False


async def _has_unread_signal(client: Client, execution: WorkflowExecution) -> bool:
    """Return whether an execution was ended before a worker could process its last signal, possibly an alert."""
    async for event in events_backwards(client, execution.workflow_id, execution.run_id):
        if event.HasField("workflow_execution_signaled_event_attributes"):
            return True
        if event.HasField("workflow_task_completed_event_attributes"):
            return False
    return False
