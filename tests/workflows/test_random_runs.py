"""Complete runs with random replies, faults, updates, limits, compactions and continue-as-new, all at once.

In every case a strict host accepts every conversation, and each run ends with a known outcome, within its limits, with
one report. `make test-slow` runs more examples.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from temporalio.client import Client, WorkflowFailureError, WorkflowUpdateFailedError
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from tests.support.fault_host import FaultHost, Sent
from tests.support.harness import Harness, Run, run_harness
from tests.support.reply_safety import assert_outgoing
from tests.support.temporal import temporal_client
from watchkeeper.contracts import ExtendRequest, JsonObject, LimitChanges, RunResult, StopRequest, TellRequest
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.fake_server import FakeServer
from watchkeeper.testing.faults import drop_connection, fault, raw_body
from watchkeeper.testing.request_refused import RequestRefused
from watchkeeper.testing.scripts import raw, says

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

CONCURRENT_RUNS = 6
UPDATES: dict[type[Any], str] = {TellRequest: "tell", ExtendRequest: "extend", StopRequest: "stop"}
ERROR_TYPES = {
    *("RoundLimitReached", "ToolCallLimitReached", "TokenLimitReached", "DurationLimitReached", "FailureLimitReached"),
    *("EmptyCompletion", "ContextOverflow", "ContentFiltered", "ModelUnavailable"),
}
SOON = {"retry-after-ms": "10"}
FITS = '{"service":"checkout"}'
BLOCK = f"<|tool_call_begin|>functions.look:0<|tool_call_argument_begin|>{FITS}<|tool_call_end|>"

ids = st.sampled_from(["look:0", "look:1", "functions.look:0", "", None, 7, "x" * 300])
tool_requests = st.sampled_from(
    [
        *[("look", FITS)] * 4,
        *(("look", '{"service":"chekout"}'), ("look", '{"service":'), ("look", ""), ("functions.look:3", FITS)),
        *(("page", '{"team":"checkout","summary":"18 %"}'), ("page", '{"team":"payments","summary":"now"}')),
        *(("unreachable", "{}"), ("refusing", "{}"), ("restart", FITS), ("reboot", "{}"), ("", "{}")),
    ]
)


def tool_call_reply(ids_and_functions: list[tuple[Any, tuple[str, str]]], content: str | None, times: int) -> Sent:
    calls = [
        {"id": i, "type": "function", "function": {"name": name, "arguments": text}}
        for i, (name, text) in ids_and_functions
    ]
    return raw({"role": "assistant", "content": content, "tool_calls": calls * times}, "tool_calls")


turns = st.builds(
    tool_call_reply,
    st.lists(st.tuples(ids, tool_requests), min_size=1, max_size=4),
    st.sampled_from([None, "", "I look.", BLOCK]),
    st.sampled_from([1, 1, 1, 1, 20]),
)
host_answers = st.one_of(
    turns,
    turns,
    turns,
    turns,
    st.sampled_from(
        [
            says(BLOCK),
            says("Checkout is down."),
            says(""),
            raw({"role": "assistant", "content": None, "reasoning_content": "hm"}),
            raw({"role": "assistant", "content": '{"name": "look", "arguments": {}}'}),
            raw({"role": "assistant", "content": None, "refusal": "No."}),
            fault(503, headers=SOON),
            fault(429, headers=SOON),
            fault(400, {"error": {"message": "too long", "code": "context_length_exceeded"}}),
            raw_body(b'{"choices":[{"mess', "application/json", headers=SOON),
            drop_connection(),
        ]
    ),
)
people_updates = st.one_of(
    st.builds(TellRequest, text=st.sampled_from(["It was the deploy.", "\x00\u2028 é"]), by=st.just("ada")),
    st.builds(ExtendRequest, by=st.builds(LimitChanges, rounds=st.integers(1, 2), tool_calls=st.integers(1, 5))),
    st.builds(StopRequest, by=st.just("ada")),
)
limits = st.builds(
    LimitChanges,
    rounds=st.integers(1, 8),
    tool_calls=st.sampled_from([1, 4, 60]),
    tokens=st.sampled_from([3_000, 10**9]),
    failures=st.integers(1, 4),
    duration=st.sampled_from([3, 20, 20]),
)


@dataclass(frozen=True)
class Plan:
    """Input of one run: the answers of its host, the updates of people (after a number of requests), and limits."""

    sends: list[Sent] = field(repr=False)
    then: Sent = field(repr=False)
    updates: list[tuple[int, TellRequest | ExtendRequest | StopRequest]]
    limits: LimitChanges


_plans = st.builds(
    Plan,
    sends=st.lists(host_answers, max_size=10),
    then=st.one_of(turns, st.just(says("Checkout is down."))),
    updates=st.lists(st.tuples(st.integers(1, 8), people_updates), max_size=3),
    limits=limits,
)


plans = _plans.map(lambda plan: plan)
"""Mapped so that Hypothesis prints the plans and not how each one was built."""


class StrictHost(FaultHost):
    """Remembers what it refused, and lets nobody take it for an outage."""

    def __init__(self, plans: dict[str, Plan]) -> None:
        super().__init__({name: [*plan.sends, *[plan.then] * 200] for name, plan in plans.items()}, says("Enough."))
        self.refused: list[str] = []

    def _answer(self, body: bytes, trace: str) -> JsonObject:
        try:
            return super()._answer(body, trace)
        except RequestRefused as refused:
            self.refused.append(str(refused))
            raise


@pytest.fixture(scope="module")
async def impatient() -> AsyncIterator[Client]:
    """A server that suggests continue-as-new after a few rounds."""
    async with temporal_client("limit.historyCount.suggestContinueAsNew=40") as client:
        yield client


async def send_updates(host: StrictHost, name: str, plan: Plan, run: Run) -> None:
    """Send the updates of people. A run may reject them or may have ended."""
    for after, update in sorted(plan.updates, key=lambda planned: planned[0]):
        while len(host.received[name]) < after:
            await asyncio.sleep(0.05)
        with suppress(WorkflowUpdateFailedError, RPCError):
            await run.execute_update(UPDATES[type(update)], update)


async def play(harness: Harness, host: StrictHost, name: str, plan: Plan) -> tuple[Run, str, RunResult]:
    run = await harness.start(name, limits=plan.limits)
    people = asyncio.create_task(send_updates(host, name, plan, run))
    try:
        result = await run.result()
        return run, result.status, result
    except WorkflowFailureError as failed:
        error = failed.cause
        assert isinstance(error, ApplicationError)
        return run, str(error.type), RunResult.model_validate(error.details[0])
    finally:
        people.cancel()


async def check_runs(client: Client, plan_list: list[Plan], context_tokens: int, *, forgetful: bool) -> None:
    plans_by_run = {f"run {number}": plan for number, plan in enumerate(plan_list)}
    host = StrictHost(plans_by_run)
    inbox = FakeServer(Starlette(routes=[Route("/", _take, methods=["POST"])]))
    async with serve(inbox) as url:
        tables: dict[str, Any] = {
            "reports": {"webhook_url": url},
            "approval": {"timeout": 0.5},
            "model": {"context_tokens": context_tokens, "max_completion_tokens": 500},
        }
        async with run_harness(client, host, **tables) as harness:
            if forgetful:
                harness.forget_everything()
            outcomes = await asyncio.gather(*(play(harness, host, name, plan) for name, plan in plans_by_run.items()))
    assert host.refused == []
    for request in host.requests:
        assert_outgoing(request.json()["messages"])
    for run, outcome, result in outcomes:
        assert outcome in {"concluded", "stopped", *ERROR_TYPES}
        assert result.limits is not None
        assert result.rounds <= result.limits.rounds
        assert result.tool_calls <= result.limits.tool_calls
        assert result.report.summary
        assert result.report.body
        name = f"{run.first_execution_run_id}/report"
        reports = [post for post in inbox.requests if post.headers["webhook-id"] == name]
        assert len(reports) == 1
        assert reports[0].json()["report"]["summary"] == result.report.summary


async def _take(request: Request) -> Response:
    return Response(status_code=204)


HYPOTHESIS: dict[str, Any] = {
    "deadline": None,
    "suppress_health_check": [HealthCheck.too_slow],
    "phases": [Phase.explicit, Phase.reuse, Phase.generate],  # shrinking an example takes minutes
}


@settings(max_examples=3, **HYPOTHESIS)
@given(
    st.lists(plans, min_size=CONCURRENT_RUNS, max_size=CONCURRENT_RUNS),
    st.sampled_from([3_000, 100_000]),
    st.booleans(),
)
async def test_random_runs_keep_their_promises(
    impatient: Client, drawn: list[Plan], context_tokens: int, forgetful: bool
) -> None:
    await check_runs(impatient, drawn, context_tokens, forgetful=forgetful)


@pytest.mark.slow
@pytest.mark.timeout(3_600)
@settings(max_examples=60, **HYPOTHESIS)
@given(
    st.lists(plans, min_size=3 * CONCURRENT_RUNS, max_size=3 * CONCURRENT_RUNS),
    st.sampled_from([3_000, 100_000]),
    st.booleans(),
)
async def test_many_random_runs_keep_their_promises(
    impatient: Client, drawn: list[Plan], context_tokens: int, forgetful: bool
) -> None:
    await check_runs(impatient, drawn, context_tokens, forgetful=forgetful)
