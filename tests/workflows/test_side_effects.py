"""Side effects in real runs: each happens once, even if its attempt fails, is repeated or has an unusable result."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import Field
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route
from temporalio.client import Client, WorkflowFailureError

from tests.support.harness import look, reset, run_harness
from watchkeeper.backend import fetch, send
from watchkeeper.contracts import CallRecord, Decision, Effect, JsonObject, RunResult
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.fake_server import FakeServer
from watchkeeper.testing.faults import Fault, delay, drop_connection, fault, lose_reply
from watchkeeper.testing.scripts import ScriptedReply, calls, says
from watchkeeper.tool import Arguments, Tool, ToolContext, ToolDefinitionError, ToolError, ToolUnavailable, tool
from workflows.incident import IncidentWorkflow

REPORT = "Done."
SOON = timedelta(milliseconds=10)

Action = Callable[[ToolContext], Awaitable[Any]]


class ActionArguments(Arguments):
    what: str = Field(default="it", description="What to do.")


def acting(act: Action, effect: Effect, **options: Any) -> tuple[Mapping[str, Tool[Any]], list[ToolContext]]:
    """Return a catalogue of one tool that calls ``act``, and a list that gets the context of each attempt."""
    attempts: list[ToolContext] = []

    @tool(effect=effect, **options)
    async def act_on_it(args: ActionArguments, context: ToolContext) -> Any:
        """Do something."""
        attempts.append(context)
        return await act(context)

    return {"act_on_it": act_on_it}, attempts


async def run_calls(
    client: Client, tools: Mapping[str, Tool[Any]], *rounds: list[str]
) -> tuple[RunResult, list[CallRecord], list[str]]:
    """Call ``act_on_it`` for each name of each round; return the run's result, its calls and what the model read."""
    script = [calls(*(("act_on_it", {"what": what}) for what in names)) for names in rounds or (["it"],)]
    async with run_harness(client, [*script, says(REPORT)], tools=tools) as harness:
        run = await harness.start()
        result = await run.result()
        progress = await run.query(IncidentWorkflow.progress)
    return result, progress.calls, harness.results()


def error(text: str) -> str:
    """Return the tool result with which the model receives an error."""
    return json.dumps({"error": text}, separators=(",", ":"))


UNKNOWN = "It may or may not have taken effect; check before doing it again."


async def raise_a_bug(context: ToolContext) -> None:
    raise KeyError("deploys")


async def hang(context: ToolContext) -> None:
    await asyncio.sleep(60)


async def be_unavailable(context: ToolContext) -> None:
    raise ToolUnavailable("POST http://deploys/ answered 503", SOON)


@pytest.mark.parametrize(
    ("act", "message"),
    [
        (raise_a_bug, "KeyError: 'deploys'"),
        (hang, "act_on_it gave no result in 0.2 s"),
        (be_unavailable, "POST http://deploys/ answered 503"),
    ],
)
async def test_a_once_call_is_attempted_once(client: Client, act: Action, message: str) -> None:
    tools, attempts = acting(act, "once", timeout=timedelta(seconds=0.2))
    result, (call,), read = await run_calls(client, tools)
    assert len(attempts) == 1
    assert (call.status, call.finding, read) == ("unknown", f"{message}. {UNKNOWN}", [error(f"{message}. {UNKNOWN}")])
    assert (result.status, result.report.evidence) == ("concluded", [])


async def test_a_once_call_with_a_lost_answer_is_not_repeated(client: Client) -> None:
    host = FakeServer(Starlette(routes=[Route("/restart", _accept, methods=["POST"])]))
    host.faults.append(lose_reply())
    async with serve(host) as url:
        tools, attempts = acting(lambda context: send(context.http, "POST", f"{url}/restart"), "once")
        _, (call,), (read,) = await run_calls(client, tools)
    assert (len(attempts), len(host.requests), call.status) == (1, 1, "unknown")
    assert UNKNOWN in read


async def _accept(request: Request) -> JSONResponse:
    return JSONResponse({"restarted": True})


class Target:
    """A back end with idempotency keys: one effect for each key, and an error if a key is used for another effect."""

    def __init__(self) -> None:
        self.effects: dict[str, str] = {}
        self.host = FakeServer(Starlette(routes=[Route("/act", self._take, methods=["POST"])]))

    async def _take(self, request: Request) -> JSONResponse:
        key, body = request.headers["idempotency-key"], (await request.body()).decode()
        if self.effects.setdefault(key, body) != body:
            return JSONResponse({"error": "this key has been used for something else"}, 422)
        return JSONResponse({"done": body})

    @asynccontextmanager
    async def acting(self, **options: Any) -> AsyncIterator[tuple[Mapping[str, Tool[Any]], list[ToolContext]]]:
        """Yield a tool that calls this back end, and the contexts of its attempts."""
        async with serve(self.host) as url:

            async def act(context: ToolContext) -> Any:
                headers = {"Idempotency-Key": context.idempotency_key}
                sent = {"headers": headers, "content": context.call.arguments}
                return await fetch(context.http, "POST", f"{url}/act", **sent)

            yield acting(act, "keyed", **options)


@pytest.mark.parametrize(
    "trouble",
    [lose_reply(), drop_connection(), delay(0.5), fault(503)],
    ids=["reply lost", "request lost", "late", "refused"],
)
async def test_a_keyed_call_of_unknown_outcome_is_repeated_and_takes_effect_once(
    client: Client, trouble: Fault
) -> None:
    target = Target()
    target.host.faults.append(trouble)
    async with target.acting(timeout=timedelta(seconds=0.3)) as (tools, attempts):
        _, (call,), read = await run_calls(client, tools)
        while len(target.effects) < 1 or len(target.host.requests) < 2:
            await asyncio.sleep(0.02)  # for a request that was delayed beyond the timeout of its attempt
    assert len(attempts) >= 2
    assert {context.idempotency_key for context in attempts} == set(target.effects)
    assert len(target.effects) == 1
    assert (call.status, len(read)) == ("ok", 1)
    assert read[0].startswith('{"done":')


async def test_the_model_can_repeat_a_call_of_unknown_outcome(client: Client) -> None:
    async def act(context: ToolContext) -> str:
        if context.call.key == "r1.0":
            await hang(context)
        return "done"

    tools, attempts = acting(act, "once", timeout=timedelta(seconds=0.2))
    _, found, read = await run_calls(client, tools, ["it"], ["it"])
    assert [(call.key, call.status) for call in found] == [("r1.0", "unknown"), ("r2.0", "ok")]
    assert read == [error(f"act_on_it gave no result in 0.2 s. {UNKNOWN}"), '{"result":"done"}']
    assert len({context.idempotency_key for context in attempts}) == len(attempts) == 2


@pytest.mark.slow
@pytest.mark.parametrize(("effect", "attempted"), [("once", 1), ("keyed", 2)])
async def test_an_attempt_that_does_not_end_is_abandoned(client: Client, effect: Effect, attempted: int) -> None:
    released = asyncio.Event()

    async def ignore_cancellation(context: ToolContext) -> str:
        while context.attempt == 1 and not released.is_set():
            with suppress(asyncio.CancelledError):
                await released.wait()
        return "done"

    tools, attempts = acting(ignore_cancellation, effect, timeout=timedelta(seconds=0.2))
    async with run_harness(client, [calls(("act_on_it", {})), says(REPORT)], tools=tools) as harness:
        run = await harness.start()
        await run.result()
        (call,) = (await run.query(IncidentWorkflow.progress)).calls
        read = harness.results()
        released.set()
    assert len(attempts) == attempted
    assert len({context.idempotency_key for context in attempts}) == 1
    unknown = error(f"act_on_it did not answer in time. {UNKNOWN}")
    assert (call.status, read) == (("unknown", [unknown]) if effect == "once" else ("ok", ['{"result":"done"}']))


async def test_retries_of_a_keyed_call_have_the_same_key(client: Client) -> None:
    async def act(context: ToolContext) -> str:
        if context.attempt < 3:
            raise ToolUnavailable("503", SOON)
        return "done"

    tools, attempts = acting(act, "keyed")
    _, (call,), read = await run_calls(client, tools)
    assert [context.attempt for context in attempts] == [1, 2, 3]
    assert len({context.idempotency_key for context in attempts}) == 1
    assert len({context.at for context in attempts}) == 1
    assert (call.status, read) == ("ok", ['{"result":"done"}'])


async def test_a_keyed_call_that_raises_is_repeated_with_the_same_key(client: Client) -> None:
    tools, attempts = acting(raise_a_bug, "keyed", attempts=2)
    _, (call,), read = await run_calls(client, tools)
    assert len(attempts) == 2
    assert len({context.idempotency_key for context in attempts}) == 1
    assert (call.status, read) == ("unknown", [error(f"KeyError: 'deploys' (after retries). {UNKNOWN}")])


async def test_a_read_call_that_raises_is_an_error(client: Client) -> None:
    tools, attempts = acting(raise_a_bug, "read", attempts=2)
    _, (call,), read = await run_calls(client, tools)
    assert (len(attempts), call.status) == (2, "error")
    assert read == [error("KeyError: 'deploys' (after retries)")]


class WithoutRepr:
    def __repr__(self) -> str:
        raise RuntimeError("not today")


def nested(depth: int) -> list[Any]:
    return [nested(depth - 1)] if depth else []


_loop: list[Any] = []
_loop.append(_loop)

RESULTS = {
    "half a surrogate": {"half": "\ud83d", "nul": "\x00", "nan": float("nan"), "inf": -float("inf"), "bytes": b"\xff"},
    "no repr": WithoutRepr(),
    "loop": _loop,
    "5 MB": "x" * 5_000_000,
    "5 MB of control characters": "\x01" * 5_000_000,
    "many": list(range(500_000)),
    "deep": nested(900),
    "odd keys": {"\udc00": {1, 2}, (1, 2): object(), None: 10**5_000},
}


@pytest.mark.parametrize("effect", ["once", "keyed"])
@pytest.mark.parametrize("result", RESULTS.values(), ids=RESULTS)
async def test_an_effect_whose_result_cannot_be_written_is_still_ok(
    client: Client, effect: Effect, result: Any
) -> None:
    async def act(context: ToolContext) -> Any:
        return result

    tools, attempts = acting(act, effect)
    run_result, (call,), (read,) = await run_calls(client, tools)
    assert (len(attempts), call.status, run_result.status) == (1, "ok", "concluded")
    assert 0 < len(read.encode()) <= 65_536


@pytest.mark.parametrize("effect", ["once", "keyed"])
async def test_a_long_tool_error_is_cut_and_not_retried(client: Client, effect: Effect) -> None:
    async def act(context: ToolContext) -> Any:
        raise ToolError("done, but \ud83d" + "x" * 5_000_000)

    tools, attempts = acting(act, effect)
    _, (call,), (read,) = await run_calls(client, tools)
    assert (len(attempts), call.status) == (1, "error")
    assert read.startswith('{"error":"done, but \N{REPLACEMENT CHARACTER}xxx')
    assert len(read) < 3_000


@pytest.mark.parametrize(("effect", "attempted"), [("once", 1), ("keyed", 2)])
async def test_a_long_exception_of_a_tool_is_cut(client: Client, effect: Effect, attempted: int) -> None:
    async def act(context: ToolContext) -> Any:
        raise RuntimeError("\ud83d" + "x" * 5_000_000)

    tools, attempts = acting(act, effect, attempts=attempted)
    _, (call,), (read,) = await run_calls(client, tools)
    assert (len(attempts), call.status) == (attempted, "unknown")
    assert len({context.idempotency_key for context in attempts}) == 1
    assert read.startswith('{"error":"RuntimeError: \N{REPLACEMENT CHARACTER}xxx')
    assert UNKNOWN in read
    assert len(read) < 3_000


async def test_the_default_key_names_the_call(client: Client) -> None:
    async def act(context: ToolContext) -> str:
        return "done"

    tools, attempts = acting(act, "keyed")
    await run_calls(client, tools, ["this", "that", "this"], ["this"])
    keys = {context.call.key: context.idempotency_key for context in attempts}
    assert keys.keys() == {"r1.0", "r1.1", "r2.0"}  # the third call is identical to the first one
    assert len(set(keys.values())) == 3


async def test_a_key_of_arguments_names_the_effect_within_its_run(client: Client) -> None:
    async def act(context: ToolContext) -> str:
        return "done"

    tools, attempts = acting(act, "keyed", key=("what",))
    await run_calls(client, tools, ["this", "that"], ["this"])
    first, second, again = sorted(attempts, key=lambda context: context.call.key)
    assert first.idempotency_key == again.idempotency_key == f"{first.call.run}/act_on_it/this"
    assert second.idempotency_key == f"{first.call.run}/act_on_it/that"


@pytest.mark.parametrize("forgetful", [False, True], ids=["", "by a worker that knows nothing"])
async def test_a_reset_run_with_the_same_decision_repeats_its_effect_with_the_same_key(
    client: Client, forgetful: bool
) -> None:
    target = Target()
    script = [calls(("act_on_it", {})), says(REPORT)]
    async with target.acting() as (tools, attempts), run_harness(client, script, tools=tools) as harness:
        if forgetful:
            harness.forget_everything()
        run = await harness.start()
        await run.result()
        again = await reset(client, run, before="r1.0")
        result = await again.result()
        request_count = len(harness.model.requests)
    assert again.run_id != run.first_execution_run_id
    assert (result.status, request_count) == ("concluded", 3)
    assert [context.idempotency_key for context in attempts] == [*target.effects] * 2


@pytest.mark.parametrize(("first", "then", "effects"), [("this", "that", 2), ("this", "this", 1)])
async def test_the_keys_of_a_reset_run_depend_on_its_new_decision(
    client: Client, first: str, then: str, effects: int
) -> None:
    decisions = iter([first, then])

    def script(request: JsonObject) -> ScriptedReply:
        has_result = request["messages"][-1]["role"] == "tool"
        return says(REPORT) if has_result else calls(("act_on_it", {"what": next(decisions)}))

    target = Target()
    async with target.acting() as (tools, attempts), run_harness(client, script, tools=tools) as harness:
        run = await harness.start()
        await run.result()
        result = await (await reset(client, run, before="r1")).result()
    assert result.status == "concluded"
    assert [context.call.key for context in attempts] == ["r1.0", "r1.0"]
    assert {context.idempotency_key for context in attempts} == set(target.effects)
    assert len(target.effects) == effects


async def test_the_operator_can_require_approval_for_any_tool(client: Client) -> None:
    script = [calls(("look", {"service": "checkout"})), says(REPORT)]
    async with run_harness(client, script, approval={"tools": ["look"]}) as harness:
        run = await harness.start()
        while not (waiting := await run.query(IncidentWorkflow.waiting)):
            await asyncio.sleep(0.02)
        await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True, by="ada"))
        result = await run.result()
    assert [(call.key, call.name) for call in waiting] == [("r1.0", "look")]
    assert (result.status, result.tool_calls) == ("concluded", 1)
    assert "0.182" in harness.results()[0]


async def test_a_worker_does_not_start_with_an_approval_of_an_unknown_tool(client: Client) -> None:
    with pytest.raises(ToolDefinitionError, match=r"approval\.tools names unknown tools: lok; available: look"):
        async with run_harness(client, [], tools={"look": look}, approval={"tools": ["lok"]}):
            pass


async def test_an_effect_in_progress_at_cancellation_is_in_the_hand_off(client: Client, tmp_path: Path) -> None:
    tools, attempts = acting(hang, "once")
    script = [calls(("act_on_it", {}))]
    async with run_harness(client, script, tools=tools, reports={"directory": tmp_path}) as harness:
        run = await harness.start()
        while not attempts:
            await asyncio.sleep(0.02)
        await run.cancel()
        with pytest.raises(WorkflowFailureError):
            await run.result()
        progress = await run.query(IncidentWorkflow.progress)
    assert (progress.status, len(attempts)) == ("stopped", 1)
    report = (tmp_path / f"{run.id}.md").read_text()
    assert "`r1.0` act_on_it" in report
    assert "may or may not have taken effect; check before doing it again" in report
