"""Attempts of a tool call that are lost with their worker do not count as failures of the tool."""

from __future__ import annotations

import time
from typing import Any

import pytest
from temporalio.client import Client

from tests.support.harness import Nothing, run_harness
from watchkeeper.contracts import Effect
from watchkeeper.temporal.activity_options import HEARTBEAT_TIMEOUT, LOST_ATTEMPTS
from watchkeeper.testing.scripts import calls, says
from watchkeeper.tool import Tool, ToolContext, ToolUnavailable, tool
from workflows.incident import IncidentWorkflow

LOST = 3


def losing(effect: Effect, *, works: bool) -> tuple[dict[str, Tool[Any]], list[int]]:
    """Return a tool whose first attempts stop the whole worker for longer than Temporal waits for its heartbeat."""
    attempts: list[int] = []

    @tool(effect=effect, attempts=2)
    async def look_closely(args: Nothing, context: ToolContext) -> str:
        """Look closely."""
        attempts.append(context.attempt)
        if context.attempt <= LOST:
            time.sleep(HEARTBEAT_TIMEOUT.total_seconds() + 1)  # noqa: ASYNC251 (the worker must not send heartbeats)
        if not works:
            raise ToolUnavailable("503")
        return "seen"

    return {"look_closely": look_closely}, attempts


@pytest.mark.parametrize("effect", ["read", "keyed"])
async def test_more_lost_attempts_than_a_tool_may_fail(client: Client, effect: Effect) -> None:
    tools, attempts = losing(effect, works=True)
    async with run_harness(client, [calls(("look_closely", {})), says("Done.")], tools=tools) as harness:
        run = await harness.start()
        await run.result()
        (call,) = (await run.query(IncidentWorkflow.progress)).calls
    assert call.status == "ok"
    assert len(attempts) > LOST >= tools["look_closely"].attempts


async def test_a_failure_after_lost_attempts_is_final(client: Client) -> None:
    tools, attempts = losing("read", works=False)
    async with run_harness(client, [calls(("look_closely", {})), says("Done.")], tools=tools) as harness:
        run = await harness.start()
        await run.result()
        (call,) = (await run.query(IncidentWorkflow.progress)).calls
    assert call.status == "error"
    assert LOST < len(attempts) < tools["look_closely"].attempts + LOST_ATTEMPTS
