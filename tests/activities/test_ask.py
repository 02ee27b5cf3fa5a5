"""Model calls of real runs to real HTTP hosts: outages, refusals, fallbacks, and what is sent and recorded."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from typing import Any

import pytest
from temporalio.client import Client

from tests.support.harness import failure, model_text, replies, run_harness
from tests.support.settings import KEY
from watchkeeper.contracts import (
    Briefing,
    JsonObject,
    LimitChanges,
    Limits,
    ToolChoice,
)
from watchkeeper.llm.conversation import ConversationStore
from watchkeeper.temporal import activity_options
from watchkeeper.testing.faults import Fault, fault
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import ScriptedReply, calls, raw, says

LOOK = ("look", {"service": "checkout"})
REPORT = "Checkout is down."
SOON = {"retry-after-ms": "10"}
OUT = fault(503, headers=SOON)
BAD_KEY = fault(401, {"error": {"message": "Incorrect API key", "code": "invalid_api_key"}})
NO_QUOTA = fault(429, {"error": {"message": "top up", "type": "exceeded_current_quota_error"}}, {"retry-after": "1"})


@asynccontextmanager
async def profile(model: ScriptedModel, name: str, **keys: Any) -> AsyncIterator[dict[str, Any]]:
    """Start another host; yield it as a table of ``fallbacks``."""
    async with model.serve() as url:
        yield {"base_url": url, "name": name, "api_key": KEY, **keys}


# --- outages ------------------------------------------------------------------------------------------------------


async def test_an_outage_costs_no_round_and_a_retry_sends_the_same_bytes(client: Client) -> None:
    async with run_harness(client, [calls(LOOK), says(REPORT)]) as harness:
        harness.model.faults.extend([OUT, OUT])
        run = await harness.start()
        result = await run.result()
        recorded = await replies(client, run)
    sent = [request.body for request in harness.model.requests]
    assert (result.status, result.rounds) == ("concluded", 2)
    assert len(sent) == 4
    assert sent[0] == sent[1] == sent[2]
    assert result.usage == recorded[0].usage + recorded[1].usage


async def test_a_worker_without_the_conversation_sends_the_same_bytes(client: Client) -> None:
    async with run_harness(client, [calls(LOOK), says(REPORT)]) as harness:

        def forget(app: Any) -> Any:
            if len(harness.model.requests) == 2:  # the second round; only the history has its previous messages
                harness.running_worker.conversations.store = ConversationStore(2**20)
            return OUT(app)

        harness.model.faults.extend([lambda app: app, forget])
        await (await harness.start()).result()
        misses = harness.running_worker.conversations.misses
    assert misses == 1
    assert harness.model.requests[1].body == harness.model.requests[2].body


@pytest.mark.parametrize("status", [408, 425, 429, 520])
async def test_every_kind_of_outage_is_retried(client: Client, status: int) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        harness.model.faults.append(fault(status, headers=SOON))
        result = await (await harness.start()).result()
    assert (result.status, result.rounds, len(harness.model.requests)) == ("concluded", 1, 2)


def in_three_seconds() -> str:
    return format_datetime(datetime.now(UTC) + timedelta(seconds=3), usegmt=True)


@pytest.mark.parametrize(
    ("headers", "at_least", "at_most"),
    [
        (lambda: {"retry-after-ms": "200"}, 0.2, 0.95),
        (lambda: {"retry-after": "1.3"}, 1.3, 3.0),
        (lambda: {"retry-after": in_three_seconds()}, 1.9, 5.0),
    ],
    ids=["milliseconds", "seconds", "date"],
)
async def test_the_host_sets_the_retry_delay(
    client: Client, headers: Callable[[], dict[str, str]], at_least: float, at_most: float
) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        harness.model.faults.append(lambda app: fault(429, headers=headers())(app))
        await (await harness.start()).result()
    first, second = (request.at for request in harness.model.requests)
    assert at_least <= second - first <= at_most


# --- other models -------------------------------------------------------------------------------------------------


async def test_three_attempts_then_the_next_model(client: Client) -> None:
    other = ScriptedModel([calls(LOOK), says("The other's report.")], key=KEY)
    async with (
        profile(other, "other") as fallback,
        run_harness(client, [says(REPORT)], fallbacks=[fallback]) as harness,
    ):
        harness.model.outage = OUT
        run = await harness.start()
        result = await run.result()
        answered = [reply.model for reply in await replies(client, run)]
    assert (model_text(result.report), result.rounds) == ("The other's report.", 2)
    assert (len(harness.model.requests), len(other.requests)) == (6, 2)
    assert [request.json()["model"] for request in other.requests] == ["other", "other"]
    assert answered == ["other", "other"]
    assert other.prefix_violations() == []


@pytest.mark.parametrize("refusal", [BAD_KEY, NO_QUOTA], ids=["key", "quota"])
async def test_a_model_that_refuses_permanently_is_skipped_at_once(client: Client, refusal: Fault) -> None:
    other = ScriptedModel([says("The other's report.")], key=KEY)
    async with (
        profile(other, "other") as fallback,
        run_harness(client, [says(REPORT)], fallbacks=[fallback]) as harness,
    ):
        harness.model.faults.append(refusal)
        result = await (await harness.start()).result()
    assert (model_text(result.report), result.rounds) == ("The other's report.", 1)
    assert (len(harness.model.requests), len(other.requests)) == (1, 1)
    assert other.requests[0].at - harness.model.requests[0].at < 0.9


async def test_a_long_delay_is_skipped_if_another_model_exists(client: Client) -> None:
    other = ScriptedModel([says("The other's report.")], key=KEY)
    async with (
        profile(other, "other") as fallback,
        run_harness(client, [says(REPORT)], fallbacks=[fallback]) as harness,
    ):
        harness.model.faults.append(fault(429, headers={"retry-after": "600"}))
        result = await (await harness.start()).result()
    assert model_text(result.report) == "The other's report."
    assert other.requests[0].at - harness.model.requests[0].at < 0.9


async def test_the_shortest_delay_of_all_models_is_used(client: Client) -> None:
    other = ScriptedModel([says("The other's report.")], key=KEY)
    async with (
        profile(other, "other") as fallback,
        run_harness(client, [says(REPORT)], fallbacks=[fallback]) as harness,
    ):
        harness.model.outage = fault(429, headers={"retry-after": "600"})
        other.faults.append(OUT)
        result = await (await harness.start()).result()
    assert model_text(result.report) == "The other's report."


async def test_a_delay_longer_than_the_run_is_not_started(client: Client) -> None:
    async with run_harness(client, [calls(LOOK), says(REPORT)]) as harness:
        harness.model.faults.extend([lambda app: app, fault(429, headers={"retry-after": "600"})])
        run = await harness.start(limits=LimitChanges(duration=60))
        kind, message, hand_off = await failure(run)
    assert kind == "ModelUnavailable"
    assert message.startswith("ask failed: HTTP 429: an empty body (it asks to wait until 20")
    assert "; the run cannot wait that long, since a model call may take " in message
    assert (hand_off.status, hand_off.rounds, hand_off.tool_calls) == ("failed", 1, 1)


@pytest.mark.parametrize(("refusal", "kind"), [(BAD_KEY, "ModelAuthentication"), (NO_QUOTA, "ModelQuota")])
async def test_a_run_that_every_model_refuses_ends_with_a_hand_off(client: Client, refusal: Fault, kind: str) -> None:
    other = ScriptedModel([], key=KEY)
    script = [calls(LOOK), says(REPORT)]
    async with profile(other, "other") as fallback, run_harness(client, script, fallbacks=[fallback]) as harness:
        harness.model.faults.extend([lambda app: app, refusal])
        other.outage = refusal
        got, message, hand_off = await failure(await harness.start())
    assert got == kind
    assert message in hand_off.report.body
    assert (hand_off.status, hand_off.rounds) == ("failed", 1)
    assert '`r1.0` look `{"service":"checkout"}`' in hand_off.report.body
    assert (len(harness.model.requests), len(other.requests)) == (2, 1)


async def test_a_refusing_fallback_does_not_end_a_run_during_an_outage(client: Client) -> None:
    other = ScriptedModel([], key="another key")
    async with (
        profile(other, "other") as fallback,
        run_harness(client, [says(REPORT)], fallbacks=[fallback]) as harness,
    ):
        harness.model.faults.extend([OUT] * 4)
        result = await (await harness.start()).result()
    assert (model_text(result.report), result.rounds) == (REPORT, 1)
    assert (len(harness.model.requests), len(other.requests)) == (5, 2)


async def test_an_overflow_of_the_first_model_is_compacted_while_others_are_out(
    client: Client,
) -> None:
    other = ScriptedModel([], key=KEY)
    other.outage = fault(503, headers={"retry-after": "600"})
    too_long = fault(400, {"error": {"message": "too long", "code": "context_length_exceeded"}})
    script = [*[calls(LOOK)] * 4, says(REPORT)]
    async with profile(other, "other") as fallback, run_harness(client, script, fallbacks=[fallback]) as harness:
        harness.model.faults.extend([*[lambda app: app] * 4, too_long])
        result = await (await harness.start()).result()
    assert result.status == "concluded"
    assert (len(harness.model.requests), len(other.requests)) == (result.rounds + 1, 1)
    assert "Earlier rounds" in harness.messages()[2]["content"]


async def test_after_a_failing_fallback_the_first_model_is_used_again(client: Client) -> None:
    other = ScriptedModel([], key=KEY)
    other.outage = OUT
    async with (
        profile(other, "other") as fallback,
        run_harness(client, [says(REPORT)], fallbacks=[fallback]) as harness,
    ):
        harness.model.faults.extend([OUT] * 3)
        result = await (await harness.start()).result()
    assert (model_text(result.report), result.rounds) == (REPORT, 1)
    assert (len(harness.model.requests), len(other.requests)) == (4, 3)


# --- requests -----------------------------------------------------------------------------------------------------


async def test_only_configured_parameters_are_sent(client: Client) -> None:
    async with run_harness(client, [says(REPORT)]) as harness:
        await (await harness.start()).result()
    sent = harness.model.requests[0].json()
    assert list(sent) == ["messages", "tools", "model", "stream", "max_completion_tokens", "tool_choice"]
    assert (sent["model"], sent["max_completion_tokens"], sent["tool_choice"]) == ("scripted", 16_000, "auto")
    assert [tool["function"]["name"] for tool in sent["tools"]] == [
        "look",
        "page",
        "refusing",
        "restart",
        "unreachable",
    ]


async def test_a_profile_adds_parameters(client: Client) -> None:
    own = {"extra_body": {"thinking": {"type": "disabled"}, "temperature": 0.6}, "max_completion_tokens": None}
    async with run_harness(client, [says(REPORT)], model=own) as harness:
        await (await harness.start()).result()
    sent = harness.model.requests[0].json()
    assert (sent["thinking"], sent["temperature"]) == ({"type": "disabled"}, 0.6)
    assert "max_completion_tokens" not in sent


async def test_a_worker_without_tools_offers_none(client: Client) -> None:
    async with run_harness(client, [says(REPORT)], tools={}) as harness:
        result = await (await harness.start()).result()
    assert result.status == "concluded"
    assert harness.model.requests[0].json().keys() == {"messages", "model", "stream", "max_completion_tokens"}


@pytest.mark.parametrize("choice", [ToolChoice(mode="required"), ToolChoice(mode="named", function="look")])
async def test_a_host_that_refuses_a_forced_tool_is_asked_without_it(client: Client, choice: ToolChoice) -> None:
    thinking = ScriptedModel([calls(LOOK), says(REPORT)], key=KEY, thinking=True)
    async with run_harness(client, thinking) as harness:
        result = await (await harness.start(tool_choice=choice)).result()
    forced, *freely = [request.json()["tool_choice"] for request in thinking.requests]
    assert (result.status, result.rounds) == ("concluded", 2)
    assert forced != "auto"
    assert freely == ["auto", "auto"]


@pytest.mark.parametrize("choice", [ToolChoice(mode="required"), ToolChoice(mode="named", function="look")])
async def test_thinking_is_disabled_for_a_forced_tool_if_configured(client: Client, choice: ToolChoice) -> None:
    thinking = ScriptedModel([calls(LOOK), says(REPORT)], key=KEY, thinking=True)
    disabled = {"thinking": {"type": "disabled"}}
    async with run_harness(client, thinking, model={"forced_choice_body": disabled}) as harness:
        result = await (await harness.start(tool_choice=choice)).result()
    first, second = (request.json() for request in thinking.requests)
    assert (result.status, result.rounds) == ("concluded", 2)
    assert (first["thinking"], first["tool_choice"] != "auto") == ({"type": "disabled"}, True)
    assert ("thinking" in second, second["tool_choice"]) == (False, "auto")


async def test_reasoning_that_used_all_tokens_is_retried_with_more(client: Client) -> None:
    cut = raw({"role": "assistant", "content": "", "reasoning_content": "hm " * 50}, finish_reason="length")

    def script(request: JsonObject) -> ScriptedReply:
        return says(REPORT) if request["max_completion_tokens"] > 1_000 else cut

    async with run_harness(client, script, model={"max_completion_tokens": 1_000}) as harness:
        run = await harness.start()
        result = await run.result()
        attempts = [event.activity_task_started_event_attributes.attempt async for event in run.fetch_history_events()]
    assert (model_text(result.report), result.rounds) == (REPORT, 1)
    assert [request.json()["max_completion_tokens"] for request in harness.model.requests] == [1_000, 4_000]
    assert max(attempts) == 1


async def test_a_giant_reply_that_is_whole_is_not_asked_for_again(client: Client) -> None:
    text = "**Status:** everything is fine.\n" + "All of it is fine. " * 160_000
    giant = raw({"role": "assistant", "content": text}, usage={"prompt_tokens": 100, "completion_tokens": 900})
    async with run_harness(client, lambda request: giant, model={"max_completion_tokens": 1_000}) as harness:
        result = await (await harness.start()).result()
    assert {request.json()["max_completion_tokens"] for request in harness.model.requests} == {1_000}
    assert "token limit" not in result.report.body


def test_an_attempt_has_time_for_two_requests() -> None:
    briefing = Briefing(
        opening=[],
        tools=[],
        catalogue="x" * 22,
        limits=Limits(rounds=1, tool_calls=1, tokens=1, duration=1),
        model="scripted",
        model_deadline=120,
        history=activity_options.HISTORY_BOUNDS,
        destinations=["log"],
        nudge="",
        conclude="",
    )
    options = activity_options.model_options(briefing, timedelta(hours=1))
    assert options["start_to_close_timeout"] >= timedelta(seconds=240) + activity_options.ATTEMPT_MARGIN
    assert options["schedule_to_close_timeout"] == activity_options.MODEL_RETRY_LIMIT


# --- replies ------------------------------------------------------------------------------------------------------


async def test_the_cost_of_a_reply_is_recorded(client: Client) -> None:
    usage = {
        "prompt_tokens": 1_000,
        "completion_tokens": 200,
        "prompt_tokens_details": {"cached_tokens": 600},
        "completion_tokens_details": {"reasoning_tokens": 150},
    }
    script = [replace(calls(LOOK), usage=usage), replace(says(REPORT), usage={**usage, "cached_tokens": 900})]
    prices = {"input": 1.0, "cached_input": 0.1, "output": 4.0}
    async with run_harness(client, script, model={"prices": prices}) as harness:
        run = await harness.start()
        result = await run.result()
        first, second = await replies(client, run)
    assert first.usage.model_dump(exclude_unset=True) == {
        "prompt_tokens": 1_000,
        "completion_tokens": 200,
        "cached_tokens": 600,
        "reasoning_tokens": 150,
        "cost": pytest.approx((400 * 1.0 + 600 * 0.1 + 200 * 4.0) / 1e6),
    }
    assert second.usage.cached_tokens == 900
    assert (result.usage.tokens, result.usage.cached_tokens, result.usage.reasoning_tokens) == (2_400, 1_500, 300)
    assert result.usage.cost == pytest.approx((500 * 1.0 + 1_500 * 0.1 + 400 * 4.0) / 1e6)
    assert not result.usage.estimated
    assert first.model is None  # the briefing names the first model
    assert all(reply.trace_id and reply.response_id is None for reply in (first, second))


async def test_a_usage_that_is_not_reported_is_estimated(client: Client) -> None:
    async with run_harness(client, [replace(says(REPORT), usage={"prompt_tokens": None})]) as harness:
        result = await (await harness.start()).result()
    assert result.usage.estimated
    assert result.usage.prompt_tokens == -(-len(harness.model.requests[0].body) // 4)
    assert result.usage.completion_tokens > 0
    assert result.usage.cost is None


async def test_unknown_fields_of_a_message_are_sent_back(client: Client) -> None:
    signed = {"extra_content": {"google": {"thought_signature": "c2ln"}}}
    script = [
        calls((*LOOK, signed), reasoning="first look", reasoning_details=[{"type": "text", "text": "…"}]),
        calls((*LOOK, signed), LOOK, reasoning=""),
        says(REPORT),
    ]
    async with run_harness(client, script) as harness:
        result = await (await harness.start()).result()
    assert result.status == "concluded"
    first, second = (message for message in harness.messages() if message["role"] == "assistant")
    assert first["reasoning_content"] == "first look"
    assert first["reasoning_details"] == [{"type": "text", "text": "…"}]
    assert first["tool_calls"][0]["extra_content"] == signed["extra_content"]
    assert second["reasoning_content"] == ""
    assert second["tool_calls"][0]["extra_content"] == signed["extra_content"]
    assert "extra_content" not in second["tool_calls"][1]


async def test_a_conversation_only_grows_at_its_end(client: Client) -> None:
    script = [calls(LOOK, reasoning="é…"), calls(LOOK, LOOK), calls(("nothing", {})), says(REPORT)]
    async with run_harness(client, script) as harness:
        await (await harness.start()).result()
    sent = [request.body for request in harness.model.requests]
    for earlier, later in pairwise(sent):
        shared = earlier[: earlier.index(b'],"tools":')]
        assert later.startswith(shared + b",")
        assert later[later.index(b'],"tools":') :] == earlier[len(shared) :]
    assert harness.model.prefix_violations() == []
