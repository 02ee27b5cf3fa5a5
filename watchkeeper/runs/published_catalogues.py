"""Publish the catalogue of a worker in Temporal, and read what workers published, also if none of them runs now.

A paused schedule holds it, as the input of a workflow that is never started (docs/decisions/0022): a schedule has no
retention period, needs no worker to be read, and is in no list of workflows.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from datetime import timedelta
from uuid import uuid4

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Payload, Payloads, WorkflowType
from temporalio.api.schedule.v1 import Schedule, ScheduleAction, ScheduleSpec, ScheduleState
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import NewWorkflowExecutionInfo
from temporalio.api.workflowservice.v1 import (
    CreateScheduleRequest,
    DescribeScheduleRequest,
    UpdateScheduleRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from watchkeeper.config.settings import Settings
from watchkeeper.contracts import PublishedCatalogues, WorkerCatalogue
from watchkeeper.runs.start_options import worker_catalogue
from watchkeeper.text import error_text

log = logging.getLogger(__name__)

CHECK_SECONDS = 60.0
"""How often a worker checks that its catalogue is published: a person may have deleted the schedule, or a worker with
the same catalogue may have ended."""

REFRESH_SECONDS = 900.0
"""Age at which a worker publishes its catalogue again, so that one of a crashed worker is recognised by its age."""

CURRENT_SECONDS = 2 * REFRESH_SECONDS
"""How much older than the newest catalogue one of a running worker may be."""

FIRST_SECONDS = 2.0
LAST_SECONDS = 2.0
"""How long the start and the end of a worker wait for Temporal to store the catalogue."""

READ_SECONDS = 3.0
"""How long the start of a run waits for the catalogue."""

CATALOGUES = 4
"""How many different catalogues are kept. A deploy has two, a roll-back during it has three."""

MAX_BYTES = 500_000
"""Largest publication. Temporal accepts 2 MiB; the SDK warns from 512 KiB."""

ATTEMPTS = 10
"""How often a worker tries to write at the same time as others."""

_RPC_TIMEOUT = timedelta(seconds=10)

_NEVER_STARTED = "CatalogueNeverStarted"
_NOTE = "Watchkeeper's workers publish here what a run may name. It never starts a workflow; keep it paused."
_CONFLICTS = (RPCStatusCode.ALREADY_EXISTS, RPCStatusCode.FAILED_PRECONDITION, RPCStatusCode.ABORTED)
_REFUSALS = (RPCStatusCode.UNIMPLEMENTED, RPCStatusCode.PERMISSION_DENIED, RPCStatusCode.UNAUTHENTICATED)


def schedule_id(task_queue: str) -> str:
    """Return the id of the schedule that holds the catalogues of a task queue."""
    return f"watchkeeper-catalogue@{task_queue}"


async def read_catalogues(client: Client, task_queue: str) -> list[WorkerCatalogue]:
    """Return the catalogues of the workers of a task queue, the newest first; none if no worker published one.

    If all workers have ended, it is the catalogue of the last one. Never fails: what cannot be read counts as absent,
    because a run must be able to start.
    """
    try:
        async with asyncio.timeout(READ_SECONDS):
            published, _ = await _read(client, task_queue)
    except (RPCError, TimeoutError) as error:
        log.debug("cannot read the published catalogue: %s", error_text(error))
        return []
    return current(published.catalogues if published else [])


def current(catalogues: Sequence[WorkerCatalogue]) -> list[WorkerCatalogue]:
    """Return the catalogues of running workers; if none runs, the last one."""
    newest_first = sorted(catalogues, key=lambda one: one.published_at, reverse=True)
    running = [one for one in newest_first if not one.ended]
    return [one for one in running if one.published_at >= running[0].published_at - CURRENT_SECONDS] or newest_first[:1]


@asynccontextmanager
async def publish_catalogue(client: Client, settings: Settings, tools: Iterable[str]) -> AsyncIterator[None]:
    """Keep the catalogue of a worker with these settings and tools published while the context is open.

    On exit, record that the worker has ended.
    It never fails: without a publication, only the worker finds people's mistakes.
    """
    publisher = _Publisher(client, settings.worker.task_queue, worker_catalogue(settings, tools))
    keeping = asyncio.create_task(publisher.keep())
    try:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(FIRST_SECONDS):
                await publisher.tried.wait()
        yield
    finally:
        keeping.cancel()
        await asyncio.gather(keeping, return_exceptions=True)
        await publisher.end()


class _Publisher:
    """Publishes one catalogue. Several workers may publish to the same schedule at the same time."""

    def __init__(self, client: Client, task_queue: str, catalogue: WorkerCatalogue) -> None:
        self._client = client
        self._task_queue = task_queue
        self._catalogue = bounded(catalogue)
        self._has_published = False
        self.tried = asyncio.Event()
        """Set after the first attempt."""

    async def keep(self) -> None:
        """Publish, and check from time to time that it is still published. Ends only if the server refuses it."""
        warned = False
        while True:
            try:
                await self._publish(ended=False)
                self._has_published, warned = True, False
            except RPCError as error:
                if not warned:
                    log.warning("cannot publish the catalogue (%s): only workers find mistakes", error_text(error))
                warned = True
                if error.status in _REFUSALS:
                    return
            finally:
                self.tried.set()
            await asyncio.sleep(CHECK_SECONDS * random.uniform(0.8, 1))

    async def end(self) -> None:
        """Record that a worker with this catalogue has ended. Another one that runs corrects that."""
        if not self._has_published:
            return
        try:
            async with asyncio.timeout(LAST_SECONDS):
                await self._publish(ended=True)
        except (RPCError, TimeoutError) as error:
            log.debug("cannot record the end of the worker in the catalogue: %s", error_text(error))

    async def _publish(self, *, ended: bool) -> None:
        """Write until the server shows it: it silently ignores a write if another worker was faster."""
        for attempt in range(ATTEMPTS):
            published, token = await _read(self._client, self._task_queue)
            known = published.catalogues if published else []
            now = time.time()
            if _is_published(known, self._catalogue, now, ended=ended):
                return
            state = {"published_at": now, **({"ended": True} if ended else {})}
            merged = merge(self._catalogue.model_copy(update=state), known)
            try:
                await _write(self._client, self._task_queue, merged, token)
            except RPCError as error:
                if error.status not in _CONFLICTS:
                    raise
            await asyncio.sleep(random.uniform(0, 0.05) * attempt)


def _is_published(known: Sequence[WorkerCatalogue], mine: WorkerCatalogue, now: float, *, ended: bool) -> bool:
    """Tell whether a catalogue need not be written again."""
    return any(
        _same(one, mine) and one.ended == ended and (ended or now - one.published_at < REFRESH_SECONDS) for one in known
    )


def _same(one: WorkerCatalogue, other: WorkerCatalogue) -> bool:
    return one.model_copy(update={"published_at": 0.0, "ended": False}) == other.model_copy(
        update={"published_at": 0.0, "ended": False}
    )


def merge(mine: WorkerCatalogue, known: Sequence[WorkerCatalogue]) -> PublishedCatalogues:
    """Return what a worker publishes: its own catalogue, and the other ones of workers that run."""
    running = [one for one in current(known) if not one.ended and not _same(one, mine)]
    kept, room = [mine], MAX_BYTES - _size(mine)
    for one in running[: CATALOGUES - 1]:
        if one.published_at >= mine.published_at - CURRENT_SECONDS and (room := room - _size(one)) > 0:
            kept.append(one)
    return PublishedCatalogues(catalogues=kept)


def bounded(catalogue: WorkerCatalogue) -> WorkerCatalogue:
    """Return a catalogue that can be published: one that is too large without its services or tools."""
    for names in ("services", "tools"):
        if _size(catalogue) > MAX_BYTES:
            fields = catalogue.model_dump(exclude_unset=True, exclude={names})
            catalogue = WorkerCatalogue.model_validate(fields)
    return catalogue


def _size(catalogue: WorkerCatalogue) -> int:
    return len(catalogue.model_dump_json(exclude_unset=True).encode())


async def _read(client: Client, task_queue: str) -> tuple[PublishedCatalogues | None, bytes]:
    """Return what is published, and a token for the next write; None and no token if there is no schedule.

    Content that this version cannot read counts as empty, and the next write replaces it. Raises RPCError.
    """
    request = DescribeScheduleRequest(namespace=client.namespace, schedule_id=schedule_id(task_queue))
    try:
        described = await client.workflow_service.describe_schedule(request, timeout=_RPC_TIMEOUT)
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return None, b""
    payloads = described.schedule.action.start_workflow.input.payloads
    try:
        (published,) = await client.data_converter.decode(payloads[:1], [PublishedCatalogues])
    except (ValueError, TypeError, LookupError, RuntimeError, AttributeError) as error:
        log.debug("cannot read the published catalogue: %s", error_text(error))
        published = PublishedCatalogues(catalogues=[])
    return published, described.conflict_token


async def _write(client: Client, task_queue: str, published: PublishedCatalogues, token: bytes) -> None:
    """Create the schedule, or update it if no other worker has since it was read with this token."""
    schedule = _schedule(task_queue, await client.data_converter.encode([published]))
    request = UpdateScheduleRequest(
        namespace=client.namespace,
        schedule_id=schedule_id(task_queue),
        schedule=schedule,
        conflict_token=token,
        identity=client.identity,
        request_id=str(uuid4()),
    )
    if token:
        await client.workflow_service.update_schedule(request, timeout=_RPC_TIMEOUT)
        return
    create = CreateScheduleRequest(
        namespace=request.namespace,
        schedule_id=request.schedule_id,
        schedule=schedule,
        identity=request.identity,
        request_id=request.request_id,
    )
    await client.workflow_service.create_schedule(create, timeout=_RPC_TIMEOUT)


def _schedule(task_queue: str, catalogue: Sequence[Payload]) -> Schedule:
    """Return a schedule without times. If a person triggers it, its workflow ends after a second."""
    workflow = NewWorkflowExecutionInfo(
        workflow_id=schedule_id(task_queue),
        workflow_type=WorkflowType(name=_NEVER_STARTED),
        task_queue=TaskQueue(name=f"{schedule_id(task_queue)}-unused"),
        input=Payloads(payloads=catalogue),
        workflow_execution_timeout=Duration(seconds=1),
    )
    return Schedule(
        spec=ScheduleSpec(),
        action=ScheduleAction(start_workflow=workflow),
        state=ScheduleState(paused=True, notes=_NOTE),
    )
