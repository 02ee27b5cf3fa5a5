"""A harness for one test: a worker with its own task queue, a scripted model and tools to call."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from pydantic import Field
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError

from tests.support.settings import KEY, build_settings
from watchkeeper.config.settings import Settings
from watchkeeper.contracts import JsonObject, ModelReply, Report, RunInput, RunResult
from watchkeeper.temporal import activity_options
from watchkeeper.temporal.history import decode_first
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import Script, ScriptedReply, calls, says
from watchkeeper.tool import Arguments, Service, Team, Tool, ToolContext, ToolError, ToolUnavailable, tool
from worker import RunningWorker, run_worker
from workflows.incident import IncidentWorkflow

Run = WorkflowHandle[IncidentWorkflow, RunResult]

LOOK = ("look", {"service": "checkout"})

HEALTHY = "Verdict: healthy\n\n**Fine.**\n\nRead: [r1.0]."
"""A report that concludes a run of an alert, if the first call has read something."""

_CALL_KEY = re.compile(r'\A\{"call":"r\d+\.\d+",?')


def concludes(*reports: str) -> list[ScriptedReply]:
    """Look at a service, then give these reports, one after the other; a run of an alert needs a read to conclude."""
    return [calls(LOOK), *(says(report) for report in reports or (HEALTHY,))]


class Look(Arguments):
    service: Service = Field(description="Which service to look at.")


@tool(effect="read")
async def look(args: Look, context: ToolContext) -> dict[str, Any]:
    """Look at a service."""
    return {"service": args.service, "error_rate": 0.182}


class Page(Arguments):
    team: Team = Field(description="Which team to page.")
    summary: str = Field(description="What is wrong.")


class Restart(Arguments):
    service: Service = Field(description="Which service to restart.")


class Nothing(Arguments):
    pass


@tool(effect="read", attempts=2)
async def unreachable(args: Nothing, context: ToolContext) -> None:
    """Ask a back end that never answers."""
    raise ToolUnavailable("GET http://backend/ answered 503: try later", timedelta(milliseconds=10))


@tool(effect="read")
async def refusing(args: Nothing, context: ToolContext) -> None:
    """Ask a back end that refuses."""
    raise ToolError("no such index: logs-2026")


class Effects:
    """Tools with side effects, and a record of the effects."""

    def __init__(self) -> None:
        self.pages: list[str] = []
        self.restarts: list[str] = []

        @tool(effect="keyed", key=("team",))
        async def page(args: Page, context: ToolContext) -> dict[str, Any]:
            """Page a team."""
            self.pages.append(context.idempotency_key)
            return {"team": args.team, "incident": "INC-1"}

        @tool(effect="once", approval=True)
        async def restart(args: Restart, context: ToolContext) -> dict[str, Any]:
            """Restart a service."""
            self.restarts.append(args.service)
            return {"restarted": args.service}

        self.tools: dict[str, Tool[Any]] = {t.name: t for t in (look, page, restart, unreachable, refusing)}


@dataclass(frozen=True)
class Harness:
    client: Client
    settings: Settings
    running_worker: RunningWorker
    model: ScriptedModel
    effects: Effects

    async def start(self, text: str = "Checkout fails.", **run_input: Any) -> Run:
        """Start a run."""
        return await self.client.start_workflow(
            IncidentWorkflow.run,
            RunInput(text=text, **run_input),
            id=f"incident-{uuid4()}",
            task_queue=self.settings.worker.task_queue,
            task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
        )

    def forget_everything(self) -> None:
        """Drop everything from the worker's conversation store at once, so that every request is a miss."""
        store = self.running_worker.conversations.store
        put = store.put

        def forgetful(key: str, content: bytes) -> None:
            put(key, content)
            store.drop(key)

        store.put = forgetful  # type: ignore[method-assign]

    def messages(self, request: int = -1) -> list[JsonObject]:
        """Return the messages of a model request."""
        found: list[JsonObject] = self.model.requests[request].json()["messages"]
        return found

    def results(self, request: int = -1) -> list[str]:
        """Return the tool results in a model request, without the keys of their calls."""
        contents = [message["content"] for message in self.messages(request) if message["role"] == "tool"]
        return [_CALL_KEY.sub("{", content) for content in contents]


def model_text(report: Report) -> str:
    """Return what the model wrote in a report, without the facts that code writes under it."""
    return report.body.partition("\n\n**Recorded by Watchkeeper, not by the model:**")[0]


@asynccontextmanager
async def run_harness(
    client: Client,
    script: Script | Sequence[ScriptedReply] | ScriptedModel,
    *,
    tools: Mapping[str, Tool[Any]] | None = None,
    **settings: Any,
) -> AsyncIterator[Harness]:
    """Run a worker and a scripted model. Other arguments are settings tables."""
    effects = Effects()
    model = script if isinstance(script, ScriptedModel) else ScriptedModel(script, key=KEY)
    async with model.serve() as base_url:
        built_settings = build_settings(base_url, **settings)
        async with run_worker(client, built_settings, tools=effects.tools if tools is None else tools) as worker:
            yield Harness(client, built_settings, worker, model, effects)


async def failure(run: Run) -> tuple[str, str, RunResult]:
    """Return the error type, the message and the result of a run that must fail."""
    with pytest.raises(WorkflowFailureError) as failed:
        await run.result()
    error = failed.value.cause
    assert isinstance(error, ApplicationError)
    assert error.type is not None
    return error.type, error.message, RunResult.model_validate(error.details[0])


async def replies(client: Client, run: Run) -> list[ModelReply]:
    """Return the model replies in the history of a run."""
    scheduled_ids, found = set[int](), []
    async for event in run.fetch_history_events():
        match event.WhichOneof("attributes"):
            case "activity_task_scheduled_event_attributes":
                if event.activity_task_scheduled_event_attributes.activity_type.name == "ask":
                    scheduled_ids.add(event.event_id)
            case "activity_task_completed_event_attributes":
                completed = event.activity_task_completed_event_attributes
                if completed.scheduled_event_id in scheduled_ids:
                    found.append(await decode_first(client.data_converter, completed.result.payloads, ModelReply))
    return found


async def until_waiting(run: Run, key: str) -> None:
    """Wait until a call waits for a decision."""
    while key not in [record.key for record in await run.query(IncidentWorkflow.waiting)]:
        await asyncio.sleep(0.05)


async def until_asked(harness: Harness, times: int) -> None:
    """Wait until the model has received this number of requests."""
    while len(harness.model.requests) < times:
        await asyncio.sleep(0.02)


async def reset(client: Client, run: WorkflowHandle[Any, Any], before: str) -> Run:
    """Reset a run to before an activity of its latest execution; return the new execution."""
    latest, workflow_task_id = (await run.describe()).run_id, 0
    async for event in client.get_workflow_handle(run.id, run_id=latest).fetch_history_events():
        if event.HasField("workflow_task_completed_event_attributes"):
            workflow_task_id = event.event_id
        if event.activity_task_scheduled_event_attributes.activity_id == before:
            break
    answer = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=latest),
            reason="decide again",
            workflow_task_finish_event_id=workflow_task_id,
            request_id=str(uuid4()),
        )
    )
    return client.get_workflow_handle_for(IncidentWorkflow.run, run.id, run_id=answer.run_id)
