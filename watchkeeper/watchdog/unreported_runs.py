"""List the runs without a report."""

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
"""Prefix of the workflow ids of runs that alerts started."""

_UNREPORTED = (
    f"WorkflowType = '{runs_client.WORKFLOW}' AND WorkflowId STARTS_WITH '{ALERTS}' AND ExecutionStatus = 'Running' "
    f"AND {search_attributes.OUTCOME.name} IS NULL"
)


@dataclass(frozen=True)
class UnreportedRun:
    """A run without a report."""

    workflow_id: str
    execution: str
    info: WorkflowExecutionInfo

    @property
    def phase(self) -> str | None:
        """What the run was doing when it last said so."""
        return runs_client.read_keyword(self.info.search_attributes.indexed_fields, search_attributes.PHASE)


async def list_unreported(client: Client, task_queue: str) -> AsyncIterator[UnreportedRun]:
    """Yield the open runs that alerts started and that have no report.

    Runs of other task queues are left out: they belong to other installations in the namespace. Raises RPCError.
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


async def adopt(client: Client, listed: UnreportedRun, report_timeout: float) -> WatchedIncident | None:
    """Return the incident of a run that another process started; None if no alert started it or it no longer exists.

    Args:
        client: Temporal client.
        listed: The run.
        report_timeout: Seconds from the start of the run to its deadline.

    Raises RPCError.
    """
    handle = client.get_workflow_handle(listed.workflow_id, run_id=listed.execution)
    try:
        event = await anext(aiter(handle.fetch_history_events(page_size=1)))
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:  # a list may be older than the deletion of a run
            raise
        return None
    first = event.workflow_execution_started_event_attributes
    try:
        run_input = await decode_first(client.data_converter, first.input.payloads, RunInput)
    except (ValueError, RuntimeError):
        # A later version started the run. Its workflow id shows that it is an alert, which is enough for a page.
        run_input = RunInput(text=listed.workflow_id)
    else:
        if run_input.origin is None:
            return None
    started_at = listed.info.start_time.ToDatetime(tzinfo=UTC).timestamp()
    return WatchedIncident(
        key=first.first_execution_run_id,
        workflow_id=listed.workflow_id,
        run_id=first.first_execution_run_id,
        title=runs_client.first_line(run_input.text),
        service=run_input.service,
        team=run_input.origin.team if run_input.origin else None,
        severity=run_input.severity,
        accepted_at=started_at,
        deadline=started_at + report_timeout,
        execution=listed.execution,
    )
