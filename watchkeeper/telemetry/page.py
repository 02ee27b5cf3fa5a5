"""What a worker tells whoever asks over HTTP: ``/metrics``, ``/healthz`` and ``/livez``."""

from __future__ import annotations

import asyncio

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from temporalio.client import Client
from temporalio.service import RPCError

from watchkeeper.stories.polled import has_worker

SECONDS = 2.0
"""For Temporal to say who polls."""

FRESH = 1.0
"""Seconds for which what it said is told again; whoever may ask here may ask as often as they like."""


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
        try:
            async with asyncio.timeout(SECONDS):
                polls = await has_worker(self._client, self._task_queue, identity=self._client.identity)
        except (RPCError, TimeoutError):
            return {"temporal": False, "polls": False}
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
