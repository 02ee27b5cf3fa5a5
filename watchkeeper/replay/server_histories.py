"""The histories of the runs on a server, one at a time: a new version of the code must be able to continue them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.replay.history_files import RecordedHistory

OPEN_RUNS = "ExecutionStatus NOT IN ('Completed', 'Failed', 'Canceled', 'Terminated', 'TimedOut', 'ContinuedAsNew')"
"""A visibility query: runs that a worker has to continue, including paused ones."""

_WORKFLOW_TYPES = "WorkflowType IN ('IncidentWorkflow', 'QueueWorkflow', 'DeliveryWorkflow')"
"""The recorded names, which the current code may have changed."""


class InvalidReplayQuery(ValueError):
    """The server rejects a query. The text says why and shows a valid one."""


async def fetch_histories(
    client: Client, query: str = OPEN_RUNS, page_size: int = 200
) -> AsyncIterator[RecordedHistory]:
    """Yield the history of each run that a visibility query finds, and fetch it only when it is needed.

    A run that has ended since the query is included; one that has been deleted since is left out.

    Raises NoSuchQuery and RPCError.
    """
    async for workflow_id, run_id in _executions(client, query, page_size):
        if (recording := await fetch_history(client, workflow_id, run_id)) is not None:
            yield recording


async def fetch_history(client: Client, workflow_id: str, run_id: str) -> RecordedHistory | None:
    """Fetch the history of one execution up to now; None if it has been deleted. Raises RPCError."""
    try:
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return None
    return RecordedHistory(f"{workflow_id} {run_id}", history)


async def count_runs(client: Client, query: str = OPEN_RUNS) -> int:
    """Return how many runs a visibility query finds. Raises NoSuchQuery and RPCError."""
    with _query_errors(query):
        return (await client.count_workflows(_our_runs(query))).count


def _our_runs(query: str) -> str:
    return f"{_WORKFLOW_TYPES} AND ({query})" if query.strip() else _WORKFLOW_TYPES


@contextmanager
def _query_errors(query: str) -> Iterator[None]:
    try:
        yield
    except RPCError as error:
        if error.status != RPCStatusCode.INVALID_ARGUMENT:
            raise
        raise InvalidReplayQuery(
            f"the server does not understand the query {query!r}: {error.message}; "
            "write it as in the search of the Temporal UI, for example \"Service = 'checkout'\""
        ) from error


async def _executions(client: Client, query: str, page_size: int) -> AsyncIterator[tuple[str, str]]:
    token = b""
    while True:
        # Not client.list_workflows: one paused run makes it fail for all (its status is unknown to the SDK).
        request = ListWorkflowExecutionsRequest(
            namespace=client.namespace, query=_our_runs(query), page_size=page_size, next_page_token=token
        )
        with _query_errors(query):
            page = await client.workflow_service.list_workflow_executions(request, retry=True)
        for info in page.executions:
            yield info.execution.workflow_id, info.execution.run_id
        if not (token := page.next_page_token):
            return
