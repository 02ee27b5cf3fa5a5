"""The FastAPI app of the intake: its routes and the middleware in front of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

import httpx2
from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import Lifespan
from temporalio.client import Client

from watchkeeper import __version__
from watchkeeper.alerts.registry import make_source
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import JsonObject
from watchkeeper.intake import alerts, error_responses, health, run_updates, runs, slack_interactions
from watchkeeper.intake.authentication import AuthenticationMiddleware
from watchkeeper.intake.body_limit import BODY_SECONDS, BodyLimitMiddleware
from watchkeeper.intake.concurrency_limit import AlertLimitMiddleware, DispatchSlots
from watchkeeper.intake.dependencies import DispatchAlerts, Intake
from watchkeeper.intake.metrics import IntakeMetrics, RequestMetricsMiddleware
from watchkeeper.intake.outbound_http import FETCH_SECONDS, OutboundHttp
from watchkeeper.intake.server import GRACE
from watchkeeper.intake.slack_interactions import InteractionReader
from watchkeeper.temporal.lazy_client import wait_until_reachable
from watchkeeper.watchdog.models import WatchdogCounts


def create_app(
    client: Client,
    settings: Settings,
    dispatch: DispatchAlerts,
    *,
    interactions: InteractionReader | None = None,
    counts: WatchdogCounts | None = None,
    background: Sequence[AbstractAsyncContextManager[object]] = (),
    http: httpx2.AsyncClient | None = None,
    body_seconds: float = BODY_SECONDS,
) -> FastAPI:
    """Build the app.

    Args:
        client: Temporal client, connected or lazy.
        settings: Settings of the operator.
        dispatch: Sends alerts to Temporal.
        interactions: Reads button clicks from Slack; without it the route does not exist.
        counts: Counters of the watchdog, for the metrics.
        background: Contexts that are entered when the app starts and left when it stops.
        http: Client for certificates and subscription confirmations; the caller closes it.
        body_seconds: Time limit for receiving a request body.
    """
    sources = {name: make_source(name, section) for name, section in settings.sources.items()}
    outbound = http or httpx2.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False)
    metrics = IntakeMetrics(sources, counts)
    intake = Intake(client, settings, dispatch, sources, OutboundHttp(outbound), metrics, DispatchSlots())
    decisions = set[asyncio.Task[None]]()
    app = FastAPI(
        title="Watchkeeper",
        description="Receives alerts, and starts, shows and updates runs.",
        version=__version__,
        lifespan=_lifespan(intake, None if http else outbound, background, decisions),
        redirect_slashes=False,
        redoc_url=None,
    )
    routers = [alerts.routes(intake), runs.routes(intake), run_updates.routes(intake), health.routes(intake)]
    if interactions is not None:
        routers.append(slack_interactions.routes(intake, interactions, decisions))
    for router in routers:  # not include_router, which hides the methods of a path that the 405 handler lists
        app.router.routes.extend(router.routes)
    error_responses.install_handlers(app)
    # The middleware that is added last runs first.
    app.add_middleware(AlertLimitMiddleware)
    app.add_middleware(BodyLimitMiddleware, seconds=body_seconds)
    app.add_middleware(AuthenticationMiddleware, tokens=settings.intake.tokens)
    app.add_middleware(RequestMetricsMiddleware, metrics=intake.metrics)
    document = _openapi(app)
    app.openapi = lambda: document  # type: ignore[method-assign]
    return app


def _lifespan(
    intake: Intake,
    own_http: httpx2.AsyncClient | None,
    background: Sequence[AbstractAsyncContextManager[object]],
    decisions: set[asyncio.Task[None]],
) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if own_http is not None:
                await stack.enter_async_context(own_http)
            connection = asyncio.create_task(wait_until_reachable(intake.client))
            stack.push_async_callback(_cancel, connection)
            for context in background:
                await stack.enter_async_context(context)
            yield
            if decisions:
                await asyncio.wait(decisions, timeout=GRACE)

    return lifespan


async def _cancel(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _openapi(app: FastAPI) -> JsonObject:
    """Return the OpenAPI document without 422: the intake answers 400 where FastAPI would answer 422."""
    document: dict[str, Any] = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    for methods in document["paths"].values():
        for operation in methods.values():
            operation["responses"].pop("422", None)
    for unused in ("HTTPValidationError", "ValidationError"):
        document["components"]["schemas"].pop(unused, None)
    return document
