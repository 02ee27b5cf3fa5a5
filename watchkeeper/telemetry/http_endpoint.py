"""What a worker tells whoever asks over HTTP: ``/metrics``, ``/healthz`` and ``/livez``."""

from __future__ import annotations

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watchkeeper.temporal.task_queue import WorkerProbe


def page(registry: CollectorRegistry, polling: WorkerProbe) -> Starlette:
    """Make the app; ``polling`` asks after this very process."""

    async def metrics(request: Request) -> Response:
        return Response(generate_latest(registry), media_type=CONTENT_TYPE_LATEST)

    async def healthz(request: Request) -> Response:
        found = await polling.now()
        return JSONResponse({"temporal": found.temporal, "polls": found.worker}, 200 if found.worker else 503)

    async def livez(request: Request) -> Response:
        return JSONResponse({"alive": True})

    return Starlette(routes=[Route("/metrics", metrics), Route("/healthz", healthz), Route("/livez", livez)])
