"""A harness for one test: a worker with its own task queue, a scripted model and tools to call."""

from __future__ import annotations

import asyncio
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
from watchkeeper.contracts import JsonObject, ModelReply, RunInput, RunResult
from watchkeeper.temporal import activity_options
from watchkeeper.temporal.history import decode_first
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import Script, ScriptedReply
from watchkeeper.tool import Arguments, Service, Team, Tool, ToolContext, ToolError, ToolUnavailable, tool
from worker import RunningWorker, run_worker
from workflows.incident import IncidentWorkflow

Run = WorkflowHandle[IncidentWorkflow, RunResult]


class Look(Arguments):
    service: Service = Field(description="Which service to look at.")


@tool(effect="read")
async def look(args: Look, context: ToolContext) -> dict[str, Any]:
    """Look at a service."""
    return {"service": args.service, "error_rate": 0.182}


class Page(Arguments):
    team: Team = Field(description="Whom to page.")
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
    """Ask a back end that says no."""
    raise ToolError("no such index: logs-2026")


class Effects:
    """Tools with side effects, and a record of those that took place."""

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

    async def start(self, text: str = "Checkout fails.", **given: Any) -> Run:
        """Start a run."""
        return await self.client.start_workflow(
            IncidentWorkflow.run,
            RunInput(text=text, **given),
            id=f"incident-{uuid4()}",
            task_queue=self.settings.worker.task_queue,
            task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
        )

    def forget_everything(self) -> None:
        """Leave the worker's store without room, so that every request is a miss."""
        store = self.running_worker.conversations.store
        put = store.put

        def forgetful(key: str, content: bytes) -> None:
            put(key, content)
            store.drop(key)

        store.put = forgetful  # type: ignore[method-assign]

    def messages(self, request: int = -1) -> list[JsonObject]:
        """The conversation that a request to the model carried."""
        found: list[JsonObject] = self.model.requests[request].json()["messages"]
        return found

    def results(self, request: int = -1) -> list[str]:
        """The tool results that a request to the model carried."""
        return [message["content"] for message in self.messages(request) if message["role"] == "tool"]


@asynccontextmanager
async def run_harness(
    client: Client,
    script: Script | Sequence[ScriptedReply] | ScriptedModel,
    *,
    tools: Mapping[str, Tool[Any]] | None = None,
    **settings: Any,
) -> AsyncIterator[Harness]:
    """Run a worker and a model that plays a script. Other arguments are settings tables."""
    effects = Effects()
    model = script if isinstance(script, ScriptedModel) else ScriptedModel(script, key=KEY)
    async with model.serve() as base_url:
        chosen = build_settings(base_url, **settings)
        async with run_worker(client, chosen, tools=effects.tools if tools is None else tools) as worker:
            yield Harness(client, chosen, worker, model, effects)


async def failure(run: Run) -> tuple[str, str, RunResult]:
    """The type, the message and the hand-off of a run that must fail."""
    with pytest.raises(WorkflowFailureError) as failed:
        await run.result()
    error = failed.value.cause
    assert isinstance(error, ApplicationError)
    assert error.type is not None
    return error.type, error.message, RunResult.model_validate(error.details[0])


async def replies(client: Client, run: Run) -> list[ModelReply]:
    """The replies that stand in the history of a run."""
    asked, found = set[int](), []
    async for event in run.fetch_history_events():
        match event.WhichOneof("attributes"):
            case "activity_task_scheduled_event_attributes":
                if event.activity_task_scheduled_event_attributes.activity_type.name == "ask":
                    asked.add(event.event_id)
            case "activity_task_completed_event_attributes":
                done = event.activity_task_completed_event_attributes
                if done.scheduled_event_id in asked:
                    found.append(await decode_first(client.data_converter, done.result.payloads, ModelReply))
    return found


async def until_waiting(run: Run, key: str) -> None:
    """Return when a call waits for a decision."""
    while key not in [record.key for record in await run.query(IncidentWorkflow.waiting)]:
        await asyncio.sleep(0.05)


async def until_asked(harness: Harness, times: int) -> None:
    """Return when the model was asked so often."""
    while len(harness.model.requests) < times:
        await asyncio.sleep(0.02)


async def reset(client: Client, run: WorkflowHandle[Any, Any], before: str) -> Run:
    """Reset a run to before an activity of its latest execution; gives its new one."""
    latest, decided = (await run.describe()).run_id, 0
    async for event in client.get_workflow_handle(run.id, run_id=latest).fetch_history_events():
        if event.HasField("workflow_task_completed_event_attributes"):
            decided = event.event_id
        if event.activity_task_scheduled_event_attributes.activity_id == before:
            break
    answer = await client.workflow_service.reset_workflow_execution(
        ResetWorkflowExecutionRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=latest),
            reason="decide again",
            workflow_task_finish_event_id=decided,
            request_id=str(uuid4()),
        )
    )
    return client.get_workflow_handle_for(IncidentWorkflow.run, run.id, run_id=answer.run_id)
