"""Conversations that one host began and another takes over: what it refuses is learnt, and it answers all the same."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from temporalio.client import Client
from temporalio.exceptions import ApplicationError

from tests.support.asking import OPENING, asking, call, round_of, user
from tests.support.settings import KEY
from watchkeeper.contracts import JsonObject, ToolChoice
from watchkeeper.testing import host_rules
from watchkeeper.testing.faults import fault
from watchkeeper.testing.host_rules import HostRule, no_message_field
from watchkeeper.testing.request_refused import RequestRefused
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import says

MISTRAL_ID = "Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9."
ANTHROPIC_ID = "messages.2.content.0.tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'"
BEDROCK_ID = (
    "Value '{id}' at 'messages.2.member.content.1.member.toolUse.toolUseId' failed to satisfy constraint: Member must "
    "satisfy regular expression pattern: [a-zA-Z0-9_-]+"
)
OPENAI_ID = (
    "Invalid 'messages[2].tool_calls[0].id': string too long. Expected a string with maximum length 40, but got a "
    "string with length 64 instead."
)

PREFIXED_ID = "Invalid 'messages[2].tool_calls[0].id': '{id}'. Expected an ID that begins with 'call_'."

RULES: dict[str, HostRule] = {
    "user after tool": host_rules.no_user_after_tool,
    "alternating roles": host_rules.alternating_roles,
    "null content": host_rules.no_null_content,
    "reasoning_content": no_message_field("reasoning_content"),
    "extra_content": no_message_field("extra_content"),
    "added fields": host_rules.no_added_fields,
    "Mistral's ids": host_rules.call_ids("[a-zA-Z0-9]{9}", MISTRAL_ID),
    "Anthropic's ids": host_rules.call_ids("[a-zA-Z0-9_-]+", ANTHROPIC_ID),
    "Bedrock's ids": host_rules.call_ids("[a-zA-Z0-9_-]+", BEDROCK_ID),
    "OpenAI's ids": host_rules.call_ids(".{1,40}", OPENAI_ID),
    "reasoning required": host_rules.reasoning_required,
    "signature required": host_rules.signature_required,
    "single calls": host_rules.single_calls,
    "no system message": host_rules.no_system_message,
    "no stream": host_rules.no_stream_field,
    "no tool_choice": host_rules.no_tool_choice,
    "max_tokens": host_rules.no_max_completion_tokens,
}
ALONE: dict[str, HostRule] = {
    "only streams": host_rules.only_streams,
    "ids with a prefix": host_rules.call_ids("call_.{1,35}", PREFIXED_ID),
}
"""Rules that contradict others of ``RULES``."""

MISTRAL = [
    RULES[name]
    for name in ("max_tokens", "user after tool", "null content", "Mistral's ids", "added fields", "alternating roles")
]

BEGUN: list[JsonObject] = [
    *OPENING,
    *round_of(
        call("functions.look:0", extra_content={"google": {"thought_signature": "c2ln"}}),
        call("functions.look:1"),
        reasoning_content="Deploys first.",
    ),
    *round_of(call("call_" + "0" * 59)),
    user("Is it the database?"),
]
NEXT = [*BEGUN, *round_of(call("functions.look:2"), reasoning_details=[{"text": "…"}]), user("Please conclude.")]
NO_CREDIT = fault(402, {"error": {"message": "no credit left", "type": "exceeded_current_quota_error"}})


def host(*rules: HostRule, **options: Any) -> ScriptedModel:
    return ScriptedModel(lambda request: says("Checkout is down."), key=KEY, rules=rules, **options)


def accepted(model: ScriptedModel, rules: Sequence[HostRule]) -> list[bytes]:
    """Return the bodies of the requests that no rule refuses."""

    def passes(request: JsonObject) -> bool:
        try:
            for rule in rules:
                rule(request)
        except RequestRefused:
            return False
        return True

    return [request.body for request in model.requests if passes(request.json())]


def messages_of(body: bytes) -> bytes:
    return body[: body.index(b'],"tools":')]


@pytest.mark.parametrize("rule", [*RULES.values(), *ALONE.values()], ids=[*RULES, *ALONE])
async def test_a_refused_form_is_sent_once(client: Client, rule: HostRule) -> None:
    model = host(rule)
    async with asking(client, model) as asked:
        for messages in (BEGUN, NEXT):
            assert (await asked.ask(messages)).text == "Checkout is down."
    first, second = accepted(model, [rule])
    assert len(model.requests) - 2 <= 4
    assert model.requests[-1].body == second
    assert messages_of(second).startswith(messages_of(first) + b",")


@pytest.mark.parametrize("rules", [MISTRAL, list(RULES.values())], ids=["Mistral", "all"])
async def test_a_host_with_many_rules_answers_in_every_round(client: Client, rules: list[HostRule]) -> None:
    # A host that does not know reasoning_content cannot require it, and the same holds for the signature.
    rules = [rule for rule in rules if rule not in (host_rules.reasoning_required, host_rules.signature_required)]
    model = host(*rules)
    async with asking(client, model) as asked:
        for messages in (BEGUN, NEXT):
            assert (await asked.ask(messages)).text == "Checkout is down."
        learnt = len(model.requests)
        await asked.ask([*NEXT, *round_of(call("functions.look:3"))])
    assert len(model.requests) == learnt + 1
    bodies = accepted(model, rules)
    assert messages_of(bodies[1]).startswith(messages_of(bodies[0]) + b",")
    assert messages_of(bodies[2]).startswith(messages_of(bodies[1]) + b",")


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
async def test_a_fallback_takes_over(client: Client, rule: HostRule) -> None:
    first, other = host(), host(rule)
    first.outage = NO_CREDIT
    async with asking(client, first, other) as asked:
        answered = [await asked.ask(messages) for messages in (BEGUN, NEXT)]
    assert [reply.model for reply in answered] == ["other-1", "other-1"]
    assert len(first.requests) == 2
    assert other.requests[0].json()["messages"] == BEGUN, "the first model's dialect is not that of the other"


async def test_null_and_empty_content_may_both_be_refused(client: Client) -> None:
    model = host(host_rules.no_null_content, host_rules.no_empty_content)
    async with asking(client, model) as asked:
        assert (await asked.ask(BEGUN)).text == "Checkout is down."
    sent = [message for message in model.messages() if "tool_calls" in message]
    assert all("content" not in message for message in sent)


async def test_both_refusals_are_in_the_reason_with_what_was_tried(client: Client) -> None:
    first = host()
    first.outage = NO_CREDIT

    def refuses(request: JsonObject) -> None:
        raise RequestRefused("the field 'model' is not the one of the deployment")

    other = host(host_rules.no_max_completion_tokens, host_rules.no_user_after_tool, refuses)
    async with asking(client, first, other) as asked:
        with pytest.raises(ApplicationError) as failed:
            await asked.ask(BEGUN)
    assert failed.value.type == "ModelQuota"
    text = failed.value.message
    assert text.startswith(
        "HTTP 402: no credit left. Raise the account's quota or credit with the host.; fallback other-1: "
    )
    assert "HTTP 400: the field 'model' is not the one of the deployment" in text
    assert text.endswith("(sent without a user message after a tool message, max_completion_tokens, which it refuses)")


@pytest.mark.parametrize(
    "says_so",
    [
        "the message at position 3 with role 'assistant' must not be empty",
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. "
        "The following tool_call_ids did not have response messages: functions.look:0",
        "Invalid parameter: messages with role 'tool' must be a response to a preceding message with 'tool_calls'.",
        "model 'scripted' is not supported by this endpoint",
    ],
)
async def test_a_refusal_for_another_cause_changes_nothing(client: Client, says_so: str) -> None:
    def refuses(request: JsonObject) -> None:
        raise RequestRefused(says_so)

    model = host(refuses)
    async with asking(client, model) as asked:
        with pytest.raises(ApplicationError, match="HTTP 400") as failed:
            await asked.ask(BEGUN)
    assert failed.value.type == "ModelRefused"
    assert len(model.requests) == 1


@pytest.mark.parametrize("rule", [host_rules.no_user_after_tool, host_rules.no_stream_field])
async def test_a_refusal_inside_a_successful_response_teaches_the_same(client: Client, rule: HostRule) -> None:
    """OpenRouter and other gateways answer with status 200 and the error of the host behind them."""

    def relayed(request: JsonObject) -> None:
        try:
            rule(request)
        except RequestRefused as refused:
            body = {"error": {"code": 400, "message": str(refused)}}
            raise RequestRefused(str(refused), status=200, body=body) from None

    model = host(relayed)
    async with asking(client, model) as asked:
        assert (await asked.ask(BEGUN)).text == "Checkout is down."
    assert len(model.requests) == 2


async def test_a_forced_tool_is_left_to_the_model_where_it_cannot_be_forced(client: Client) -> None:
    model = host(host_rules.no_forced_tools)
    async with asking(client, model) as asked:
        for messages in (BEGUN, NEXT):
            await asked.ask(messages, choice=ToolChoice(mode="named", function="look"))
    choices = [request.json()["tool_choice"] for request in model.requests]
    assert [isinstance(choice, dict) for choice in choices] == [True, False, False]


async def test_a_call_that_the_host_refuses_in_the_last_round_leaves_the_tools_out(client: Client) -> None:
    """Groq reports the call of its own model as the fault of the request."""

    def forbids(request: JsonObject) -> None:
        if request.get("tool_choice") == "none":
            raise RequestRefused("Tool choice is none, but model called a tool", code="tool_use_failed")

    model = host(forbids)
    async with asking(client, model) as asked:
        for messages in (BEGUN, NEXT):
            assert (await asked.ask(messages, last=True)).text == "Checkout is down."
    assert ["tools" in request.json() for request in model.requests] == [True, False, False]


async def test_an_outage_teaches_nothing(client: Client) -> None:
    model = host()
    model.faults.append(fault(503, {"error": {"message": "stream: unexpected end of file in the load balancer"}}))
    async with asking(client, model) as asked:
        with pytest.raises(ApplicationError):
            await asked.ask(BEGUN)
        await asked.ask(BEGUN)
    assert [request.json()["stream"] for request in model.requests] == [False, False]


async def test_every_request_says_that_it_is_not_streamed(client: Client) -> None:
    model = host()
    async with asking(client, model) as asked:
        await asked.ask(BEGUN)
        await asked.ask(BEGUN, last=True)
    assert [request.json()["stream"] for request in model.requests] == [False, False]
