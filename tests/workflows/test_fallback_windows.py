"""Runs whose primary model is out and whose fallback has a small context window."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from temporalio.client import Client

from tests.support.harness import Harness, Run, failure, model_text, run_harness
from tests.support.settings import KEY, paging_tables
from watchkeeper.demo.world import World
from watchkeeper.testing.faults import fault
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import calls, says
from watchkeeper.tool import Arguments, ToolContext, tool
from watchkeeper.tool_calling.catalogue import discover_tools

READ = calls(("read_page", {}))
REPORT = "Checkout is down."
OUT = fault(503, headers={"retry-after-ms": "10"})
WAIT_2_HOURS = fault(429, "slow down", {"retry-after": "7200"})
ROUNDS = 6


class Nothing(Arguments):
    pass


@tool(effect="read")
async def read_page(args: Nothing, context: ToolContext) -> str:
    """Read a page."""
    return "x" * 4_096


TOOLS = {"read_page": read_page}


def normal(app: Any) -> Any:
    return app


async def compactions(run: Run) -> int:
    """Return how often a summary replaced older rounds."""
    types = [e.activity_task_scheduled_event_attributes.activity_type.name async for e in run.fetch_history_events()]
    return types.count("compact")


@asynccontextmanager
async def small_fallback(client: Client, window: int, **settings: Any) -> AsyncIterator[tuple[Harness, ScriptedModel]]:
    """Run a worker whose fallback reads at most ``window`` tokens."""
    other = ScriptedModel(lambda request: says("The other's report."), key=KEY, context_window=window)
    async with other.serve() as url:
        fallback = {"base_url": url, "name": "other", "api_key": KEY, **settings}
        script = [*[READ] * ROUNDS, says(REPORT)]
        async with run_harness(client, script, fallbacks=[fallback], tools=TOOLS) as harness:
            yield harness, other


async def test_a_short_outage_does_not_shorten_the_conversation_for_a_fallback(client: Client) -> None:
    async with small_fallback(client, 100) as (harness, other):
        harness.model.faults.extend([*[normal] * ROUNDS, *[OUT] * 5])
        run = await harness.start()
        result = await run.result()
        assert await compactions(run) == 0
    assert (result.status, model_text(result.report)) == ("concluded", REPORT)
    assert (len(harness.model.requests), len(other.requests)) == (ROUNDS + 6, 3)
    assert harness.model.prefix_violations() == []


@pytest.mark.parametrize("known", [True, False])
async def test_in_a_long_outage_the_fallback_answers_a_shorter_conversation(client: Client, known: bool) -> None:
    window = 4_000
    settings = {"context_tokens": window} if known else {}
    async with small_fallback(client, window, **settings) as (harness, other):
        harness.model.faults.extend([*[normal] * ROUNDS, *[WAIT_2_HOURS] * 20])
        run = await harness.start()
        result = await run.result()
        count = await compactions(run)
    assert (result.status, model_text(result.report), result.rounds) == ("concluded", "The other's report.", ROUNDS + 1)
    assert count >= 1
    assert "Earlier rounds" in str(other.requests[-1].json()["messages"])
    assert len(other.requests) == (1 if known else 1 + count)


async def test_a_conversation_that_cannot_be_shortened_waits_for_the_primary_model(client: Client) -> None:
    async with small_fallback(client, 10) as (harness, _):
        harness.model.faults.extend([*[normal] * ROUNDS, *[fault(429, headers={"retry-after": "125"})], *[OUT] * 2])
        run = await harness.start()
        result = await run.result()
        assert await compactions(run) >= 1
    assert (result.status, model_text(result.report)) == ("concluded", REPORT)


async def test_people_are_paged_at_once_if_every_model_asks_to_wait_too_long(client: Client) -> None:
    async with World.running() as world:
        tools = {"page_engineer": discover_tools()["page_engineer"]}
        async with run_harness(client, [], tools=tools, **paging_tables(world)) as harness:
            harness.model.outage = WAIT_2_HOURS
            kind, message, hand_off = await failure(await harness.start(service="checkout"))
        pages = world.pages.events
    assert kind == "ModelUnavailable"
    assert "(it asks to wait until 20" in message
    assert "; the run cannot wait that long, since a model call may take 15 min" in message
    assert len(harness.model.requests) == 1
    assert [page.team for page in pages] == ["checkout"]
    assert message in hand_off.report.body
