"""``/healthz``, ``/readyz`` and ``/metrics``: whether the intake lives, whether it is of use, and what it did."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response
from temporalio.service import RPCError

from watchkeeper.intake.intake import Intake
from watchkeeper.stories.polled import has_worker

SECONDS = 2.0
"""For Temporal to say who polls."""

_FRESH = 1.0
"""Seconds for which what was found is told again; whoever may ask here may ask as often as they like."""


class Alive(BaseModel):
    """The process answers."""

    alive: bool


class Ready(BaseModel):
    """Whether alerts can be accepted, and whether they are looked into."""

    temporal: bool = Field(description="Temporal is reachable. While it is not, alerts are answered 503.")
    worker: bool = Field(description="A worker polls. While none does, alerts are accepted, and wait.")


class Readiness:
    """Asks Temporal, one request at a time and not too often."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._lock = asyncio.Lock()
        self._known: tuple[float, Ready] | None = None

    async def now(self) -> Ready:
        """Tell how things are, or were a moment ago."""
        async with self._lock:
            clock = asyncio.get_running_loop().time
            if self._known is None or clock() - self._known[0] > _FRESH:
                ready = await self._ask()
                self._known = clock(), ready
            return self._known[1]

    async def _ask(self) -> Ready:
        try:
            async with asyncio.timeout(SECONDS):
                worker = await has_worker(self._intake.client, self._intake.settings.worker.task_queue)
        except (RPCError, TimeoutError):
            return Ready(temporal=False, worker=False)
        return Ready(temporal=True, worker=worker)


def routes(intake: Intake) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["health"])
    readiness = Readiness(intake)

    @router.get("/healthz")
    async def healthz() -> Alive:
        """Tell that the process answers, whatever it could do."""
        return Alive(alive=True)

    @router.get("/readyz", response_model=Ready, responses={503: {"model": Ready, "description": "One is missing."}})
    async def readyz() -> JSONResponse:
        """Tell whether Temporal is reachable and a worker polls."""
        ready = await readiness.now()
        return JSONResponse(ready.model_dump(), 200 if ready.temporal and ready.worker else 503)

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "For Prometheus."}},
    )
    async def metrics() -> Response:
        """Tell what was counted, in the text format of Prometheus."""
        return Response(generate_latest(intake.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router
