"""``/runs``: what people's programs start, and what they see of runs."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b32encode
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Path, Query, Request
from starlette.responses import JSONResponse

from watchkeeper.contracts import RunInput
from watchkeeper.intake.authentication import require_json, token_name
from watchkeeper.intake.dependencies import Intake
from watchkeeper.intake.error_responses import documented_errors, error_response
from watchkeeper.intake.schemas import RunList, RunObject, StartBody
from watchkeeper.run_view.follow import read_run
from watchkeeper.run_view.json_list import list_row_json
from watchkeeper.run_view.json_view import run_json
from watchkeeper.run_view.model import RunView
from watchkeeper.runs import client as runs_client
from watchkeeper.runs import start_options
from watchkeeper.runs.list_filter import RunFilter

TEMPORAL_SECONDS = 10.0
"""For Temporal to answer a person's program."""

RUN = Annotated[str, Path(max_length=1_000, description="Name of the run: its workflow id.")]
KEY = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=255,
        description="Sent again with the same key, a request starts no second run but answers with the first.",
    ),
]
SERVICE = Annotated[str | None, Query(max_length=150, description="Only those of a service.")]


def routes(intake: Intake) -> APIRouter:
    """Make the routes."""
    router = APIRouter(tags=["runs"])
    client = intake.client

    @router.post(
        "/runs",
        status_code=201,
        response_model=RunObject,
        dependencies=[Depends(require_json)],
        responses={
            201: {"headers": {"Location": {"description": "Of the run.", "schema": {"type": "string"}}}},
            **documented_errors(400, 401, 403, 408, 409, 413, 415, 503),
        },
    )
    async def start(request: Request, wanted: StartBody, key: KEY = None) -> JSONResponse:
        """Start a run."""
        if problem := start_options.unknown_service(intake.settings, wanted.service):
            return error_response(400, f"service: {problem}")
        given = wanted.given()
        async with asyncio.timeout(TEMPORAL_SECONDS):
            found = await runs_client.start_run(
                client, given, intake.settings, _named(token_name(request), key) if key else None
            )
            story = await read_run(client, found.workflow_id)
        if key and not _same(given, story):
            return error_response(
                409, f"this Idempotency-Key started {found.workflow_id}, which was asked something else"
            )
        return JSONResponse(run_json(story), 201, {"location": f"/runs/{quote(found.workflow_id, safe='')}"})

    @router.get("/runs", response_model=RunList, responses=documented_errors(400, 401, 403, 408, 413, 503))
    async def list_runs(
        only_open: Annotated[bool, Query(alias="open", description="Only those that are not over.")] = False,
        service: SERVICE = None,
        limit: Annotated[int, Query(ge=1, le=1_000, description="How many, the newest first.")] = 50,
    ) -> JSONResponse:
        """List the runs, the newest first."""
        found = list[runs_client.RunInfo]()
        async with asyncio.timeout(TEMPORAL_SECONDS):
            async for one in runs_client.list_runs(client, RunFilter(open_only=only_open, service=service)):
                found.append(one)
                if len(found) == limit:
                    break
        return JSONResponse({"runs": [list_row_json(one) for one in found]})

    @router.get("/runs/{run}", response_model=RunObject, responses=documented_errors(400, 401, 403, 404, 408, 413, 503))
    async def show(run: RUN) -> JSONResponse:
        """Tell one run whole, as far as it has come."""
        async with asyncio.timeout(TEMPORAL_SECONDS):
            return JSONResponse(run_json(await read_run(client, run)))

    return router


def _named(name: str, key: str) -> str:
    """Name the run of a key; people's keys are their own."""
    digest = hashlib.sha256(f"{name}\n{key}".encode()).digest()[:15]
    return f"incident-{b32encode(digest).decode().lower()}"


def _same(given: RunInput, story: RunView) -> bool:
    asked_for = {"text", "service", "severity", "limits", "tool_choice"}
    return story.run_input is None or story.run_input.model_dump(include=asked_for) == given.model_dump(
        include=asked_for
    )
