"""Send Temporal updates to a run: tell, stop, decide, extend. The run answers whether it accepted the update."""

from __future__ import annotations

import asyncio
import random
from typing import Any, TypeVar
from uuid import uuid4
from weakref import WeakValueDictionary

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
"""Seconds in which a worker must answer an update."""


AT_ONCE = 4
"""Updates of one run that a process sends at once. Temporal refuses the eleventh that a run has not answered yet."""

RETRY_SECONDS = (0.1, 2.0)
"""First and longest pause before an update is sent again that Temporal refused because too many were under way."""

_slots: WeakValueDictionary[tuple[int, str], asyncio.Semaphore] = WeakValueDictionary()
"""By event loop and workflow id, while updates of the run are under way."""


class UpdateRejected(Exception):
    """A run rejected an update. The message says why."""


class UpdateUnanswered(UpdateRejected):
    """No worker answered an update in time. The run may still accept it later."""


async def tell(
    client: Client, run: str, message: TellRequest, timeout: float = ANSWER_TIMEOUT, *, execution: str | None = None
) -> str:
    """Send the agent a message.

    With ``execution``, all updates act only on the run whose first execution has this run id. All of them raise
    UpdateRejected, UpdateUnanswered, NoSuchRun and RPCError.
    """
    handle = client.get_workflow_handle(run, first_execution_run_id=execution)
    return await _update(handle, client, "tell", message, str, timeout)


async def stop(
    client: Client, run: str, reason: StopRequest, timeout: float = ANSWER_TIMEOUT, *, execution: str | None = None
) -> str:
    """End a run with its hand-off report."""
    handle = client.get_workflow_handle(run, first_execution_run_id=execution)
    return await _update(handle, client, "stop", reason, str, timeout)


async def decide(
    client: Client, run: str, decision: Decision, timeout: float = ANSWER_TIMEOUT, *, execution: str | None = None
) -> str:
    """Approve or deny a waiting call."""
    handle = client.get_workflow_handle(run, first_execution_run_id=execution)
    return await _update(handle, client, "decide", decision, str, timeout)


async def extend(
    client: Client,
    run: str,
    extension: ExtendRequest,
    timeout: float = ANSWER_TIMEOUT,
    *,
    execution: str | None = None,
) -> Limits:
    """Raise limits of a run. Returns the new limits."""
    handle = client.get_workflow_handle(run, first_execution_run_id=execution)
    return await _update(handle, client, "extend", extension, Limits, timeout)


async def _update(
    handle: WorkflowHandle[Any, Any],
    client: Client,
    name: str,
    argument: BaseModel,
    result_type: type[T],
    timeout: float,
) -> T:
    run = handle.id
    try:
        async with asyncio.timeout(timeout), _slot(run):
            return await _send(handle, name, argument, result_type)
    except (TimeoutError, WorkflowUpdateRPCTimeoutOrCancelledError) as error:
        # The SDK raises its own error for a cancelled task, too.
        if (task := asyncio.current_task()) is not None and task.cancelling():
            raise asyncio.CancelledError from error
        raise UpdateUnanswered(
            f"no worker answered within {timeout:g} s; start one with `watchkeeper worker` and try again "
            f"(`watchkeeper show {run}` shows whether the run accepted it later)"
        ) from error
    except WorkflowUpdateFailedError as error:
        cause = error.cause
        raise UpdateRejected(cause.message if isinstance(cause, ApplicationError) else str(cause)) from error
    except RPCError as error:
        if error.status == RPCStatusCode.NOT_FOUND:
            latest = await find_run(client, run)
            if handle.first_execution_run_id is not None and latest.closed_at is None:
                raise UpdateRejected(f"it belongs to an earlier run of {run}, which has ended") from error
            raise UpdateRejected(f"{run} has ended: {latest.status}; see `watchkeeper show {run}`") from error
        raise


async def _send(handle: WorkflowHandle[Any, Any], name: str, argument: BaseModel, result_type: type[T]) -> T:
    """Send an update, again and again while too many of the run are under way. Its id is the same: it counts once."""
    update_id, (pause, longest) = str(uuid4()), RETRY_SECONDS
    while True:
        try:
            result: T = await handle.execute_update(name, argument, id=update_id, result_type=result_type)
            return result
        except RPCError as error:
            if not _is_busy(error):
                raise
        await asyncio.sleep(pause * random.uniform(0.5, 1.0))
        pause = min(longest, pause * 2)


def _slot(run: str) -> asyncio.Semaphore:
    key = (id(asyncio.get_running_loop()), run)
    if (slots := _slots.get(key)) is None:
        slots = _slots[key] = asyncio.Semaphore(AT_ONCE)
    return slots


def _is_busy(error: RPCError) -> bool:
    """Tell whether Temporal refused an update, or gave it up, because too many of the run were under way."""
    if error.status == RPCStatusCode.RESOURCE_EXHAUSTED:
        return "total number" not in error.message  # more updates in all than one execution may have
    return error.status in (RPCStatusCode.UNAVAILABLE, RPCStatusCode.ABORTED) and "update was aborted" in error.message
