"""``/runs/{id}/...``: what people do to a run, in the name of the token they show."""

from __future__ import annotations

from fastapi import APIRouter, Depends, Request
from starlette.responses import JSONResponse

from watchkeeper.contracts import Decision, ExtendRequest, LimitChanges, StopRequest, TellRequest
from watchkeeper.intake.authentication import json_only, who
from watchkeeper.intake.dependencies import Intake
from watchkeeper.intake.error_responses import errors
from watchkeeper.intake.runs import RUN, SECONDS
from watchkeeper.intake.schemas import Decided, Done, Extended, Raised, Stopped, Told
from watchkeeper.runs import updates

_REFUSALS = errors(400, 401, 403, 404, 408, 409, 413, 415, 503)


def routes(intake: Intake) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["acts"], prefix="/runs/{run}", dependencies=[Depends(json_only)])
    client = intake.client

    @router.post("/tell", response_model=Done, responses=_REFUSALS)
    async def tell(request: Request, run: RUN, words: Told) -> JSONResponse:
        """Put words to the model; it reads them in its next round."""
        return _done(run, await updates.tell(client, run, TellRequest(text=words.text, by=who(request)), SECONDS))

    @router.post("/approve", response_model=Done, responses=_REFUSALS)
    async def approve(request: Request, run: RUN, decided: Decided) -> JSONResponse:
        """Let a call that waits be run."""
        return _done(run, await updates.decide(client, run, _decision(request, decided, approved=True), SECONDS))

    @router.post("/deny", response_model=Done, responses=_REFUSALS)
    async def deny(request: Request, run: RUN, decided: Decided) -> JSONResponse:
        """Keep a call that waits from being run; the model is told."""
        return _done(run, await updates.decide(client, run, _decision(request, decided, approved=False), SECONDS))

    @router.post("/stop", response_model=Done, responses=_REFUSALS)
    async def stop(request: Request, run: RUN, stopped: Stopped) -> JSONResponse:
        """End a run; its hand-off report is delivered all the same."""
        return _done(run, await updates.stop(client, run, StopRequest(reason=stopped.reason, by=who(request)), SECONDS))

    @router.post("/extend", response_model=Raised, responses=_REFUSALS)
    async def extend(request: Request, run: RUN, extended: Extended) -> JSONResponse:
        """Give a run more of its limits."""
        more = LimitChanges.model_validate(extended.limits.model_dump(exclude_none=True))
        limits = await updates.extend(client, run, ExtendRequest(by=more, who=who(request)), SECONDS)
        return JSONResponse(Raised(run=run, limits=limits).model_dump(mode="json"))

    return router


def _decision(request: Request, decided: Decided, *, approved: bool) -> Decision:
    return Decision(call=decided.call, approved=approved, by=who(request), note=decided.note)


def _done(run: str, said: str) -> JSONResponse:
    return JSONResponse(Done(run=run, done=said).model_dump())
