"""``/alerts/{source}``: what a source sends is proven, read, and given to Temporal; only then is it answered 2xx."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse
from temporalio.service import RPCError

from watchkeeper.alerts.payload import MalformedPayload
from watchkeeper.alerts.source import ParsedPayload, Source, WebhookRequest
from watchkeeper.alerts.verification import VerificationError
from watchkeeper.intake.dependencies import Intake
from watchkeeper.intake.error_responses import documented_errors, error_response, retry_response
from watchkeeper.intake.outbound_http import OutboundUnavailable
from watchkeeper.runs.dispatch import DispatchOutcome, DispatchResult, RunClosing
from watchkeeper.temporal.client import TemporalError

log = logging.getLogger(__name__)

_LARGE = 32 * 2**10
"""Bytes from which reading a body would hold up the others for milliseconds."""


class GroupResult(BaseModel):
    """What became of the alerts of one group."""

    run: str = Field(description="Workflow id.")
    run_id: str | None = Field(description="First execution run id.")
    outcome: DispatchOutcome
    alerts: int


class IgnoredAlerts(BaseModel):
    """What starts no run, and why."""

    reason: str
    alerts: int


class AlertsAccepted(BaseModel):
    """Temporal has the alerts, or a subscription is confirmed."""

    status: Literal["accepted", "confirmed"]
    runs: list[GroupResult]
    ignored: list[IgnoredAlerts]


class AlertsIgnored(BaseModel):
    """It is well-formed, and nothing in it concerns a run."""

    status: Literal["ignored"]
    ignored: list[IgnoredAlerts]


SOURCE = Annotated[str, Path(description="Name of the source in the operator's settings.")]


def routes(intake: Intake) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["alerts"])

    async def take(source: SOURCE, request: Request) -> JSONResponse:
        """Take what an alert source sends, in the source's own form."""
        configured = intake.sources.get(source)
        if configured is None:
            return error_response(404, "there is no such source")
        posted = WebhookRequest(dict(request.headers), await request.body(), time.time())
        return await _take(intake, configured, posted)

    for method in ("POST", "PUT"):  # Grafana may be told to PUT
        router.add_api_route(
            "/alerts/{source}",
            take,
            methods=[method],
            response_model=AlertsAccepted,
            operation_id=f"{method.lower()}_alerts",
            openapi_extra={"requestBody": {"required": True, "content": {"application/json": {"schema": {}}}}},
            responses={
                202: {"model": AlertsIgnored, "description": "Nothing in it concerns a run."},
                **documented_errors(400, 401, 404, 408, 413, 503),
            },
        )
    return router


async def _take(intake: Intake, source: Source[Any], posted: WebhookRequest) -> JSONResponse:
    def refused(reason: str, why: object) -> None:
        intake.metrics.alerts(source.name, "refused", reason)
        log.warning("refused what came for the source %r: %s", source.name, why)

    try:
        received, admitted = await _admitted(intake, source, posted)
        if received.confirm is not None:
            await intake.outside.confirm(received.confirm)
            log.info("confirmed a subscription of the source %r", source.name)
    except VerificationError as error:
        refused("unverified", error)
        return error_response(401, "nothing proves that it comes from the source", _challenge(source))
    except MalformedPayload as error:
        refused("malformed", error)
        return error_response(400, str(error))
    except OutboundUnavailable as error:
        refused("out of reach", error)
        return retry_response("what it refers to is out of reach; send it again")
    except (RPCError, TimeoutError, RunClosing, TemporalError) as error:
        refused("not taken", f"Temporal has not all of it: {type(error).__name__} {error}".rstrip())
        return retry_response("Temporal has not taken it; send it again")
    return _answer(intake, source, received, admitted)


async def _admitted(
    intake: Intake, source: Source[Any], posted: WebhookRequest
) -> tuple[ParsedPayload, list[DispatchResult]]:
    patience = intake.settings.intake.patience
    # A place is taken before anything is read: a thousand bodies would else all be read before one alert is on its way.
    async with asyncio.timeout(patience), intake.gate.place(patience):
        await source.verify(posted, intake.outside.certificate)
        large = len(posted.body) >= _LARGE
        received = await asyncio.to_thread(source.parse, posted) if large else source.parse(posted)
        if not received.alerts:
            return received, []
        return received, list(await intake.admit(intake.client, intake.settings, source, received, posted.now))


def _answer(
    intake: Intake, source: Source[Any], received: ParsedPayload, admitted: list[DispatchResult]
) -> JSONResponse:
    taken, left = list[GroupResult](), Counter[str](received.ignored)
    for one in admitted:
        intake.metrics.alerts(source.name, one.outcome, one.reason if one.outcome == "ignored" else None, one.alerts)
        if one.workflow_id is None or one.outcome == "ignored":
            left[one.reason or "it starts no run"] += one.alerts
            continue
        taken.append(GroupResult(run=one.workflow_id, run_id=one.run_id, outcome=one.outcome, alerts=one.alerts))
        log.info("%s from %r: %s %s", one.outcome, source.name, one.workflow_id, one.title)
    for reason, times in Counter(received.ignored).items():
        intake.metrics.alerts(source.name, "ignored", reason, times)
    ignored = [IgnoredAlerts(reason=reason, alerts=times) for reason, times in left.items()]
    if taken or received.confirm is not None:
        status: Literal["accepted", "confirmed"] = "accepted" if taken else "confirmed"
        return JSONResponse(AlertsAccepted(status=status, runs=taken, ignored=ignored).model_dump())
    ignored = ignored or [IgnoredAlerts(reason="it holds no alert", alerts=0)]
    return JSONResponse(AlertsIgnored(status="ignored", ignored=ignored).model_dump(), 202)


def _challenge(source: Source[Any]) -> dict[str, str]:
    section = source.section
    schemes = [("Bearer", section.tokens and section.token_header == "authorization"), ("Basic", section.passwords)]
    shown = [f'{scheme} realm="watchkeeper"' for scheme, wanted in schemes if wanted]
    return {"www-authenticate": ", ".join(shown)} if shown else {}
