"""Replies of hostile model hosts, one row each: what is recorded, what the model reads next, and how the run ends.

Every row is a complete run. The host sends the replies of the row and then a report, and checks each request as
strictly as the strictest vendor. Many rows run at once on one worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from tests.support.fault_host import FaultHost
from tests.support.harness import Harness, Run, replies, run_harness
from tests.support.hostile_rows import REPORT, ROWS
from watchkeeper.contracts import JsonObject, ModelReply, RunResult
from watchkeeper.llm.tool_calls import MAX_CALLS
from watchkeeper.testing.scripts import says

pytestmark = pytest.mark.timeout(300)  # a row waits while runs of other rows share one worker

AT_ONCE = 32
"""With all rows at once, a worker on a busy machine sends heartbeats too late, and Temporal repeats model calls."""


@dataclass(frozen=True)
class Outcome:
    """How a run ended, and the requests of its model host."""

    status: str
    text: str
    """The report, or the message of the error."""
    result: RunResult
    recorded: list[ModelReply]
    requests: list[JsonObject]


@pytest.fixture(scope="module")
async def outcomes(client: Client) -> AsyncIterator[Mapping[str, asyncio.Task[Outcome]]]:
    """Start the runs of all rows."""
    sends = {name: row.sends for name, row in ROWS.items()}
    # A worker remembers what a host says of its context window, so the rows about windows have a host of their own.
    host, small = FaultHost(sends, then=says(REPORT)), FaultHost(sends, then=says(REPORT))
    large: dict[str, Any] = {"limits": {"tokens": 10_000_000}, "model": {"context_tokens": 10_000_000}}
    async with run_harness(client, host, **large) as harness, run_harness(client, small, **large) as overflowing:
        places = asyncio.Semaphore(AT_ONCE)

        async def play(name: str) -> Outcome:
            async with places:
                if name.startswith("overflow"):
                    return await outcome_of(overflowing, small, name, await overflowing.start(name))
                return await outcome_of(harness, host, name, await harness.start(name))

        tasks = {name: asyncio.create_task(play(name)) for name in ROWS}
        yield tasks
        for task in tasks.values():
            task.cancel()
        await asyncio.gather(*tasks.values(), return_exceptions=True)


async def outcome_of(harness: Harness, host: FaultHost, name: str, run: Run) -> Outcome:
    try:
        result = await run.result()
        status, text = str(result.status), result.report.body
    except WorkflowFailureError as failed:
        error = failed.cause
        assert isinstance(error, ApplicationError)
        assert error.type is not None
        result = RunResult.model_validate(error.details[0])
        status, text = error.type, error.message
    requests = [request.json() for request in host.received[name]]
    return Outcome(status, text, result, await replies(harness.client, run), requests)


@pytest.mark.parametrize("name", ROWS)
async def test_a_hostile_reply_has_the_expected_outcome(
    outcomes: Mapping[str, asyncio.Task[Outcome]], name: str
) -> None:
    row, run = ROWS[name], await outcomes[name]
    assert (run.status, run.result.rounds) == (row.ends, row.rounds)
    assert row.says in run.text
    assert len(run.requests) == (len(row.sends) + 1 if row.requests is None else row.requests)
    assert run.result.usage.tokens > 0 or not row.rounds
    if not row.rounds:
        assert run.result.status == "failed"
        assert run.text in run.result.report.body
        return
    first, *_ = run.recorded
    assert first.kind == row.kind
    assert {name: first.message.get(name) for name in row.echo or ()} == (row.echo or {})
    assert len(run.recorded) == row.rounds
    after = "\n".join(str(message["content"]) for message in run.requests[-1]["messages"][2:])
    assert row.reads in after


def test_the_number_of_calls_kept_is_limited_and_each_is_answered(
    outcomes: Mapping[str, asyncio.Task[Outcome]],
) -> None:
    for name in ("40 calls", "14,408 calls"):
        conversation = outcomes[name].result().requests[-1]["messages"]
        assert [message["role"] for message in conversation[3:]] == ["tool"] * MAX_CALLS
