"""Models that never stop: each run ends at exactly its round limit, with one page and a useful report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from itertools import cycle, islice

import pytest
from temporalio.client import Client

from tests.support.fault_host import ALL_REQUESTS, FaultHost, Sent
from tests.support.harness import Run, failure, look, run_harness
from tests.support.settings import paging_tables
from watchkeeper.contracts import AlertOrigin, LimitChanges, RunResult
from watchkeeper.demo.world import World
from watchkeeper.testing.scripts import ScriptedReply, allows_calls, calls, raw, says
from watchkeeper.tool_calling.catalogue import discover_tools

ROUNDS = 7
LOOK = ("look", {"service": "checkout"})


def page(summary: str) -> ScriptedReply:
    return calls(LOOK, ("page_engineer", {"service": "checkout", "summary": summary}))


AS_TEXT = '{"name": "page_engineer", "arguments": {"service": "checkout", "summary": "Wake up."}}'
LEAKED = (
    "<|tool_calls_section_begin|><|tool_call_begin|>functions.page_engineer:99<|tool_call_argument_begin|>"
    '{"service": "checkout", "summary": "Wake up."}<|tool_call_end|><|tool_calls_section_end|>'
)

SCRIPTS: dict[str, list[ScriptedReply]] = {
    "it pages": [page("Orders fail."), page("Still failing!"), page("No one answers?")],
    "it pages and continues": [page("Orders fail."), calls(LOOK), page("It is the deploy."), calls(LOOK, LOOK)],
    "it pages twice at once": [
        calls(
            LOOK,
            ("page_engineer", {"service": "checkout", "summary": "Orders fail."}),
            ("page_engineer", {"service": "checkout", "summary": "Do come."}),
        )
    ],
    "its pages leak": [raw({"role": "assistant", "content": LEAKED}), calls(LOOK)],
}

LAST_REPLIES: dict[str, ScriptedReply] = {
    "a call": page("One more."),
    "a call as text": says(AS_TEXT),
    "a call in a fence": says(f"```json\n{AS_TEXT}\n```"),
    "a call as a tag": says(f"<tool_call>{AS_TEXT}</tool_call>"),
    "a leaked call": says(LEAKED),
    "a call leaked into its thoughts": says("", reasoning_content=LEAKED),
    "half a leaked call": says(LEAKED[:-40]),
    "nothing": says(""),
    "only thoughts": says("", reasoning_content="I should page again."),
}

NAMES = [f"{script}, then {reply}" for script in SCRIPTS for reply in LAST_REPLIES]


@pytest.fixture(scope="module")
async def world() -> AsyncIterator[World]:
    async with World.running() as world:
        yield world


@pytest.fixture(scope="module")
async def host() -> FaultHost:
    replies_by_run: dict[str, list[Sent]] = {
        f"{script}, then {reply}": [*islice(cycle(turns), ROUNDS - 1), *[last] * ALL_REQUESTS]
        for script, turns in SCRIPTS.items()
        for reply, last in LAST_REPLIES.items()
    }
    return FaultHost(replies_by_run, then=says("never"))


@pytest.fixture(scope="module")
async def runs(client: Client, host: FaultHost, world: World) -> AsyncIterator[Mapping[str, Run]]:
    tools = {"look": look, "page_engineer": discover_tools()["page_engineer"]}
    at_once = {"investigations": len(NAMES)}
    async with run_harness(client, host, tools=tools, episodes=at_once, **paging_tables(world)) as harness:

        async def start(name: str) -> Run:
            origin = AlertOrigin(source="prod", kind="alertmanager", group=name)
            return await harness.start(name, service="checkout", limits=LimitChanges(rounds=ROUNDS), origin=origin)

        yield dict(zip(NAMES, await asyncio.gather(*map(start, NAMES)), strict=True))


@pytest.mark.parametrize("name", NAMES)
async def test_a_run_ends_at_its_round_limit_with_one_page_and_a_report(
    host: FaultHost, world: World, runs: Mapping[str, Run], name: str
) -> None:
    run = runs[name]
    kind, message, hand_off = await failure(run)
    assert (kind, message) == ("RoundLimitReached", f"stopped after {ROUNDS} rounds without a conclusion")
    assert (hand_off.status, hand_off.rounds) == ("limit_reached", ROUNDS)

    offered = [allows_calls(request.json()) for request in host.received[name]]
    assert offered[: ROUNDS - 1] == [True] * (ROUNDS - 1)
    assert not any(offered[ROUNDS - 1 :])

    key = f"{run.first_execution_run_id}/page_engineer/checkout"
    (woken,) = [incident for incident in world.pages.incidents if incident.key.startswith(key)]
    assert (woken.team, woken.key) == ("checkout", key)
    assert_usable(hand_off, name)


def assert_usable(hand_off: RunResult, name: str) -> None:
    report = hand_off.report
    assert report.summary == f"checkout: no conclusion, stopped after {ROUNDS} rounds without a conclusion"
    assert f"> {name}" in report.body
    assert "page_engineer `{" in report.body
    assert '"status":"triggered"' in report.body
    assert "a person takes over from here" in report.body
    assert "<|tool_call" not in report.body
    assert {item.tool for item in report.evidence} == {"look", "page_engineer"}
