"""The HTTP endpoint of a worker: ``/metrics``, ``/healthz`` and ``/livez``."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CONTENT_TYPE_LATEST
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watchkeeper.temporal.task_queue import WorkerProbe


def worker_app(scrape: Callable[[], bytes], probe: WorkerProbe) -> Starlette:
    """Create the app. ``scrape`` returns the metrics as Prometheus text; ``probe`` checks this process."""

    async def metrics(request: Request) -> Response:
        return Response(scrape(), media_type=CONTENT_TYPE_LATEST)

    async def healthz(request: Request) -> Response:
        status = await probe.status()
        return JSONResponse({"temporal": status.temporal, "polls": status.worker}, 200 if status.worker else 503)

    async def livez(request: Request) -> Response:
        return JSONResponse({"alive": True})

    return Starlette(routes=[Route("/metrics", metrics), Route("/healthz", healthz), Route("/livez", livez)])
