"""The contract with hostile hosts, row by row: what one sends, what is recorded and read of it, how the run ends.

Every row is a whole run against a host that is as strict about what comes back to it as the strictest. After what the
row has it send, the host reports. All rows run at once, on one worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

import pytest
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ApplicationError

from tests.support.fault_host import FaultHost
from tests.support.harness import Harness, Run, replies, run_harness
from tests.support.hostile_rows import REPORT, ROWS
from watchkeeper.contracts import JsonObject, ModelReply, RunResult
from watchkeeper.llm.tool_calls import MAX_CALLS
from watchkeeper.testing.scripts import says


@dataclass(frozen=True)
class Ended:
    """What is left of a run."""

    status: str
    said: str
    result: RunResult
    recorded: list[ModelReply]
    requests: list[JsonObject]


@pytest.fixture(scope="module")
async def played(client: Client) -> AsyncIterator[Mapping[str, asyncio.Task[Ended]]]:
    """The runs of all rows, under way."""
    host = FaultHost({name: row.sends for name, row in ROWS.items()}, then=says(REPORT))
    ample = 10_000_000
    async with run_harness(client, host, limits={"tokens": ample}, model={"context_tokens": ample}) as harness:

        async def play(name: str) -> Ended:
            return await ended(harness, host, name, await harness.start(name))

        plays = {name: asyncio.create_task(play(name)) for name in ROWS}
        yield plays
        for task in plays.values():
            task.cancel()
        await asyncio.gather(*plays.values(), return_exceptions=True)


async def ended(harness: Harness, host: FaultHost, name: str, run: Run) -> Ended:
    try:
        result = await run.result()
        status, said = str(result.status), result.report.body
    except WorkflowFailureError as failed:
        error = failed.cause
        assert isinstance(error, ApplicationError)
        assert error.type is not None
        result = RunResult.model_validate(error.details[0])
        status, said = error.type, error.message
    requests = [request.json() for request in host.received[name]]
    return Ended(status, said, result, await replies(harness.client, run), requests)


@pytest.mark.parametrize("name", ROWS)
async def test_a_hostile_reply_has_the_expected_outcome(played: Mapping[str, asyncio.Task[Ended]], name: str) -> None:
    row, run = ROWS[name], await played[name]
    assert (run.status, run.result.rounds) == (row.ends, row.rounds)
    assert row.says in run.said
    assert len(run.requests) == (len(row.sends) + 1 if row.asked is None else row.asked)
    assert run.result.usage.tokens > 0 or not row.rounds
    if not row.rounds:
        assert run.result.status == "failed"
        assert run.said in run.result.report.body
        return
    first, *_ = run.recorded
    assert first.kind == row.kind
    assert {name: first.message.get(name) for name in row.echo or ()} == (row.echo or {})
    assert len(run.recorded) == row.rounds
    after = "\n".join(str(message["content"]) for message in run.requests[-1]["messages"][2:])
    assert row.reads in after


def test_the_number_of_calls_kept_is_limited_and_each_is_answered(played: Mapping[str, asyncio.Task[Ended]]) -> None:
    for name in ("40 calls", "14,408 calls"):
        conversation = played[name].result().requests[-1]["messages"]
        assert [message["role"] for message in conversation[3:]] == ["tool"] * MAX_CALLS
