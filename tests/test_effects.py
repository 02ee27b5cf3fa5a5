"""A side effect happens once: what becomes of it when its attempt dies, is repeated or cannot be told, in real runs."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowFailureError

from tests.stage import Run, look, staged
from watchkeeper.backend import send
from watchkeeper.contracts import CallRecord, Decision, Effect, RunResult
from watchkeeper.demo.endpoint import Endpoint
from watchkeeper.demo.faults import lose_reply
from watchkeeper.demo.server import serving
from watchkeeper.demo.turns import calls, says
from watchkeeper.tool import Arguments, Tool, ToolContext, ToolDefinitionError, ToolUnavailable, tool
from workflows.incident import IncidentWorkflow

REPORT = "Done."
SOON = timedelta(milliseconds=10)

Act = Callable[[ToolContext], Awaitable[Any]]


class Doing(Arguments):
    what: str = Field(default="it", description="What to do.")


def acting(act: Act, effect: Effect, **options: Any) -> tuple[Mapping[str, Tool[Any]], list[ToolContext]]:
    """A catalogue of one tool, ``act``, and the context of each of its attempts."""
    attempts: list[ToolContext] = []

    @tool(effect=effect, **options)
    async def act_on_it(args: Doing, context: ToolContext) -> Any:
        """Do something."""
        attempts.append(context)
        return await act(context)

    return {"act_on_it": act_on_it}, attempts


async def played(
    client: Client, tools: Mapping[str, Tool[Any]], *rounds: list[str]
) -> tuple[RunResult, list[CallRecord], list[str]]:
    """Run ``act_on_it`` as often as said in each round; give the run's result, its calls, and what the model read."""
    script = [calls(*(("act_on_it", {"what": what}) for what in asked)) for asked in rounds or (["it"],)]
    async with staged(client, [*script, says(REPORT)], tools=tools) as stage:
        run = await stage.start()
        result = await run.result()
        progress = await run.query(IncidentWorkflow.progress)
    return result, progress.calls, stage.results()


def error(text: str) -> str:
    """The result that tells the model of an error."""
    return json.dumps({"error": text}, separators=(",", ":"))


UNKNOWN = "It may or may not have taken effect; check before doing it again."


async def raise_a_bug(context: ToolContext) -> None:
    raise KeyError("deploys")


async def hang(context: ToolContext) -> None:
    await asyncio.sleep(60)


async def be_unavailable(context: ToolContext) -> None:
    raise ToolUnavailable("POST http://deploys/ answered 503", SOON)


@pytest.mark.parametrize(
    ("act", "said"),
    [
        (raise_a_bug, "KeyError: 'deploys'"),
        (hang, "act_on_it gave no result in 0.2 s"),
        (be_unavailable, "POST http://deploys/ answered 503"),
    ],
)
async def test_what_may_happen_once_is_attempted_once(client: Client, act: Act, said: str) -> None:
    tools, attempts = acting(act, "once", timeout=timedelta(seconds=0.2))
    result, (call,), read = await played(client, tools)
    assert len(attempts) == 1
    assert (call.status, call.finding, read) == ("unknown", f"{said}. {UNKNOWN}", [error(f"{said}. {UNKNOWN}")])
    assert (result.status, result.report.evidence) == ("concluded", [])


async def test_an_effect_whose_answer_was_lost_is_not_repeated(client: Client) -> None:
    host = Endpoint(Starlette(routes=[Route("/restart", _accept, methods=["POST"])]))
    host.faults.append(lose_reply())
    async with serving(host) as url:
        tools, attempts = acting(lambda context: send(context.http, "POST", f"{url}/restart"), "once")
        _, (call,), (read,) = await played(client, tools)
    assert (len(attempts), len(host.requests), call.status) == (1, 1, "unknown")
    assert UNKNOWN in read


async def _accept(request: Request) -> JSONResponse:
    return JSONResponse({"restarted": True})


async def test_an_effect_under_a_key_is_repeated_under_the_same_key(client: Client) -> None:
    async def act(context: ToolContext) -> str:
        if context.attempt < 3:
            raise ToolUnavailable("503", SOON)
        return "done"

    tools, attempts = acting(act, "keyed")
    _, (call,), read = await played(client, tools)
    assert [context.attempt for context in attempts] == [1, 2, 3]
    assert len({context.idempotency_key for context in attempts}) == 1
    assert len({context.at for context in attempts}) == 1
    assert (call.status, read) == ("ok", ['"done"'])


async def test_a_keyed_effect_that_breaks_is_repeated_under_the_same_key(client: Client) -> None:
    tools, attempts = acting(raise_a_bug, "keyed", attempts=2)
    _, (call,), read = await played(client, tools)
    assert len(attempts) == 2
    assert len({context.idempotency_key for context in attempts}) == 1
    assert (call.status, read) == ("unknown", [error(f"KeyError: 'deploys' (after retries). {UNKNOWN}")])


async def test_a_question_that_breaks_is_an_error_and_no_more(client: Client) -> None:
    tools, attempts = acting(raise_a_bug, "read", attempts=2)
    _, (call,), read = await played(client, tools)
    assert (len(attempts), call.status) == (2, "error")
    assert read == [error("KeyError: 'deploys' (after retries)")]


class Untellable:
    def __repr__(self) -> str:
        raise RuntimeError("not today")


_loop: list[Any] = []
_loop.append(_loop)


@pytest.mark.parametrize(
    "result",
    [
        {"half": "\ud83d", "nul": "\x00", "nan": float("nan"), "inf": -float("inf"), "bytes": b"\xff"},
        Untellable(),
        _loop,
        "x" * 3_000_000,
        {"\udc00": {1, 2}, (1, 2): object()},
    ],
    ids=["half a surrogate", "untellable", "loop", "3 MB", "odd keys"],
)
async def test_an_effect_whose_result_cannot_be_told_has_happened(client: Client, result: Any) -> None:
    async def act(context: ToolContext) -> Any:
        return result

    tools, attempts = acting(act, "once")
    done, (call,), (read,) = await played(client, tools)
    assert (len(attempts), call.status, done.status) == (1, "ok", "concluded")
    assert len(read.encode()) <= 65_536


async def test_a_key_names_the_decision(client: Client) -> None:
    async def act(context: ToolContext) -> str:
        return "done"

    tools, attempts = acting(act, "keyed")
    await played(client, tools, ["this", "that", "this"], ["this"])
    keys = {context.call.key: context.idempotency_key for context in attempts}
    assert keys.keys() == {"r1.0", "r1.1", "r2.0"}  # the third call is the first one's twin
    assert len(set(keys.values())) == 3


async def test_a_wide_key_names_the_effect_in_its_incident(client: Client) -> None:
    async def act(context: ToolContext) -> str:
        return "done"

    tools, attempts = acting(act, "keyed", key=("what",))
    await played(client, tools, ["this", "that"], ["this"])
    first, second, again = sorted(attempts, key=lambda context: context.call.key)
    assert first.idempotency_key == again.idempotency_key == f"{first.call.run}/act_on_it/this"
    assert second.idempotency_key == f"{first.call.run}/act_on_it/that"


async def test_a_reset_run_repeats_its_decision_under_the_same_key(client: Client) -> None:
    async def act(context: ToolContext) -> str:
        return "done"

    tools, attempts = acting(act, "keyed")
    async with staged(client, [calls(("act_on_it", {})), says(REPORT)], tools=tools) as stage:
        run = await stage.start()
        await run.result()
        reset = await client.workflow_service.reset_workflow_execution(
            ResetWorkflowExecutionRequest(
                namespace=client.namespace,
                workflow_execution=WorkflowExecution(workflow_id=run.id, run_id=run.first_execution_run_id or ""),
                reason="decide again",
                workflow_task_finish_event_id=await _decided(run),
                request_id=run.id,
            )
        )
        await client.get_workflow_handle(run.id, run_id=reset.run_id).result()
    first, again = attempts
    assert reset.run_id != run.first_execution_run_id
    assert first.idempotency_key == again.idempotency_key


async def _decided(run: Run) -> int:
    """The event of the workflow task that decided on the first call of a tool."""
    decided = 0
    async for event in run.fetch_history_events():
        if event.HasField("workflow_task_completed_event_attributes"):
            decided = event.event_id
        scheduled = event.activity_task_scheduled_event_attributes
        if event.HasField("activity_task_scheduled_event_attributes") and scheduled.activity_id == "r1.0":
            return decided
    raise AssertionError("no tool was called")


async def test_the_operator_says_what_else_waits_for_a_person(client: Client) -> None:
    script = [calls(("look", {"service": "checkout"})), says(REPORT)]
    async with staged(client, script, approval={"tools": ["look"]}) as stage:
        run = await stage.start()
        while not (waiting := await run.query(IncidentWorkflow.waiting)):
            await asyncio.sleep(0.02)
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True, by="ada"))
        result = await run.result()
    assert [(call.key, call.name) for call in waiting] == [("r1.0", "look")]
    assert (result.status, result.tool_calls) == ("concluded", 1)
    assert "0.182" in stage.results()[0]


async def test_a_worker_does_not_start_with_an_approval_that_means_no_tool(client: Client) -> None:
    with pytest.raises(
        ToolDefinitionError, match=r"approval\.tools names lok, which no tool is called; there are: look"
    ):
        async with staged(client, [], tools={"look": look}, approval={"tools": ["lok"]}):
            pass


async def test_an_effect_in_flight_when_its_run_is_cancelled_is_told_to_people(client: Client, tmp_path: Path) -> None:
    tools, attempts = acting(hang, "once")
    script = [calls(("act_on_it", {}))]
    async with staged(client, script, tools=tools, reports={"directory": tmp_path}) as stage:
        run = await stage.start()
        while not attempts:
            await asyncio.sleep(0.02)
        await run.cancel()
        with pytest.raises(WorkflowFailureError):
            await run.result()
        progress = await run.query(IncidentWorkflow.progress)
    assert (progress.status, len(attempts)) == ("stopped", 1)
    told = (tmp_path / f"{run.id}.md").read_text()
    assert "`r1.0` act_on_it" in told
    assert "may or may not have taken effect; check before doing it again" in told
