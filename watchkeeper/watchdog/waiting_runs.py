"""Count the runs that wait for a person's approval."""

from __future__ import annotations

from temporalio.api.workflowservice.v1 import CountWorkflowExecutionsRequest
from temporalio.client import Client

from watchkeeper.runs import client as runs_client
from watchkeeper.temporal import search_attributes


async def count_waiting_for_approval(client: Client, task_queue: str) -> int:
    """Return how many open runs of a task queue wait for a person's approval. Raises RPCError."""
    waiting: search_attributes.WaitingFor = "approval"
    name = task_queue.replace("'", "''")
    query = (
        f"WorkflowType = '{runs_client.WORKFLOW}' AND ExecutionStatus = 'Running' AND TaskQueue = '{name}' "
        f"AND {search_attributes.WAITING_FOR.name} = '{waiting}'"
    )
    counted = await client.workflow_service.count_workflow_executions(
        CountWorkflowExecutionsRequest(namespace=client.namespace, query=query)
    )
    return counted.count
