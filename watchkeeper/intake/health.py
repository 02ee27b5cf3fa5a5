"""``/healthz``, ``/readyz`` and ``/metrics``."""

from __future__ import annotations

from fastapi import APIRouter
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from watchkeeper.intake.dependencies import Intake
from watchkeeper.temporal.task_queue import WorkerProbe
from watchkeeper.watchdog.models import WatchdogCounts


class Liveness(BaseModel):
    """The process answers."""

    alive: bool


class Readiness(BaseModel):
    """Whether alerts can be accepted, and whether workers investigate them."""

    temporal: bool = Field(description="Temporal is reachable. While it is not, alerts are answered 503.")
    worker: bool = Field(description="A worker polls. While none does, alerts are accepted and wait.")
    progress: bool = Field(description="No run is stuck, because its workflow tasks fail again and again.")


def routes(intake: Intake, counts: WatchdogCounts | None) -> APIRouter:
    """Return the routes of health checks and metrics. ``counts``: of the watchdog beside this intake."""
    router = APIRouter(tags=["health"])
    polling = WorkerProbe(intake.client, intake.settings.worker.task_queue)

    @router.get("/healthz")
    async def healthz() -> Liveness:
        """Answer that the process runs. It does not check Temporal."""
        return Liveness(alive=True)

    @router.get(
        "/readyz",
        response_model=Readiness,
        responses={503: {"model": Readiness, "description": "Temporal or a worker is missing, or runs are stuck."}},
    )
    async def readyz() -> JSONResponse:
        """Answer whether Temporal is reachable, a worker polls and no run is stuck."""
        polled = await polling.status()
        stuck = counts.stuck if counts is not None else 0
        readiness = Readiness(temporal=polled.temporal, worker=polled.worker, progress=not stuck)
        return JSONResponse(readiness.model_dump(), 200 if all(readiness.model_dump().values()) else 503)

    @router.get(
        "/metrics",
        response_class=Response,
        responses={200: {"content": {"text/plain": {"schema": {"type": "string"}}}, "description": "For Prometheus."}},
    )
    async def metrics() -> Response:
        """Return the metrics in the text format of Prometheus."""
        return Response(generate_latest(intake.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return router
