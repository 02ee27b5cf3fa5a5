"""``/slack/interactions``: button presses in Slack that approve or deny a tool call."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Mapping
from typing import Protocol

from fastapi import APIRouter, Request
from pydantic import SecretStr
from starlette.responses import JSONResponse, Response
from temporalio.service import RPCError

from watchkeeper.alerts.payload import MalformedPayload
from watchkeeper.alerts.verification import VerificationError
from watchkeeper.contracts import Decision
from watchkeeper.intake.dependencies import Intake
from watchkeeper.intake.error_responses import documented_errors, error_response
from watchkeeper.intake.refused_requests import client_address
from watchkeeper.runs import update_client
from watchkeeper.runs.client import NoSuchRun
from watchkeeper.runs.update_client import UpdateRejected
from watchkeeper.slack.interactions import ButtonPress

log = logging.getLogger(__name__)

MAX_DECISIONS = 100
"""Decisions that are being sent to their runs at once."""


class InteractionReader(Protocol):
    """Verifies and parses interactions of Slack. ``watchkeeper.slack.interactions`` implements it."""

    def verify(self, headers: Mapping[str, str], body: bytes, secret: SecretStr, now: float) -> None:
        """Check that Slack signed a body within the last minutes. Raises VerificationError."""
        ...

    def read_button_press(self, body: bytes) -> ButtonPress | None:
        """Read a verified body. None if it holds no decision. Raises MalformedPayload."""
        ...


def routes(intake: Intake, reader: InteractionReader, decisions: set[asyncio.Task[None]]) -> APIRouter:
    """Return the route for Slack. ``decisions`` holds the running tasks, so that a shutdown can wait for them."""
    router = APIRouter(tags=["people"])
    secret = intake.settings.slack.signing_secret

    @router.post("/slack/interactions", responses=documented_errors(400, 401, 404, 408, 413, 503))
    async def interact(request: Request) -> Response:
        """Receive a button press. Slack waits only three seconds, so the response does not wait for the run."""
        if secret is None:
            return error_response(404, "slack.signing_secret is not set")
        body = await request.body()
        try:
            reader.verify(dict(request.headers), body, secret, time.time())
            press = reader.read_button_press(body)
        except VerificationError as error:
            address = client_address(request.scope)
            await intake.refusals.refuse(address, "/slack/interactions", "Slack", str(error), size=len(body))
            return error_response(401, "the signature of Slack is missing, wrong or too old")
        except MalformedPayload as error:
            return error_response(400, str(error))
        if press is None:
            return JSONResponse({})
        if len(decisions) >= MAX_DECISIONS:
            return error_response(503, "too many decisions at once; press again")
        task = asyncio.create_task(_decide(intake, press))
        decisions.add(task)
        task.add_done_callback(decisions.discard)
        return JSONResponse({})

    return router


async def _decide(intake: Intake, press: ButtonPress) -> None:
    decision = Decision(call=press.call, approved=press.approved, by=press.by)
    action = f"{press.by} {'approves' if press.approved else 'denies'} {press.call} of {press.run}"
    try:
        answer = await update_client.decide(intake.client, press.run, decision, execution=press.execution)
    except (UpdateRejected, NoSuchRun, RPCError) as error:
        log.warning("%s in Slack, which was not accepted: %s", action, error)
    else:
        log.info("%s in Slack: %s", action, answer)
