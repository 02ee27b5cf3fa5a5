"""``/alerts/{source}``: verify and parse a webhook request, and dispatch its alerts.

The response is 2xx only after Temporal has accepted the alerts.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from contextlib import AsyncExitStack
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse

from watchkeeper.alerts.group_split import split_groups
from watchkeeper.alerts.payload import MalformedPayload, PayloadTooLarge
from watchkeeper.alerts.source import ParsedPayload, Source, WebhookRequest
from watchkeeper.alerts.start_filter import unknown_severities
from watchkeeper.alerts.verification import VerificationError
from watchkeeper.intake.body_dispatch import GroupsNotAccepted, body_key
from watchkeeper.intake.body_limit import SMALL_BYTES
from watchkeeper.intake.concurrency_limit import NoTurn, TooManyRequests
from watchkeeper.intake.dependencies import Intake
from watchkeeper.intake.error_responses import (
    RETRY_SECONDS,
    ErrorResponse,
    documented_errors,
    error_response,
    retry_response,
)
from watchkeeper.intake.outbound_http import OutboundUnavailable
from watchkeeper.intake.refused_requests import client_address
from watchkeeper.intake.source_credentials import unverified_response
from watchkeeper.runs.dispatch import DispatchOutcome, DispatchResult, RunClosing
from watchkeeper.runs.group_payloads import group_payloads
from watchkeeper.text import excerpt

log = logging.getLogger(__name__)

_LARGE = 32 * 2**10
"""Bytes from which a body is parsed in a thread: parsing it would block the event loop for milliseconds."""


SHOWN_GROUPS = 100
"""Groups that a response with 503 lists."""

MAX_NOTES = 20
"""Notes of one body that the answer holds."""

SEVERITY_BYTES = 50


class GroupResult(BaseModel):
    """What happened to the alerts of one group."""

    run: str = Field(description="Workflow id.")
    run_id: str | None = Field(description="First execution run id.")
    outcome: DispatchOutcome
    alerts: int
    service: str | None = Field(description="In the catalogue; null: unknown.")
    unknown_service: str | None = Field(description="What the alerts call a service that the catalogue does not name.")
    left_out: int = Field(default=0, description="Further alerts of the group that were too many to read.")


class IgnoredAlerts(BaseModel):
    """Alerts that start no run, and the reason."""

    reason: str
    alerts: int


class AlertsAccepted(BaseModel):
    """Temporal has the alerts, or a subscription is confirmed."""

    status: Literal["accepted", "confirmed"]
    runs: list[GroupResult]
    ignored: list[IgnoredAlerts]
    notes: list[str] = Field(default=[], description="What the sender should correct, such as a time without meaning.")


class PartlyAccepted(ErrorResponse):
    """Temporal has accepted some groups of a body. The others are tried further; the body must be sent again."""

    accepted: list[GroupResult]
    missing: list[str] = Field(description="Workflow ids of the other groups.")


class AlertsIgnored(BaseModel):
    """The request is well-formed, and nothing in it concerns a run."""

    status: Literal["ignored"]
    ignored: list[IgnoredAlerts]
    notes: list[str] = Field(default=[], description="What the sender should correct, such as a time without meaning.")


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
        response = await _receive(intake, configured, webhook, client_address(request.scope))
        if response.status_code < 300 and getattr(configured.section, "rest_statuses", False):
            response.status_code = 201 if request.method == "POST" else 202
        return response

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


async def _receive(intake: Intake, source: Source[Any], webhook: WebhookRequest, client: str) -> JSONResponse:
    def refuse(reason: str, cause: object) -> None:
        intake.metrics.count_alerts(source.name, "refused", reason)
        log.warning("refused a request of the source %r: %s", source.name, cause)

    try:
        await _verify(intake, source, webhook)
        payload, results = await _parse_and_dispatch(intake, source, webhook)
        if payload.confirm is not None:
            await intake.outbound.confirm(payload.confirm)
            log.info("confirmed a subscription of the source %r", source.name)
    except VerificationError as error:
        intake.metrics.count_alerts(source.name, "refused", "unverified")
        subject, door = f"the source {source.name!r}", f"/alerts/{source.name}"
        await intake.refusals.refuse(client, door, subject, str(error), size=len(webhook.body))
        return unverified_response(source)
    except PayloadTooLarge as error:
        refuse("too large", error)
        await intake.refused.note_body(source, str(error))
        return error_response(413, str(error))
    except MalformedPayload as error:
        refuse("malformed", error)
        return error_response(400, str(error))
    except OutboundUnavailable as error:
        refuse("out of reach", error)
        return retry_response("a host that it refers to is out of reach; send it again")
    except TooManyRequests:
        intake.metrics.count_alerts(source.name, "refused", "too many")
        return retry_response("too many alert requests at once; send it again")
    except GroupsNotAccepted as error:
        cause = error.cause or TimeoutError()
        if isinstance(cause, RunClosing) and not error.results:
            refuse("not taken", cause)
            return retry_response(str(cause))
        refuse("not taken", f"Temporal did not accept all of it: {error}: {type(cause).__name__} {cause}".rstrip())
        return _not_accepted(error)
    except NoTurn as error:
        refuse("not taken", f"it waited too long for {error}")
        return retry_response(f"it waited too long for {error}; send it again")
    return _response(intake, source, payload, results)


async def _verify(intake: Intake, source: Source[Any], webhook: WebhookRequest) -> None:
    """Verify the sender. It holds no slot, and has its own time: strangers must not keep senders waiting."""
    try:
        async with asyncio.timeout(intake.settings.intake.patience):
            await source.verify(webhook, intake.outbound.certificate)
    except TimeoutError:
        raise OutboundUnavailable("its certificate was not fetched in time") from None


async def _parse_and_dispatch(
    intake: Intake, source: Source[Any], webhook: WebhookRequest
) -> tuple[ParsedPayload, list[DispatchResult]]:
    """Return the payload and the results of all groups. Raises GroupsNotAccepted, and NoTurn."""
    patience, clock = intake.settings.intake.patience, asyncio.get_running_loop().time
    deadline, key = clock() + patience, body_key(source, webhook.body)
    delivery = intake.bodies.find(key)
    if delivery is None or (delivery.waiting and not delivery.is_running):
        # The slot comes before parsing. Otherwise a storm would parse a thousand bodies before it dispatches one alert.
        async with AsyncExitStack() as slot:
            await slot.enter_async_context(intake.slots.acquire(patience))
            if delivery is None:
                payload, groups = await _parse(intake, source, webhook)
                if not groups:
                    return payload, []
                if len(webhook.body) >= _LARGE:
                    deadline = clock() + patience  # the time of Temporal begins now
                delivery = intake.bodies.begin(key, source, payload, groups, webhook.received_at, slot.pop_all())
            elif not delivery.is_running:
                intake.bodies.resume(delivery, slot.pop_all())
    return delivery.answer, await intake.bodies.wait(delivery, deadline - clock())


async def _parse(
    intake: Intake, source: Source[Any], webhook: WebhookRequest
) -> tuple[ParsedPayload, list[ParsedPayload]]:
    """Return the payload, whole and by group. Raises NoTurn."""

    def parse() -> tuple[ParsedPayload, list[ParsedPayload]]:
        payload = split_groups(source.parse(webhook), source.section.split_by)
        return payload, group_payloads(payload, source.section)

    if len(webhook.body) < _LARGE:
        return parse()
    if len(webhook.body) <= SMALL_BYTES:
        return await asyncio.to_thread(parse)
    try:
        async with asyncio.timeout(intake.turn_seconds):
            await intake.parsing.acquire()
    except TimeoutError:
        raise NoTurn("other large requests, which are read one at a time") from None
    try:
        return await asyncio.to_thread(parse)  # without a time limit: the next attempt would begin again
    finally:
        intake.parsing.release()


def _not_accepted(error: GroupsNotAccepted) -> JSONResponse:
    """Return the response for a body that must be sent again. It says what Temporal has of it already."""
    if not error.results:
        return retry_response("Temporal did not accept it; send it again")
    accepted, missing = len(error.results), len(error.missing)
    content = PartlyAccepted(
        error=f"Temporal has accepted {accepted} of {accepted + missing} groups; send the same body again for the rest",
        accepted=[_group_result(result) for result in error.results if result.workflow_id][:SHOWN_GROUPS],
        missing=error.missing[:SHOWN_GROUPS],
    )
    return JSONResponse(content.model_dump(), 503, {"retry-after": str(RETRY_SECONDS)})


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
        runs.append(_group_result(result))
        if result.unknown_service is not None:
            intake.metrics.count_unknown_service(source.name, result.alerts)
            message = (
                "the catalogue does not name the service %r of alerts from %r; add [services], or set service_labels"
            )
            if result.outcome == "started":  # not for each repetition
                log.warning(message, result.unknown_service, source.name)
        log.info("%s from %r: %s %s", result.outcome, source.name, result.workflow_id, result.title)
    for reason, count in Counter(payload.ignored).items():
        intake.metrics.count_alerts(source.name, "ignored", reason, count)
    reasons = [IgnoredAlerts(reason=reason, alerts=count) for reason, count in ignored.items()]
    notes = [*payload.notes, *_severity_notes(intake, source, payload)][:MAX_NOTES]
    if runs or payload.confirm is not None:
        status: Literal["accepted", "confirmed"] = "accepted" if runs else "confirmed"
        return JSONResponse(
            AlertsAccepted(status=status, runs=runs, ignored=reasons, notes=notes).model_dump(exclude_defaults=True)
        )
    reasons = reasons or [IgnoredAlerts(reason="it holds no alert", alerts=0)]
    return JSONResponse(
        AlertsIgnored(status="ignored", ignored=reasons, notes=notes).model_dump(exclude_defaults=True), 202
    )


def _group_result(result: DispatchResult) -> GroupResult:
    group = GroupResult(
        run=result.workflow_id or "",
        run_id=result.run_id,
        outcome=result.outcome,
        alerts=result.alerts,
        service=result.service,
        unknown_service=result.unknown_service,
    )
    return group.model_copy(update={"left_out": result.left_out}) if result.left_out else group


def _severity_notes(intake: Intake, source: Source[Any], payload: ParsedPayload) -> list[str]:
    """Name and count the severities that no one has explained to Watchkeeper."""
    unknown = unknown_severities(payload.alerts, source.section)
    intake.metrics.count_unknown_severities(source.name, len(unknown))
    then = "it counts as serious" if source.section.unknown_severity else "it starts no run"
    return [
        f"the severity {excerpt(name, SEVERITY_BYTES)!r} is not known, so {then}; known are critical, error, warning, "
        f"info and their usual synonyms, or list it in sources.{source.name}.severities"
        for name in unknown
    ]
