"""What people do to a run, as updates: the run answers whether it took them, and why not."""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

from pydantic import BaseModel
from temporalio.client import (
    Client,
    WorkflowHandle,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
)
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.contracts import Decision, ExtendRequest, Limits, StopRequest, TellRequest
from watchkeeper.runs.client import find_run

T = TypeVar("T")

ANSWER_TIMEOUT = 30.0
"""Seconds until the run's worker must have answered."""


class UpdateRejected(Exception):
    """A run did not take what a person wanted; the text says why."""


class UpdateUnanswered(UpdateRejected):
    """No worker said in time whether a run took it; it may yet."""


async def tell(client: Client, run: str, words: TellRequest, patience: float = ANSWER_TIMEOUT) -> str:
    """Send the agent a message. Raises UpdateRejected, UpdateUnanswered, NoSuchRun and RPCError."""
    return await _act(client.get_workflow_handle(run), client, "tell", words, str, patience)


async def stop(client: Client, run: str, why: StopRequest, patience: float = ANSWER_TIMEOUT) -> str:
    """End a run with its hand-off report."""
    return await _act(client.get_workflow_handle(run), client, "stop", why, str, patience)


async def decide(
    client: Client, run: str, decision: Decision, patience: float = ANSWER_TIMEOUT, *, execution: str | None = None
) -> str:
    """Approve or deny a call that waits; of no other run of this name than the one whose first execution is given."""
    handle = client.get_workflow_handle(run, first_execution_run_id=execution)
    return await _act(handle, client, "decide", decision, str, patience)


async def extend(client: Client, run: str, extension: ExtendRequest, patience: float = ANSWER_TIMEOUT) -> Limits:
    """Raise limits; returns the new ones."""
    return await _act(client.get_workflow_handle(run), client, "extend", extension, Limits, patience)


async def _act(
    handle: WorkflowHandle[Any, Any], client: Client, name: str, what: BaseModel, answer: type[T], patience: float
) -> T:
    run = handle.id
    try:
        async with asyncio.timeout(patience):
            taken: T = await handle.execute_update(name, what, result_type=answer)
            return taken
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:  # the SDK's own, where it was cut off
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError from error
        raise UpdateUnanswered(
            f"no worker took it within {patience:g} s; start one with `watchkeeper worker` and try again "
            f"(`watchkeeper show {run}` tells whether it was taken after all)"
        ) from error
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        raise UpdateRejected(cause.message if isinstance(cause, ApplicationError) else str(cause)) from error
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            found = await find_run(client, run)
            if handle.first_execution_run_id is not None and found.closed_at is None:
                raise UpdateRejected(f"it is about an earlier run of {run}, which is over") from error
            raise UpdateRejected(f"{run} is over: {found.status}; `watchkeeper show {run}` tells it") from error
        raise
