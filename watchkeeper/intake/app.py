"""The app: routes, and before them what every request goes through."""

from __future__ import annotations

import asyncio
import logging
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
from watchkeeper.intake.authentication import AuthenticationMiddleware, is_public
from watchkeeper.intake.body_limit import BODY_SECONDS, BodyLimitMiddleware
from watchkeeper.intake.concurrency_limit import AlertLimitMiddleware, DispatchSlots
from watchkeeper.intake.dependencies import DispatchAlerts, Intake
from watchkeeper.intake.metrics import Measured, Metrics
from watchkeeper.intake.outbound_http import FETCH_SECONDS, OutboundHttp
from watchkeeper.intake.server import GRACE
from watchkeeper.intake.slack_interactions import InteractionReader
from watchkeeper.temporal.lazy_client import wait_until_reachable
from watchkeeper.watchdog.models import WatchdogCounts

log = logging.getLogger(__name__)


def create_app(
    client: Client,
    settings: Settings,
    admit: DispatchAlerts,
    *,
    presses: InteractionReader | None = None,
    counts: WatchdogCounts | None = None,
    beside: Sequence[AbstractAsyncContextManager[object]] = (),
    http: httpx2.AsyncClient | None = None,
    body_seconds: float = BODY_SECONDS,
) -> FastAPI:
    """Build the app.

    Args:
        client: Of Temporal, connected or lazy.
        settings: The operator's.
        admit: Gives alerts to Temporal.
        presses: Reads what Slack tells of buttons; None: that route is not there.
        counts: What the watchdog has done, for the metrics.
        beside: Entered when the app starts and left when it ends, such as what watches over accepted alerts.
        http: Fetches certificates and confirms subscriptions; its owner closes it.
        body_seconds: For a body to come whole.
    """
    sources = {name: make_source(name, section) for name, section in settings.sources.items()}
    outside = http or httpx2.AsyncClient(timeout=FETCH_SECONDS, follow_redirects=False)
    intake = Intake(client, settings, admit, sources, OutboundHttp(outside), Metrics(sources, counts), DispatchSlots())
    deciding = set[asyncio.Task[None]]()
    app = FastAPI(
        title="Watchkeeper",
        description="Alerts start runs; people's programs start them, read them and act on them.",
        version=__version__,
        lifespan=_lifespan(intake, None if http else outside, beside, deciding),
        redirect_slashes=False,
        redoc_url=None,
    )
    routers = [alerts.routes(intake), runs.routes(intake), run_updates.routes(intake), health.routes(intake)]
    if presses is not None:
        routers.append(slack_interactions.routes(intake, presses, deciding))
    for router in routers:  # side by side, so that a path's methods can be told; included, each router hides its own
        app.router.routes.extend(router.routes)
    error_responses.install_handlers(app)
    # The last one is the outermost.
    app.add_middleware(AlertLimitMiddleware)
    app.add_middleware(BodyLimitMiddleware, seconds=body_seconds)
    app.add_middleware(AuthenticationMiddleware, tokens=settings.intake.tokens)
    app.add_middleware(Measured, metrics=intake.metrics)
    document = _documented(app, with_tokens=bool(settings.intake.tokens))
    app.openapi = lambda: document  # type: ignore[method-assign]
    return app


def _lifespan(
    intake: Intake,
    own: httpx2.AsyncClient | None,
    beside: Sequence[AbstractAsyncContextManager[object]],
    deciding: set[asyncio.Task[None]],
) -> Lifespan[FastAPI]:
    @asynccontextmanager
    async def living(app: FastAPI) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            if own is not None:
                await stack.enter_async_context(own)
            reaching = asyncio.create_task(wait_until_reachable(intake.client))
            stack.push_async_callback(_end, reaching)
            for context in beside:
                await stack.enter_async_context(context)
            yield
            if deciding:
                await asyncio.wait(deciding, timeout=GRACE)

    return living


async def _end(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _documented(app: FastAPI, *, with_tokens: bool) -> JsonObject:
    """Describe the API as it answers: 400 where FastAPI would say 422, and a token where one is asked for."""
    document: dict[str, Any] = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    for path, methods in document["paths"].items():
        for operation in methods.values():
            operation["responses"].pop("422", None)
            if with_tokens and not is_public(path):
                operation["security"] = [{"token": []}]
    schemas = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        schemas.pop(unused, None)
    if with_tokens:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
    return document
