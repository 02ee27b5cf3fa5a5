"""``/runs``: start, list and show runs."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b32encode
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from starlette.responses import JSONResponse
from temporalio.client import Client

from watchkeeper.contracts import RunInput
from watchkeeper.intake.authentication import require_json, token_dependencies, token_name
from watchkeeper.intake.dependencies import Intake
from watchkeeper.intake.error_responses import documented_errors, error_response
from watchkeeper.intake.schemas import RunList, RunObject, StartBody
from watchkeeper.run_view.follow import read_run
from watchkeeper.run_view.json_view import list_row_json, run_json
from watchkeeper.run_view.model import RunView
from watchkeeper.runs import client as runs_client
from watchkeeper.runs.list_filter import RunFilter
from watchkeeper.runs.run_reference import find_reference
from watchkeeper.runs.start_check import check_start

TEMPORAL_SECONDS = 10.0
"""Time limit for the answer of Temporal to one request."""

RUN = Annotated[
    str,
    Path(
        max_length=1_000,
        description="Workflow id or run id of the run, the unique beginning of one, or `latest`.",
    ),
]
KEY = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="A second request with the same key starts no second run; its response shows the first run.",
    ),
]
SERVICE = Annotated[str | None, Query(max_length=150, description="Only runs of this service.")]


def routes(intake: Intake) -> APIRouter:
    """Return the routes that start and show runs."""
    router = APIRouter(tags=["runs"], dependencies=token_dependencies(intake.settings))
    client = intake.client

    @router.post(
        "/runs",
        status_code=201,
        response_model=RunObject,
        dependencies=[Depends(require_json)],
        responses={
            201: {"headers": {"Location": {"description": "Path of the run.", "schema": {"type": "string"}}}},
            **documented_errors(400, 401, 403, 408, 409, 413, 415, 503),
        },
    )
    async def start(request: Request, body: StartBody, key: KEY = None) -> JSONResponse:
        """Start a run."""
        run_input = body.run_input()
        workflow_id = _keyed_workflow_id(token_name(request), key) if key else None
        async with asyncio.timeout(TEMPORAL_SECONDS):
            problem = await check_start(client, run_input, intake.settings)
            if problem is not None and not (workflow_id and await _exists(client, workflow_id)):
                return error_response(400, f"{problem.field}: {problem.message}")
            started = await runs_client.start_run(client, run_input, intake.settings, workflow_id)
            view = await read_run(client, started.workflow_id)
        if key and not _same_request(run_input, view):
            return error_response(409, f"this Idempotency-Key started {started.workflow_id} with another request body")
        location = f"/runs/{quote(started.workflow_id, safe='')}"
        return JSONResponse(run_json(view), 201, {"location": location})

    @router.get("/runs", response_model=RunList, responses=documented_errors(400, 401, 403, 408, 413, 503))
    async def list_runs(
        only_open: Annotated[bool, Query(alias="open", description="Only open runs.")] = False,
        service: SERVICE = None,
        limit: Annotated[int, Query(ge=1, le=1_000, description="How many runs at most.")] = 50,
    ) -> JSONResponse:
        """List the runs, the newest first."""
        runs = list[runs_client.RunInfo]()
        async with asyncio.timeout(TEMPORAL_SECONDS):
            async for run in runs_client.list_runs(client, RunFilter(open_only=only_open, service=service)):
                runs.append(run)
                if len(runs) == limit:
                    break
        return JSONResponse({"runs": [list_row_json(run) for run in runs]})

    @router.get("/runs/{run}", response_model=RunObject, responses=documented_errors(400, 401, 403, 404, 408, 413, 503))
    async def show(run: RUN) -> JSONResponse:
        """Show one run in full, as far as it has come."""
        async with asyncio.timeout(TEMPORAL_SECONDS):
            found = await find_reference(client, run)
            return JSONResponse(run_json(await read_run(client, found.name)))

    return router


def _keyed_workflow_id(name: str, key: str) -> str:
    """Return the workflow id for an idempotency key. Keys of different tokens never collide."""
    digest = hashlib.sha256(f"{name}\n{key}".encode()).digest()[:15]
    return f"incident-{b32encode(digest).decode().lower()}"


async def _exists(client: Client, workflow_id: str) -> bool:
    """Tell whether an earlier request started this run: a catalogue that has changed since does not concern it."""
    try:
        await runs_client.find_run(client, workflow_id)
    except runs_client.NoSuchRun:
        return False
    return True


def _same_request(run_input: RunInput, view: RunView) -> bool:
    fields = {"text", "service", "severity", "limits", "tool_choice"}
    return view.run_input is None or view.run_input.model_dump(include=fields) == run_input.model_dump(include=fields)
