"""The last round of a run: the tools stay in the request, so that its prefix stays cached, and no call is allowed."""

from __future__ import annotations

import pytest
from temporalio.client import Client

from tests.support.harness import Harness, failure, model_text, replies, run_harness
from tests.support.settings import KEY
from watchkeeper.contracts import JsonObject, LimitChanges
from watchkeeper.testing.host_rules import no_forbidden_tools
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import Script, ScriptedReply, always, calls, says

LOOK = calls(("look", {"service": "checkout"}))
CALL_AS_TEXT = says('{"name": "look", "arguments": {"service": "checkout"}}')
UNREADABLE_CALL = says('<|tool_calls_section_begin|><|tool_call_begin|>functions.look:0<|tool_call_argument_begin|>{"')
REPORT = says("**Status:** checkout is degraded.\n\nRoll back.")
TWO_ROUNDS = LimitChanges(rounds=2)


def forms(harness: Harness) -> list[str]:
    """Return how each request offered the tools."""
    return [request.json().get("tool_choice", "no tools") for request in harness.model.requests]


def ignores_none(reply: ScriptedReply) -> Script:
    """Reply as a host does that hands the tools to its model without the prohibition."""
    return lambda request: reply if request.get("tools") else REPORT


async def test_the_last_round_repeats_the_prefix_of_the_round_before(client: Client) -> None:
    async with run_harness(client, always(LOOK, without_tools=REPORT)) as harness:
        run = await harness.start(limits=TWO_ROUNDS)
        result = await run.result()
        last = (await replies(client, run))[-1].usage
    assert (result.status, forms(harness)) == ("concluded", ["auto", "none"])
    first, second = (request.json() for request in harness.model.requests)
    assert second["tools"] == first["tools"]
    assert last.cached_tokens > 0.5 * last.prompt_tokens


async def test_a_host_that_refuses_the_prohibition_gets_no_tools_and_is_not_asked_again(client: Client) -> None:
    host = ScriptedModel(always(LOOK, without_tools=REPORT), key=KEY, rules=[no_forbidden_tools])
    async with run_harness(client, host) as harness:
        one = await (await harness.start(limits=TWO_ROUNDS)).result()
        two = await (await harness.start(limits=TWO_ROUNDS)).result()
    assert (one.status, two.status) == ("concluded", "concluded")
    assert forms(harness) == ["auto", "none", "no tools", "auto", "no tools"]


@pytest.mark.parametrize("reply", [LOOK, CALL_AS_TEXT, UNREADABLE_CALL], ids=["call", "call as text", "half a call"])
async def test_a_host_that_answers_with_a_call_all_the_same_gets_no_tools(client: Client, reply: ScriptedReply) -> None:
    def script(request: JsonObject) -> ScriptedReply:
        return LOOK if request.get("tool_choice") == "auto" else ignores_none(reply)(request)

    async with run_harness(client, script) as harness:
        one = await (await harness.start(limits=TWO_ROUNDS)).result()
        two = await (await harness.start(limits=TWO_ROUNDS)).result()
    assert forms(harness) == ["auto", "none", "no tools", "auto", "no tools"]
    assert (one.status, one.rounds, one.tool_calls) == ("concluded", 2, 1)
    assert (two.status, model_text(two.report)) == ("concluded", model_text(one.report))


async def test_a_call_next_to_text_is_no_conclusion_of_the_last_round(client: Client) -> None:
    talks = calls(("look", {"service": "checkout"}), content="Let me look once more.")
    async with run_harness(client, ignores_none(talks)) as harness:
        result = await (await harness.start(limits=TWO_ROUNDS)).result()
    assert "once more" not in model_text(result.report)
    assert forms(harness) == ["auto", "none", "no tools"]


async def test_another_refusal_of_the_last_round_is_not_taken_for_one_of_the_prohibition(client: Client) -> None:
    def script(request: JsonObject) -> ScriptedReply:
        return LOOK if request.get("tool_choice") == "auto" else says(" ")

    async with run_harness(client, script) as harness:
        kind, _, hand_off = await failure(await harness.start(limits=TWO_ROUNDS))
    assert (kind, hand_off.status) == ("RoundLimitReached", "limit_reached")
    assert set(forms(harness)) == {"auto", "none"}
