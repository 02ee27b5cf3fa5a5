"""``/runs/{id}/...``: what people do to a run, in the name of the token they show."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from watchkeeper.contracts import Decision, ExtendRequest, LimitChanges, StopRequest, TellRequest
from watchkeeper.intake.authentication import require_json, token_name
from watchkeeper.intake.dependencies import Intake
from watchkeeper.intake.error_responses import documented_errors
from watchkeeper.intake.runs import RUN, TEMPORAL_SECONDS
from watchkeeper.intake.schemas import DecisionBody, ExtendBody, RaisedLimits, StopBody, TellBody, UpdateAccepted
from watchkeeper.runs import updates

_REFUSALS = documented_errors(400, 401, 403, 404, 408, 409, 413, 415, 503)


def routes(intake: Intake) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["acts"], prefix="/runs/{run}", dependencies=[Depends(require_json)])
    client = intake.client

    @router.post("/tell", response_model=UpdateAccepted, responses=_REFUSALS)
    async def tell(request: Request, run: RUN, words: TellBody) -> JSONResponse:
        """Put words to the model; it reads them in its next round."""
        return _done(
            run, await updates.tell(client, run, TellRequest(text=words.text, by=token_name(request)), TEMPORAL_SECONDS)
        )

    @router.post("/approve", response_model=UpdateAccepted, responses=_REFUSALS)
    async def approve(request: Request, run: RUN, decided: DecisionBody) -> JSONResponse:
        """Let a call that waits be run."""
        return _done(
            run, await updates.decide(client, run, _decision(request, decided, approved=True), TEMPORAL_SECONDS)
        )

    @router.post("/deny", response_model=UpdateAccepted, responses=_REFUSALS)
    async def deny(request: Request, run: RUN, decided: DecisionBody) -> JSONResponse:
        """Keep a call that waits from being run; the model is told."""
        return _done(
            run, await updates.decide(client, run, _decision(request, decided, approved=False), TEMPORAL_SECONDS)
        )

    @router.post("/stop", response_model=UpdateAccepted, responses=_REFUSALS)
    async def stop(request: Request, run: RUN, stopped: StopBody) -> JSONResponse:
        """End a run; its hand-off report is delivered all the same."""
        return _done(
            run,
            await updates.stop(
                client, run, StopRequest(reason=stopped.reason, by=token_name(request)), TEMPORAL_SECONDS
            ),
        )

    @router.post("/extend", response_model=RaisedLimits, responses=_REFUSALS)
    async def extend(request: Request, run: RUN, extended: ExtendBody) -> JSONResponse:
        """Give a run more of its limits."""
        more = LimitChanges.model_validate(extended.limits.model_dump(exclude_none=True))
        limits = await updates.extend(client, run, ExtendRequest(by=more, who=token_name(request)), TEMPORAL_SECONDS)
        return JSONResponse(RaisedLimits(run=run, limits=limits).model_dump(mode="json"))

    return router


def _decision(request: Request, decided: DecisionBody, *, approved: bool) -> Decision:
    return Decision(call=decided.call, approved=approved, by=token_name(request), note=decided.note)


def _done(run: str, said: str) -> JSONResponse:
    return JSONResponse(UpdateAccepted(run=run, done=said).model_dump())
