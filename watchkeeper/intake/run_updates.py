"""``/runs/{id}/...``: updates of a run, sent in the name of the token's owner."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from watchkeeper.contracts import Decision, ExtendRequest, LimitChanges, StopRequest, TellRequest
from watchkeeper.intake.authentication import require_json, token_dependencies, token_name
from watchkeeper.intake.dependencies import Intake
from watchkeeper.intake.error_responses import documented_errors
from watchkeeper.intake.runs import RUN, TEMPORAL_SECONDS
from watchkeeper.intake.schemas import DecisionBody, ExtendBody, RaisedLimits, StopBody, TellBody, UpdateAccepted
from watchkeeper.runs import update_client

_ERRORS = documented_errors(400, 401, 403, 404, 408, 409, 413, 415, 503)


def routes(intake: Intake) -> APIRouter:
    """Return the routes that update runs."""
    dependencies = [*token_dependencies(intake.settings), Depends(require_json)]
    router = APIRouter(tags=["updates"], prefix="/runs/{run}", dependencies=dependencies)
    client = intake.client

    @router.post("/tell", response_model=UpdateAccepted, responses=_ERRORS)
    async def tell(request: Request, run: RUN, body: TellBody) -> JSONResponse:
        """Send the agent a message. The model reads it in the next round."""
        message = TellRequest(text=body.text, by=token_name(request))
        return _accepted(run, await update_client.tell(client, run, message, TEMPORAL_SECONDS))

    @router.post("/approve", response_model=UpdateAccepted, responses=_ERRORS)
    async def approve(request: Request, run: RUN, body: DecisionBody) -> JSONResponse:
        """Approve a waiting tool call."""
        decision = _decision(request, body, approved=True)
        return _accepted(run, await update_client.decide(client, run, decision, TEMPORAL_SECONDS))

    @router.post("/deny", response_model=UpdateAccepted, responses=_ERRORS)
    async def deny(request: Request, run: RUN, body: DecisionBody) -> JSONResponse:
        """Deny a waiting tool call. The model reads the denial as the result of the call."""
        decision = _decision(request, body, approved=False)
        return _accepted(run, await update_client.decide(client, run, decision, TEMPORAL_SECONDS))

    @router.post("/stop", response_model=UpdateAccepted, responses=_ERRORS)
    async def stop(request: Request, run: RUN, body: StopBody) -> JSONResponse:
        """End a run. Its hand-off report is delivered all the same."""
        reason = StopRequest(reason=body.reason, by=token_name(request))
        return _accepted(run, await update_client.stop(client, run, reason, TEMPORAL_SECONDS))

    @router.post("/extend", response_model=RaisedLimits, responses=_ERRORS)
    async def extend(request: Request, run: RUN, body: ExtendBody) -> JSONResponse:
        """Raise limits of a run."""
        by = LimitChanges.model_validate(body.limits.model_dump(exclude_none=True))
        extension = ExtendRequest(by=by, who=token_name(request))
        limits = await update_client.extend(client, run, extension, TEMPORAL_SECONDS)
        return JSONResponse(RaisedLimits(run=run, limits=limits).model_dump(mode="json"))

    return router


def _decision(request: Request, body: DecisionBody, *, approved: bool) -> Decision:
    return Decision(call=body.call, approved=approved, by=token_name(request), note=body.note)


def _accepted(run: str, answer: str) -> JSONResponse:
    return JSONResponse(UpdateAccepted(run=run, done=answer).model_dump())
