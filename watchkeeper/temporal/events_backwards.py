"""Reads the history of an execution from its end."""

from __future__ import annotations

from collections.abc import AsyncIterator

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryReverseRequest
from temporalio.client import Client

PAGE_EVENTS = 50
"""What readers look for is mostly among the last events."""


async def events_backwards(client: Client, workflow_id: str, run_id: str) -> AsyncIterator[HistoryEvent]:
    """Yield the events of an execution, the last one first; an empty run id means the latest. Raises RPCError."""
    token = b""
    while True:
        page = await client.workflow_service.get_workflow_execution_history_reverse(
            GetWorkflowExecutionHistoryReverseRequest(
                namespace=client.namespace,
                execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
                maximum_page_size=PAGE_EVENTS,
                next_page_token=token,
            )
        )
        for event in page.history.events:
            yield event
        if not (token := page.next_page_token):
            return
