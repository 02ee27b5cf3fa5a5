"""How the run of an incident stands: whether people have its report, as Temporal tells."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import UTC
from typing import Literal, TypeAlias

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.runs import client as runs_client
from watchkeeper.temporal import search_attributes
from watchkeeper.watchdog.models import WatchedIncident

ReportStatus: TypeAlias = Literal["reported", "waited for", "reporting", "undelivered", "ended", "unknown", "taken"]
"""``reporting``: its report is written, and a destination has not taken it yet. ``undelivered``: none will take it.
``ended``: without a report. ``unknown``: Temporal knows no such run (any more). ``taken``: what was refused has been
accepted since."""

_OPEN = (
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_RUNNING,
    WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_PAUSED,
)
_CONTINUED = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW


async def report_status(client: Client, watched: WatchedIncident) -> ReportStatus:
    """Tell how an incident stands; notes the latest execution of its run. Raises RPCError."""
    try:
        if watched.run_id is None:
            return "taken" if await _told_since(client, watched.workflow_id, watched.accepted_at) else "waited for"
        described = await _latest(client, watched)
    except RPCError as error:
        if error.status in (RPCStatusCode.NOT_FOUND, RPCStatusCode.INVALID_ARGUMENT):
            return "waited for" if watched.run_id is None else "unknown"
        raise
    info = described.workflow_execution_info
    watched.execution = info.execution.run_id
    if "delivered" in info.memo.fields:
        # What joined after the report waits in such a task for a worker.
        return "waited for" if described.HasField("pending_workflow_task") else "reported"
    is_open = info.status in _OPEN
    if not has_report(info):
        return "waited for" if is_open else "ended"
    return "reporting" if is_open else "undelivered"


def has_report(info: WorkflowExecutionInfo) -> bool:
    """Tell whether a report is written."""
    indexed = info.search_attributes.indexed_fields
    return "report" in info.memo.fields or runs_client.read_keyword(indexed, search_attributes.OUTCOME) is not None


async def _latest(client: Client, watched: WatchedIncident) -> DescribeWorkflowExecutionResponse:
    """Describe the latest execution of a run, though the group may have another run by now."""
    described = await _describe(client, watched.workflow_id, "")
    if described.workflow_execution_info.first_run_id == watched.run_id:
        return described
    described = await _describe(client, watched.workflow_id, watched.execution)
    while described.workflow_execution_info.status == _CONTINUED:
        following = await _successor(client, watched.workflow_id, described.workflow_execution_info.execution.run_id)
        described = await _describe(client, watched.workflow_id, following)
    return described


async def _describe(client: Client, workflow_id: str, run_id: str) -> DescribeWorkflowExecutionResponse:
    return await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(
            namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
        )
    )


async def _successor(client: Client, workflow_id: str, run_id: str) -> str:
    last = await anext(_backwards(client, workflow_id, run_id))
    return last.workflow_execution_continued_as_new_event_attributes.new_execution_run_id


async def _told_since(client: Client, workflow_id: str, at: float) -> bool:
    """Tell whether the latest run of a group was told of an alert since a moment: perhaps by another intake."""
    async for event in _backwards(client, workflow_id, ""):
        if event.event_time.ToDatetime(tzinfo=UTC).timestamp() < at:
            return False
        if event.HasField("workflow_execution_signaled_event_attributes"):
            return True
    return False


async def _backwards(client: Client, workflow_id: str, run_id: str) -> AsyncIterator[HistoryEvent]:
    token = b""
    while True:
        page = await client.workflow_service.get_workflow_execution_history_reverse(
            GetWorkflowExecutionHistoryReverseRequest(
                namespace=client.namespace,
                execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
                maximum_page_size=50,
                next_page_token=token,
            )
        )
        for event in page.history.events:
            yield event
        if not (token := page.next_page_token):
            return
