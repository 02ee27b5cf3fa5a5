"""``/slack/interactions``: presses on the buttons of a run's message, each a person's decision."""

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
from watchkeeper.runs import updates
from watchkeeper.runs.client import NoSuchRun
from watchkeeper.runs.updates import UpdateRejected

log = logging.getLogger(__name__)

MOST = 100
"""Decisions on their way at once."""


class ButtonClick(Protocol):
    """A person's decision on a call that waits."""

    @property
    def run(self) -> str:
        """Workflow id."""
        ...

    @property
    def execution(self) -> str:
        """First execution run id."""
        ...

    @property
    def call(self) -> str:
        """Key of the call."""
        ...

    @property
    def approved(self) -> bool:
        """What was decided."""
        ...

    @property
    def by(self) -> str:
        """Name of the person."""
        ...


class InteractionReader(Protocol):
    """Reads what Slack tells of a press; ``watchkeeper.slack.interactions`` is one."""

    def verify(self, headers: Mapping[str, str], body: bytes, secret: SecretStr, now: float) -> None:
        """Take a body that Slack signed just now. Raises VerificationError."""
        ...

    def read_button_press(self, body: bytes) -> ButtonClick | None:
        """Read a verified body; None where nothing is to be done. Raises MalformedPayload."""
        ...


def routes(intake: Intake, presses: InteractionReader, deciding: set[asyncio.Task[None]]) -> APIRouter:
    """Make the routes; ``deciding`` holds the decisions on their way, for whoever ends the intake."""
    router = APIRouter(tags=["people"])
    secret = intake.settings.slack.signing_secret

    @router.post("/slack/interactions", responses=documented_errors(400, 401, 404, 408, 413, 503))
    async def interact(request: Request) -> Response:
        """Take a press on a button; Slack is answered at once, for it waits three seconds."""
        if secret is None:
            return error_response(404, "slack.signing_secret is not set")
        body = await request.body()
        try:
            presses.verify(dict(request.headers), body, secret, time.time())
            press = presses.read_button_press(body)
        except VerificationError as error:
            log.warning("refused what came for Slack's buttons: %s", error)
            return error_response(401, "nothing proves that it comes from Slack")
        except MalformedPayload as error:
            return error_response(400, str(error))
        if press is None:
            return JSONResponse({})
        if len(deciding) >= MOST:
            return error_response(503, "too many decisions are on their way; press again")
        task = asyncio.create_task(_decide(intake, press))
        deciding.add(task)
        task.add_done_callback(deciding.discard)
        return JSONResponse({})

    return router


async def _decide(intake: Intake, press: ButtonClick) -> None:
    decision = Decision(call=press.call, approved=press.approved, by=press.by)
    wanted = f"{press.by} {'approves' if press.approved else 'denies'} {press.call} of {press.run}"
    try:
        said = await updates.decide(intake.client, press.run, decision, execution=press.execution)
    except (UpdateRejected, NoSuchRun, RPCError) as error:
        log.warning("%s in Slack, and it was not taken: %s", wanted, error)
    else:
        log.info("%s in Slack: %s", wanted, said)
