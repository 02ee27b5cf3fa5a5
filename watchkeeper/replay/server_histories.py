"""The histories of a server's runs, one at a time: what a deploy must be able to carry on."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager

from temporalio.api.workflowservice.v1 import ListWorkflowExecutionsRequest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.replay.history_files import RecordedHistory

OPEN_RUNS = "ExecutionStatus NOT IN ('Completed', 'Failed', 'Canceled', 'Terminated', 'TimedOut', 'ContinuedAsNew')"
"""Runs that a worker will have to carry on, paused ones too."""

_OURS = "WorkflowType IN ('IncidentWorkflow', 'QueueWorkflow')"
"""As they are recorded, whatever the code of today calls them."""


class InvalidReplayQuery(ValueError):
    """The server does not understand a query; the text says why and the way out."""


async def fetch_histories(
    client: Client, query: str = OPEN_RUNS, page_size: int = 200
) -> AsyncIterator[RecordedHistory]:
    """Give the history of each run of ours that a visibility query finds, fetched when it is asked for.

    One that ended meanwhile is given as it is; one that was deleted meanwhile is left out.

    Raises NoSuchQuery and RPCError.
    """
    async for workflow_id, run_id in _found(client, query, page_size):
        if (recording := await fetch_history(client, workflow_id, run_id)) is not None:
            yield recording


async def fetch_history(client: Client, workflow_id: str, run_id: str) -> RecordedHistory | None:
    """Fetch the history of one execution up to now; None if the server has none any more. Raises RPCError."""
    try:
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return None
    return RecordedHistory(f"{workflow_id} {run_id}", history)


async def count_runs(client: Client, query: str = OPEN_RUNS) -> int:
    """Return how many runs of ours a visibility query finds. Raises NoSuchQuery and RPCError."""
    with _understood(query):
        return (await client.count_workflows(_narrowed(query))).count


def _narrowed(query: str) -> str:
    return f"{_OURS} AND ({query})" if query.strip() else _OURS


@contextmanager
def _understood(query: str) -> Iterator[None]:
    try:
        yield
    except RPCError as error:
        if error.status != RPCStatusCode.INVALID_ARGUMENT:
            raise
        raise InvalidReplayQuery(
            f"the server does not understand the query {query!r}: {error.message}; "
            "write it as in the search of the Temporal UI, such as \"Service = 'checkout'\""
        ) from error


async def _found(client: Client, query: str, page_size: int) -> AsyncIterator[tuple[str, str]]:
    token = b""
    while True:
        # Not client.list_workflows: one paused run makes it fail for all (its status is unknown to the SDK).
        request = ListWorkflowExecutionsRequest(
            namespace=client.namespace, query=_narrowed(query), page_size=page_size, next_page_token=token
        )
        with _understood(query):
            page = await client.workflow_service.list_workflow_executions(request, retry=True)
        for info in page.executions:
            yield info.execution.workflow_id, info.execution.run_id
        if not (token := page.next_page_token):
            return
