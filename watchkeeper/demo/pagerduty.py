"""The simulated PagerDuty: the Events API v2, which opens incidents, and the REST API, which lists them."""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from watchkeeper.contracts import JsonObject
from watchkeeper.demo.pagerduty_state import PagerDutyIncident, PagerDutyState

MAX_EVENT_BYTES = 512 * 1024


def events_app(pager: PagerDutyState) -> Starlette:
    """Build the server of ``POST /v2/enqueue``."""

    async def enqueue(request: Request) -> Response:
        body = await request.body()
        if len(body) > MAX_EVENT_BYTES:
            return _invalid([f"event is larger than {MAX_EVENT_BYTES} bytes"], 413)
        try:
            event = json.loads(body)
        except ValueError:
            return _invalid(["body is not valid JSON"])
        if faults := pager.find_faults(event):
            return _invalid(faults)
        dedup_key = pager.accept(event).dedup_key
        return JSONResponse({"status": "success", "message": "Event processed", "dedup_key": dedup_key}, 202)

    return Starlette(routes=[Route("/v2/enqueue", enqueue, methods=["POST"])])


def _invalid(faults: list[str], status: int = 400) -> Response:
    body = {"status": "invalid event", "message": "Event object is invalid", "errors": faults}
    return JSONResponse(body, status)


def rest_app(pager: PagerDutyState, token: str) -> Starlette:
    """Build the server of ``/incidents``, filtered by ``incident_key`` and ``statuses[]``, and of their notes."""

    async def notes(request: Request) -> Response:
        if not _authorized(request, token):
            return _unauthorized()
        incident = next((i for i in pager.incidents if i.id == request.path_params["id"]), None)
        if incident is None:
            return _error(404, 2100, "Not Found")
        if request.method == "GET":
            return JSONResponse({"notes": [_note(n, content) for n, content in enumerate(incident.notes)]})
        if "@" not in request.headers.get("from", ""):
            return _error(400, 2001, "Invalid Input Provided", ["Requester User Not Found"])
        match await _json(request):
            case {"note": {"content": str(content)}} if content.strip():
                incident.notes.append(content)
                return JSONResponse({"note": _note(len(incident.notes) - 1, content)}, 201)
        return _error(400, 2001, "Invalid Input Provided", ["Content cannot be empty"])

    async def incidents(request: Request) -> Response:
        if not _authorized(request, token):
            return _unauthorized()
        parameters = request.query_params
        found = [i for i in pager.incidents if i.opened_at + pager.rest_delay <= time.time()]
        if (key := parameters.get("incident_key")) is not None:
            found = [incident for incident in found if incident.key == key]
        if unknown := set(parameters.getlist("statuses[]")) - {"triggered", "acknowledged", "resolved"}:
            return _error(
                400, 2001, "Invalid Input Provided", [f"Invalid status: {status}" for status in sorted(unknown)]
            )
        if statuses := parameters.getlist("statuses[]"):
            found = [incident for incident in found if incident.status in statuses]
        listed = [_incident_json(incident) for incident in found]
        return JSONResponse({"incidents": listed, "limit": 100, "offset": 0, "total": None, "more": False})

    return Starlette(
        routes=[Route("/incidents", incidents), Route("/incidents/{id}/notes", notes, methods=["GET", "POST"])]
    )


def _authorized(request: Request, token: str) -> bool:
    return request.headers.get("authorization") == f"Token token={token}"


def _unauthorized() -> Response:
    # PagerDuty answers a wrong token with an empty body, not with JSON.
    return Response(status_code=401, media_type="text/html")


def _error(status: int, code: int, message: str, errors: list[str] | None = None) -> Response:
    return JSONResponse({"error": {"message": message, "code": code, "errors": errors or []}}, status)


async def _json(request: Request) -> object:
    try:
        return json.loads(await request.body())
    except ValueError:
        return None


def _note(number: int, content: str) -> JsonObject:
    return {"id": f"N{number}", "content": content, "created_at": "2026-11-22T12:20:00Z"}


def _incident_json(incident: PagerDutyIncident) -> JsonObject:
    name = incident.id
    return {
        "id": name,
        "type": "incident",
        "summary": f"[#{incident.number}] {incident.title}",
        "self": f"https://api.pagerduty.com/incidents/{name}",
        "html_url": f"https://acme.pagerduty.com/incidents/{name}",
        "incident_number": incident.number,
        "title": incident.title,
        "status": incident.status,
        "incident_key": incident.key,
        "urgency": "high",
        "created_at": datetime.fromtimestamp(incident.opened_at, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "service": {"id": f"P{incident.team.upper()}", "type": "service_reference", "summary": incident.team},
        "alert_counts": {"all": 1, "triggered": int(incident.status != "resolved"), "resolved": 0},
    }
