"""A worker that polls at once when Temporal returns after an outage.

During an outage the SDK repeats each poll after a delay that grows to 10 s, and no setting changes that: the next step
of a run came up to 12 s after Temporal's return. This module notices the return within a second, and starts a new
worker on a new connection. The old worker finishes its activities (docs/decisions/0026).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import timedelta

from temporalio.api.workflowservice.v1 import GetSystemInfoRequest
from temporalio.client import Client
from temporalio.service import RPCError, ServiceClient
from temporalio.worker import Worker

from watchkeeper.temporal.lazy_client import is_unreachable
from watchkeeper.text import duration, error_text

PAUSE = 0.5
"""Seconds between two requests that check whether Temporal answers."""

SHORTEST_OUTAGE = 2.0
"""Seconds. After a shorter outage the SDK polls soon enough."""

_ATTEMPT = timedelta(seconds=2)
_OVERLAP = 1.0
"""Seconds for which a new worker must run before the old one is stopped."""

logger = logging.getLogger(__name__)


@asynccontextmanager
async def renewed_worker(client: Client, make_worker: Callable[[Client], Worker]) -> AsyncIterator[Worker]:
    """Run a worker while the context is open, and replace it after each outage of Temporal. Yield the first one.

    ``make_worker`` creates a worker on a client. On exit, all workers are drained. A fatal error of the current worker
    cancels the body and is raised.
    """
    body, stop, first = asyncio.current_task(), asyncio.Event(), make_worker(client)
    running = asyncio.create_task(_run(client, first, make_worker, stop))
    running.add_done_callback(lambda done: body.cancel() if body is not None and not stop.is_set() else None)
    try:
        yield first
    except asyncio.CancelledError:
        if running.done() and body is not None:
            body.uncancel()
            running.result()
        raise
    finally:
        stop.set()
        await running


async def _run(client: Client, worker: Worker, make_worker: Callable[[Client], Worker], stop: asyncio.Event) -> None:
    """Run the first worker and its successors until ``stop`` is set."""
    current, ending = asyncio.create_task(worker.run()), list[asyncio.Task[None]]()
    stopped = asyncio.create_task(stop.wait())
    returned = asyncio.create_task(_wait_for_return(client))
    try:
        while True:
            await asyncio.wait({current, stopped, returned}, return_when=asyncio.FIRST_COMPLETED)
            if stopped.done() or current.done():
                break
            logger.warning("Temporal answers again after %s", duration(returned.result()))
            returned = asyncio.create_task(_wait_for_return(client))
            try:
                successor = make_worker(await connected_anew(client))
            except RuntimeError as error:  # Temporal is away again; the old worker still polls
                logger.warning("polling was not renewed: %s", error_text(error))
                continue
            run = asyncio.create_task(successor.run())
            await asyncio.wait({run}, timeout=_OVERLAP)
            if run.done():  # the same
                logger.warning("polling was not renewed: %s", error_text(run.exception() or asyncio.CancelledError()))
                continue
            ending += [current, asyncio.create_task(worker.shutdown())]
            current, worker = run, successor
        if not current.done():
            await worker.shutdown()
        await asyncio.gather(current, *ending)
    finally:
        stopped.cancel()
        returned.cancel()


async def _wait_for_return(client: Client) -> float:
    """Wait until Temporal answers after an outage. Return the length of the outage in seconds."""
    clock, since = asyncio.get_running_loop().time, None
    while True:
        try:
            await client.workflow_service.get_system_info(GetSystemInfoRequest(), retry=False, timeout=_ATTEMPT)
        except RPCError as error:
            if is_unreachable(error) and since is None:
                since = clock()
        else:
            if since is not None and (length := clock() - since) >= SHORTEST_OUTAGE:
                return length
            since = None
        await asyncio.sleep(PAUSE)


async def connected_anew(client: Client) -> Client:
    """Return the same client on a new connection that is made now. Raises RuntimeError.

    The SDK refuses a lazy client for a worker, and two workers on one connection.
    """
    config = client.config()
    config["service_client"] = await ServiceClient.connect(replace(client.service_client.config, lazy=False))
    return Client(**config)
