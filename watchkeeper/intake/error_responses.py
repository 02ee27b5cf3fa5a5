"""Error responses of the intake: one sentence in JSON for every error."""

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
from watchkeeper.runs.run_reference import AmbiguousRun
from watchkeeper.runs.update_client import UpdateRejected, UpdateUnanswered
from watchkeeper.temporal.client import TemporalError
from watchkeeper.text import excerpt

log = logging.getLogger(__name__)

RETRY_SECONDS = 1
"""Retry-After of a 503. Most outages of Temporal last either moments or long."""

_SHOWN_BYTES = 500

_DESCRIPTIONS: Mapping[int, str] = {
    400: "The request is malformed; the error says where.",
    401: "Nothing proves who sent it.",
    403: "Without tokens, only this machine is served.",
    404: "It does not exist.",
    408: "The body did not come in time.",
    409: "The run rejected it; the error says why.",
    413: "The body is too large.",
    415: "The body is not application/json.",
    503: "Temporal, a worker or another host is out of reach or too slow; the same request may succeed later.",
}


class ErrorResponse(BaseModel):
    """Why the request failed."""

    error: str = Field(description="A sentence for people.")


def documented_errors(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return the ``responses`` argument of a route for these error statuses."""
    return {status: {"model": ErrorResponse, "description": _DESCRIPTIONS[status]} for status in statuses}


def error_response(status: int, error: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """Return a response with an error sentence."""
    return JSONResponse(ErrorResponse(error=error).model_dump(), status, dict(headers or {}))


def retry_response(error: str) -> JSONResponse:
    """Return a 503. Never use 429 or another 4xx for it: senders drop an alert after those."""
    return error_response(503, error, {"retry-after": str(RETRY_SECONDS)})


def install_handlers(app: FastAPI) -> None:
    """Convert every exception of a route into an error response."""
    app.add_exception_handler(StarletteHTTPException, _http_exception)
    app.add_exception_handler(RequestValidationError, _validation_error)
    app.add_exception_handler(NoSuchRun, _with_status(404))
    app.add_exception_handler(AmbiguousRun, _with_status(400))
    app.add_exception_handler(UpdateRejected, _with_status(409))
    app.add_exception_handler(UpdateUnanswered, _with_status(503))
    app.add_exception_handler(TemporalError, _with_status(503))
    app.add_exception_handler(RPCError, _rpc_error)
    app.add_exception_handler(TimeoutError, _timeout)
    app.add_exception_handler(Exception, _bug)


def _with_status(status: int) -> Any:
    async def handler(request: Request, error: Exception) -> JSONResponse:
        return retry_response(str(error)) if status == 503 else error_response(status, str(error))

    return handler


async def _http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException | StarletteHTTPException)
    if error.status_code == 405:
        return error_response(405, f"{request.method} is not served here", {"allow": ", ".join(_methods(request))})
    return error_response(error.status_code, str(error.detail), error.headers)


def _methods(request: Request) -> list[str]:
    """Return the methods of all routes of a path. The framework lists only the methods of the first route."""
    matching = [
        route
        for route in request.app.routes
        if isinstance(route, Route) and route.matches(request.scope)[0] is not Match.NONE
    ]
    return sorted({method for route in matching for method in route.methods or ()})


async def _validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    errors = error.errors()
    shown = [f"{_location(fault['loc'])}: {fault['msg'].removeprefix('Value error, ')}" for fault in errors[:3]]
    more = [f"{len(errors) - 3} more"] if len(errors) > 3 else []
    return error_response(400, excerpt("; ".join([*shown, *more]), _SHOWN_BYTES))


def _location(location: tuple[int | str, ...]) -> str:
    if location and location[0] == "body":
        location = location[1:]
        if len(location) == 1 and isinstance(location[0], int):
            return f"the body at byte {location[0]}"
    return format_location(location)


async def _rpc_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RPCError)
    log.warning("Temporal did not answer %s: %s (%s)", request.url.path, error.message, error.status.name)
    return retry_response(f"Temporal did not accept it ({error.status.name}); try again")


async def _timeout(request: Request, error: Exception) -> JSONResponse:
    log.warning("Temporal was too slow for %s", request.url.path)
    return retry_response("Temporal did not answer in time; try again")


async def _bug(request: Request, error: Exception) -> JSONResponse:
    return error_response(500, "an error in Watchkeeper; see its log")
