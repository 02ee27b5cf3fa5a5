"""What the intake answers when it does not do what was asked: one sentence in JSON, whatever the cause."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from fastapi import FastAPI, HTTPException
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException as StarletteHTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Match, Route
from temporalio.service import RPCError

from watchkeeper.alerts.payload import format_location
from watchkeeper.runs.client import NoSuchRun
from watchkeeper.runs.updates import UpdateRejected, UpdateUnanswered
from watchkeeper.temporal.client import TemporalError
from watchkeeper.text import excerpt

log = logging.getLogger(__name__)

RETRY_SECONDS = 1
"""After which a sender that got 503 may try again: an outage of Temporal is long or a matter of moments."""

_SHOWN_BYTES = 500

_MEANING: Mapping[int, str] = {
    400: "The request is malformed; the error says where.",
    401: "Nothing proves who sent it.",
    403: "Without tokens, only this machine is served.",
    404: "There is no such thing.",
    408: "The body did not come in time.",
    409: "The run did not take it; the error says why.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    503: "Temporal, a worker or another host is out of reach or too slow; the same request may succeed later.",
}


class ErrorResponse(BaseModel):
    """Why it was not done."""

    error: str = Field(description="A sentence for people.")


def documented_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Document the refusals of a route, as FastAPI takes them."""
    return {status: {"model": ErrorResponse, "description": _MEANING[status]} for status in statuses}


def error_response(status: int, why: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Say no in a sentence."""
    return JSONResponse(ErrorResponse(error=why).model_dump(), status, dict(headers or {}))


def retry_response(why: str) -> JSONResponse:
    """Answer 503; never 429 or another 4xx, after which senders drop an alert."""
    return error_response(503, why, {"retry-after": str(RETRY_SECONDS)})


def install_handlers(app: FastAPI) -> None:
    """Make a sentence of everything that routes raise."""
    app.add_exception_handler(StarletteHTTPException, _told)
    app.add_exception_handler(RequestValidationError, _malformed)
    app.add_exception_handler(NoSuchRun, _status(404))
    app.add_exception_handler(UpdateRejected, _status(409))
    app.add_exception_handler(UpdateUnanswered, _status(503))
    app.add_exception_handler(TemporalError, _status(503))
    app.add_exception_handler(RPCError, _temporal)
    app.add_exception_handler(TimeoutError, _slow)
    app.add_exception_handler(Exception, _bug)


def _status(status: int) -> Any:
    async def answer(request: Request, error: Exception) -> JSONResponse:
        return retry_response(str(error)) if status == 503 else error_response(status, str(error))

    return answer


async def _told(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException | StarletteHTTPException)
    if error.status_code == 405:
        return error_response(405, f"{request.method} is not served here", {"allow": ", ".join(_methods(request))})
    return error_response(error.status_code, str(error.detail), error.headers)


def _methods(request: Request) -> list[str]:
    """Name the methods of all routes of a path; the framework names those of the first."""
    matching = [
        route
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    ]
    return sorted({method for route in matching for method in route.methods or ()})


async def _malformed(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    told = [f"{_place(fault['loc'])}: {fault['msg'].removeprefix('Value error, ')}" for fault in faults[:3]]
    more = [f"{len(faults) - 3} more"] if len(faults) > 3 else []
    return error_response(400, excerpt("; ".join([*told, *more]), _SHOWN_BYTES))


def _place(location: tuple[int | str, ...]) -> str:
    if location and location[0] == "body":
        location = location[1:]
        if len(location) == 1 and isinstance(location[0], int):
            return f"the body at byte {location[0]}"
    return format_location(location)


async def _temporal(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RPCError)
    log.warning("Temporal did not answer %s: %s (%s)", request.url.path, error.message, error.status.name)
    return retry_response(f"Temporal did not take it ({error.status.name}); try again")


async def _slow(request: Request, error: Exception) -> JSONResponse:
    log.warning("Temporal was too slow for %s", request.url.path)
    return retry_response("Temporal did not answer in time; try again")


async def _bug(request: Request, error: Exception) -> JSONResponse:
    return error_response(500, "an error in Watchkeeper; its log tells more")
