"""What a worker tells whoever asks over HTTP: ``/metrics``, ``/healthz`` and ``/livez``."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client
from temporalio.service import RPCError

SECONDS = 2.0
"""For Temporal to say who polls."""

FRESH = 1.0
"""Seconds for which what it said is told again; whoever may ask here may ask as often as they like."""

_POLL = timedelta(seconds=70)
"""A worker polls again within a minute."""


class Polling:
    """Whether this process works: Temporal knows who polls, and when it last did."""

    def __init__(self, client: Client, task_queue: str) -> None:
        self._client = client
        self._task_queue = task_queue
        self._lock = asyncio.Lock()
        self._known: tuple[float, dict[str, bool]] | None = None

    async def now(self) -> dict[str, bool]:
        """Tell whether Temporal answers, and whether we poll, or did a moment ago."""
        async with self._lock:
            clock = asyncio.get_running_loop().time
            if self._known is None or clock() - self._known[0] > FRESH:
                found = await self._ask()
                self._known = clock(), found
            return self._known[1]

    async def _ask(self) -> dict[str, bool]:
        request = DescribeTaskQueueRequest(
            namespace=self._client.namespace,
            task_queue=TaskQueue(name=self._task_queue),
            task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW,
        )
        try:
            async with asyncio.timeout(SECONDS):
                answer = await self._client.workflow_service.describe_task_queue(request, retry=True)
        except (RPCError, TimeoutError):
            return {"temporal": False, "polls": False}
        alive, us = datetime.now(UTC) - _POLL, self._client.identity
        polls = any(
            poller.identity == us and poller.last_access_time.ToDatetime(tzinfo=UTC) > alive
            for poller in answer.pollers
        )
        return {"temporal": True, "polls": polls}


def page(registry: CollectorRegistry, polling: Polling) -> Starlette:
    """Make the app."""

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def healthz(request: Request) -> Response:
        found = await polling.now()
        return JSONResponse(found, 200 if found["polls"] else 503)

    async def livez(request: Request) -> Response:
        return JSONResponse({"alive": True})

    return Starlette(routes=[Route("/metrics", metrics), Route("/healthz", healthz), Route("/livez", livez)])
