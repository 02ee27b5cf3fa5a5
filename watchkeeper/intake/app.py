"""The FastAPI app of the intake: its routes and the middleware in front of them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi
from starlette.types import Lifespan
from temporalio.client import Client

from watchkeeper import __version__
from watchkeeper.alerts.registry import make_source
from watchkeeper.alerts.source import ParsedPayload, Source
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import JsonObject
from watchkeeper.http.limited_client import LimitedClient
from watchkeeper.intake import alerts, api_docs, error_responses, health, run_updates, runs, slack_interactions
from watchkeeper.intake.appended_id import AppendedIdMiddleware
from watchkeeper.intake.authentication import AuthenticationMiddleware, is_public
from watchkeeper.intake.body_dispatch import BodyDispatcher
from watchkeeper.intake.body_limit import BODY_SECONDS, BodyLimitMiddleware
from watchkeeper.intake.concurrency_limit import DispatchSlots
from watchkeeper.intake.dependencies import DispatchAlerts, Intake
from watchkeeper.intake.local_hosts import LocalHostMiddleware
from watchkeeper.intake.metrics import IntakeMetrics, RequestMetricsMiddleware
from watchkeeper.intake.outbound_http import OutboundHttp, outbound_client
from watchkeeper.intake.refused_alerts import NotNoted, RefusedAlerts
from watchkeeper.intake.refused_requests import DELAY, Refusals
from watchkeeper.intake.server import GRACE
from watchkeeper.intake.slack_interactions import InteractionReader
from watchkeeper.intake.source_credentials import SourceCredentialsMiddleware
from watchkeeper.runs.dispatch import DispatchResult
from watchkeeper.temporal.lazy_client import wait_until_reachable
from watchkeeper.watchdog.models import WatchdogCounts

TURN_SECONDS = 20.0
"""How long a large body may wait until it is parsed: another one takes a second or two."""


def create_app(
    client: Client,
    settings: Settings,
    dispatch: DispatchAlerts,
    *,
    interactions: InteractionReader | None = None,
    counts: WatchdogCounts | None = None,
    background: Sequence[AbstractAsyncContextManager[object]] = (),
    http: LimitedClient | None = None,
    body_seconds: float = BODY_SECONDS,
    turn_seconds: float = TURN_SECONDS,
    refusal_delay: float = DELAY,
    local_only: bool = False,
    refused: RefusedAlerts | None = None,
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
        turn_seconds: How long a large body may wait until it is parsed.
        refusal_delay: Seconds before a request with wrong credentials is answered.
        local_only: Whether every path serves only this machine and ``intake.hosts``.
        refused: Notes alerts that were not accepted.
    """
    sources = {name: make_source(name, section) for name, section in settings.sources.items()}
    outbound = http or outbound_client()
    metrics = IntakeMetrics(sources, counts)
    refusals = Refusals(metrics, refusal_delay)
    noted = refused or NotNoted()
    bodies = _body_dispatcher(client, settings, dispatch, noted)
    fetcher, slots = OutboundHttp(outbound), DispatchSlots()
    intake = Intake(client, settings, sources, fetcher, metrics, slots, refusals, noted, bodies, turn_seconds)
    decisions = set[asyncio.Task[None]]()
    app = FastAPI(
        title="Watchkeeper",
        description="Receives alerts, and starts, shows and updates runs.",
        version=__version__,
        lifespan=_lifespan(intake, None if http else outbound, background, decisions),
        redirect_slashes=False,
        docs_url=None,
        redoc_url=None,
    )
    routers = [alerts.routes(intake), runs.routes(intake), run_updates.routes(intake), health.routes(intake, counts)]
    if interactions is not None:
        routers.append(slack_interactions.routes(intake, interactions, decisions))
    routers.append(api_docs.routes())
    for router in routers:  # not include_router, which hides the methods of a path that the 405 handler lists
        app.router.routes.extend(router.routes)
    error_responses.install_handlers(app)
    _add_middleware(app, intake, body_seconds, local_only=local_only)
    document = _openapi(app)
    app.openapi = lambda: document  # type: ignore[method-assign]
    return app


def _add_middleware(app: FastAPI, intake: Intake, body_seconds: float, *, local_only: bool) -> None:
    # The middleware that is added last runs first.
    section = intake.settings.intake
    signing = {f"/alerts/{name}" for name, one in intake.sources.items() if not one.section.is_proven_by_headers}
    app.add_middleware(
        BodyLimitMiddleware,
        seconds=body_seconds,
        sources=intake.sources,
        refused=_note_too_large(intake),
        is_proven=lambda path: path not in signing and (path.startswith("/alerts/") or not is_public(path)),
    )
    app.add_middleware(
        SourceCredentialsMiddleware, sources=intake.sources, refusals=intake.refusals, metrics=intake.metrics
    )
    app.add_middleware(AuthenticationMiddleware, tokens=section.tokens, hosts=section.hosts, refusals=intake.refusals)
    app.add_middleware(RequestMetricsMiddleware, metrics=intake.metrics)
    app.add_middleware(AppendedIdMiddleware, sources=intake.sources)
    if local_only:
        app.add_middleware(LocalHostMiddleware, hosts=section.hosts)


def _body_dispatcher(
    client: Client, settings: Settings, dispatch: DispatchAlerts, refused: RefusedAlerts
) -> BodyDispatcher:
    async def dispatch_group(
        source: Source[Any], payload: ParsedPayload, received_at: float
    ) -> Sequence[DispatchResult]:
        return await dispatch(client, settings, source, payload, received_at)

    return BodyDispatcher(dispatch_group, refused.note_group)


def _note_too_large(intake: Intake) -> Callable[[str, str], Awaitable[None]]:
    async def note_too_large(name: str, problem: str) -> None:
        source = intake.sources[name]
        intake.metrics.count_alerts(name, "refused", "too large")
        if source.section.is_proven_by_headers:
            await intake.refused.note_body(source, problem)  # of others, the body is the only proof of the sender

    return note_too_large


def _lifespan(
    intake: Intake,
    own_http: LimitedClient | None,
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
            stack.push_async_callback(intake.bodies.close)
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
