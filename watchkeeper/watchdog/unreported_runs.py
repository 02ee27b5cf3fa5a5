"""Runs without a report, as Temporal lists them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC

from temporalio.api.workflow.v1 import WorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.contracts import RunInput
from watchkeeper.runs import client as runs_client
from watchkeeper.temporal import search_attributes
from watchkeeper.temporal.history import decode_first
from watchkeeper.watchdog.models import WatchedIncident
from watchkeeper.watchdog.run_status import has_report

ALERTS = "alert-"
"""With this the ids of runs begin that alerts started."""

_UNREPORTED = (
    f"WorkflowType = '{runs_client.WORKFLOW}' AND WorkflowId STARTS_WITH '{ALERTS}' AND ExecutionStatus = 'Running' "
    f"AND {search_attributes.OUTCOME.name} IS NULL"
)


@dataclass(frozen=True)
class UnreportedRun:
    """A run without a report, as Temporal lists it."""

    workflow_id: str
    execution: str
    info: WorkflowExecutionInfo


async def list_unreported(client: Client, task_queue: str) -> AsyncIterator[UnreportedRun]:
    """List the runs that alerts started, that are open, and that have no report yet.

    Those of another task queue belong to others who share the namespace. Raises RPCError.
    """
    token = b""
    while True:
        page = await client.workflow_service.list_workflow_executions(
            ListWorkflowExecutionsRequest(
                namespace=client.namespace, query=_UNREPORTED, page_size=1_000, next_page_token=token
            )
        )
        for info in page.executions:
            if info.task_queue == task_queue and not has_report(info):
                yield UnreportedRun(info.execution.workflow_id, info.execution.run_id, info)
        if not (token := page.next_page_token):
            return


async def adopt(client: Client, listed: UnreportedRun, patience: float) -> WatchedIncident | None:
    """Watch a run that another process accepted; None for one that no alert started, or that is there no more.

    Args:
        client: The connection to Temporal.
        listed: The run.
        patience: Seconds from its beginning to its deadline.

    Raises RPCError.
    """
    handle = client.get_workflow_handle(listed.workflow_id, run_id=listed.execution)
    try:
        began_with = await anext(aiter(handle.fetch_history_events(page_size=1)))
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:  # lists are later than what they list
            raise
        return None
    first = began_with.workflow_execution_started_event_attributes
    try:
        given = await decode_first(client.data_converter, first.input.payloads, RunInput)
    except (ValueError, RuntimeError):
        # Of a later version: its id says that an alert started it, which is enough to page somebody.
        given = RunInput(text=listed.workflow_id)
    else:
        if given.origin is None:
            return None
    began = listed.info.start_time.ToDatetime(tzinfo=UTC).timestamp()
    return WatchedIncident(
        key=first.first_execution_run_id,
        workflow_id=listed.workflow_id,
        run_id=first.first_execution_run_id,
        title=runs_client.first_line(given.text),
        service=given.service,
        team=given.origin.team if given.origin else None,
        severity=given.severity,
        accepted_at=began,
        deadline=began + patience,
        execution=listed.execution,
    )
