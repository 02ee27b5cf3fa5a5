"""``/alerts/{source}``: verify and parse a webhook request, and dispatch its alerts.

The response is 2xx only after Temporal has accepted the alerts.
"""

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
"""Bytes from which a body is parsed in a thread: parsing it would block the event loop for milliseconds."""


class GroupResult(BaseModel):
    """What happened to the alerts of one group."""

    run: str = Field(description="Workflow id.")
    run_id: str | None = Field(description="First execution run id.")
    outcome: DispatchOutcome
    alerts: int


class IgnoredAlerts(BaseModel):
    """Alerts that start no run, and the reason."""

    reason: str
    alerts: int


class AlertsAccepted(BaseModel):
    """Temporal has the alerts, or a subscription is confirmed."""

    status: Literal["accepted", "confirmed"]
    runs: list[GroupResult]
    ignored: list[IgnoredAlerts]


class AlertsIgnored(BaseModel):
    """The request is well-formed, and nothing in it concerns a run."""

    status: Literal["ignored"]
    ignored: list[IgnoredAlerts]


SOURCE = Annotated[str, Path(description="Name of the source in the operator's settings.")]


def routes(intake: Intake) -> APIRouter:
    """Return the routes of alert sources."""
    router = APIRouter(tags=["alerts"])

    async def receive_alerts(source: SOURCE, request: Request) -> JSONResponse:
        """Receive the webhook of an alert source, in the vendor's format."""
        configured = intake.sources.get(source)
        if configured is None:
            return error_response(404, "no such source")
        webhook = WebhookRequest(dict(request.headers), await request.body(), time.time())
        return await _receive(intake, configured, webhook)

    for method in ("POST", "PUT"):  # Grafana can be configured to send PUT
        router.add_api_route(
            "/alerts/{source}",
            receive_alerts,
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


async def _receive(intake: Intake, source: Source[Any], webhook: WebhookRequest) -> JSONResponse:
    def refuse(reason: str, cause: object) -> None:
        intake.metrics.count_alerts(source.name, "refused", reason)
        log.warning("refused a request of the source %r: %s", source.name, cause)

    try:
        payload, results = await _parse_and_dispatch(intake, source, webhook)
        if payload.confirm is not None:
            await intake.outbound.confirm(payload.confirm)
            log.info("confirmed a subscription of the source %r", source.name)
    except VerificationError as error:
        refuse("unverified", error)
        return error_response(
            401, "the credentials or the signature of the source are missing or wrong", _challenge(source)
        )
    except MalformedPayload as error:
        refuse("malformed", error)
        return error_response(400, str(error))
    except OutboundUnavailable as error:
        refuse("out of reach", error)
        return retry_response("a host that it refers to is out of reach; send it again")
    except (RPCError, TimeoutError, RunClosing, TemporalError) as error:
        refuse("not taken", f"Temporal did not accept all of it: {type(error).__name__} {error}".rstrip())
        return retry_response("Temporal did not accept it; send it again")
    return _response(intake, source, payload, results)


async def _parse_and_dispatch(
    intake: Intake, source: Source[Any], webhook: WebhookRequest
) -> tuple[ParsedPayload, list[DispatchResult]]:
    timeout = intake.settings.intake.patience
    # The slot comes before parsing. Otherwise a storm would parse a thousand bodies before it dispatches one alert.
    async with asyncio.timeout(timeout), intake.slots.acquire(timeout):
        await source.verify(webhook, intake.outbound.certificate)
        large = len(webhook.body) >= _LARGE
        payload = await asyncio.to_thread(source.parse, webhook) if large else source.parse(webhook)
        if not payload.alerts:
            return payload, []
        results = await intake.dispatch(intake.client, intake.settings, source, payload, webhook.received_at)
        return payload, list(results)


def _response(
    intake: Intake, source: Source[Any], payload: ParsedPayload, results: list[DispatchResult]
) -> JSONResponse:
    runs, ignored = list[GroupResult](), Counter[str](payload.ignored)
    for result in results:
        reason = result.reason if result.outcome == "ignored" else None
        intake.metrics.count_alerts(source.name, result.outcome, reason, result.alerts)
        if result.workflow_id is None or result.outcome == "ignored":
            ignored[result.reason or "it starts no run"] += result.alerts
            continue
        run = GroupResult(run=result.workflow_id, run_id=result.run_id, outcome=result.outcome, alerts=result.alerts)
        runs.append(run)
        log.info("%s from %r: %s %s", result.outcome, source.name, result.workflow_id, result.title)
    for reason, count in Counter(payload.ignored).items():
        intake.metrics.count_alerts(source.name, "ignored", reason, count)
    reasons = [IgnoredAlerts(reason=reason, alerts=count) for reason, count in ignored.items()]
    if runs or payload.confirm is not None:
        status: Literal["accepted", "confirmed"] = "accepted" if runs else "confirmed"
        return JSONResponse(AlertsAccepted(status=status, runs=runs, ignored=reasons).model_dump())
    reasons = reasons or [IgnoredAlerts(reason="it holds no alert", alerts=0)]
    return JSONResponse(AlertsIgnored(status="ignored", ignored=reasons).model_dump(), 202)


def _challenge(source: Source[Any]) -> dict[str, str]:
    section = source.section
    bearer = bool(section.tokens) and section.token_header == "authorization"
    schemes = [scheme for scheme, used in (("Bearer", bearer), ("Basic", bool(section.passwords))) if used]
    challenge = ", ".join(f'{scheme} realm="watchkeeper"' for scheme in schemes)
    return {"www-authenticate": challenge} if challenge else {}
