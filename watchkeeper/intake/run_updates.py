"""``/runs/{id}/...``: updates of a run, sent in the name of the token's owner."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from watchkeeper.contracts import Decision, ExtendRequest, LimitChanges, StopRequest, TellRequest
from watchkeeper.intake.authentication import require_json, token_dependencies, token_name
from watchkeeper.intake.dependencies import Intake
from watchkeeper.intake.error_responses import documented_errors
from watchkeeper.intake.runs import RUN, TEMPORAL_SECONDS
from watchkeeper.intake.schemas import DecisionBody, ExtendBody, RaisedLimits, StopBody, TellBody, UpdateAccepted
from watchkeeper.runs import update_client
from watchkeeper.runs.run_reference import RunReference, find_reference

_ERRORS = documented_errors(400, 401, 403, 404, 408, 409, 413, 415, 503)


def routes(intake: Intake) -> APIRouter:
    """Return the routes that update runs."""
    dependencies = [*token_dependencies(intake.settings), Depends(require_json)]
    router = APIRouter(tags=["updates"], prefix="/runs/{run}", dependencies=dependencies)
    client = intake.client

    async def find(run: str, *, waits: bool = False) -> RunReference:
        async with asyncio.timeout(TEMPORAL_SECONDS):
            return await find_reference(client, run, waits=waits)

    async def decide(request: Request, run: str, body: DecisionBody, *, approved: bool) -> JSONResponse:
        decision = Decision(call=body.call, approved=approved, by=token_name(request), note=body.note)
        found = await find(run, waits=True)
        answer = await update_client.decide(
            client, found.workflow_id, decision, TEMPORAL_SECONDS, execution=found.first_run_id
        )
        return _accepted(found, answer)

    @router.post("/tell", response_model=UpdateAccepted, responses=_ERRORS)
    async def tell(request: Request, run: RUN, body: TellBody) -> JSONResponse:
        """Send the agent a message. The model reads it in the next round."""
        message, found = TellRequest(text=body.text, by=token_name(request)), await find(run)
        answer = await update_client.tell(
            client, found.workflow_id, message, TEMPORAL_SECONDS, execution=found.first_run_id
        )
        return _accepted(found, answer)

    @router.post("/approve", response_model=UpdateAccepted, responses=_ERRORS)
    async def approve(request: Request, run: RUN, body: DecisionBody) -> JSONResponse:
        """Approve a waiting tool call. `latest` is the run that waits for a decision, if only one does."""
        return await decide(request, run, body, approved=True)

    @router.post("/deny", response_model=UpdateAccepted, responses=_ERRORS)
    async def deny(request: Request, run: RUN, body: DecisionBody) -> JSONResponse:
        """Deny a waiting tool call. The model reads the denial as the result of the call."""
        return await decide(request, run, body, approved=False)

    @router.post("/stop", response_model=UpdateAccepted, responses=_ERRORS)
    async def stop(request: Request, run: RUN, body: StopBody) -> JSONResponse:
        """End a run. Its hand-off report is delivered all the same."""
        reason, found = StopRequest(reason=body.reason, by=token_name(request)), await find(run)
        answer = await update_client.stop(
            client, found.workflow_id, reason, TEMPORAL_SECONDS, execution=found.first_run_id
        )
        return _accepted(found, answer)

    @router.post("/extend", response_model=RaisedLimits, responses=_ERRORS)
    async def extend(request: Request, run: RUN, body: ExtendBody) -> JSONResponse:
        """Raise limits of a run."""
        by = LimitChanges.model_validate(body.limits.model_dump(exclude_none=True))
        extension, found = ExtendRequest(by=by, who=token_name(request)), await find(run)
        limits = await update_client.extend(
            client, found.workflow_id, extension, TEMPORAL_SECONDS, execution=found.first_run_id
        )
        return JSONResponse(RaisedLimits(run=found.workflow_id, limits=limits).model_dump(mode="json"))

    return router


def _accepted(found: RunReference, answer: str) -> JSONResponse:
    return JSONResponse(UpdateAccepted(run=found.workflow_id, done=answer).model_dump())
