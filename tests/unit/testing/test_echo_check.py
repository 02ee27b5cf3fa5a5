"""What the scripted model notices of its own words when they come back."""

import json
from collections.abc import AsyncIterator, Callable

import pytest
from httpx2 import AsyncClient

from tests.support.model_requests import USER, ask, refused, request, result, said
from watchkeeper.contracts import JsonObject
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import ScriptedReply, calls, raw, says

SIGNED = calls(
    ("get_health", {"service": "checkout"}, {"extra_content": {"google": {"thought_signature": "s"}}}),
    reasoning="Look first.",
    refusal=None,
    annotations=[],
)


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel([SIGNED, says("Degraded.", reasoning_content="Clear."), says("Bye.")])


@pytest.fixture
async def url(model: ScriptedModel) -> AsyncIterator[str]:
    async with model.serve() as base_url:
        yield base_url


def without(message: JsonObject, *names: str) -> JsonObject:
    return {name: value for name, value in message.items() if name not in names}


async def test_a_faithful_echo_is_taken(http: AsyncClient, url: str) -> None:
    message = without(await said(http, url, request()), "refusal", "annotations")
    last = await said(http, url, request(message, result()))
    assert (await said(http, url, request(message, result(), last, USER)))["content"] == "Bye."


def change_call(message: JsonObject, **changes: object) -> JsonObject:
    return message | {"tool_calls": [message["tool_calls"][0] | changes]}


@pytest.mark.parametrize(
    ("spoil", "said_of_it"),
    [
        (
            lambda m: without(m, "reasoning_content"),
            "thinking is enabled but reasoning_content is missing in assistant tool call message at index 2",
        ),
        (
            lambda m: m | {"reasoning_content": "Look later."},
            "'messages[2].reasoning_content' is not what was sent in the echo of a reply",
        ),
        (
            lambda m: change_call(m, extra_content={}),
            "'messages[2].tool_calls[0].extra_content' is not what was sent in the echo of a reply",
        ),
        (
            lambda m: m | {"tool_calls": [without(m["tool_calls"][0], "extra_content")]},
            "'messages[2].tool_calls[0].extra_content' is missing in the echo of a reply",
        ),
        (
            lambda m: change_call(m, function={"name": "get_health", "arguments": "{}"}),
            "'messages[2].tool_calls[0].function.arguments' is not what was sent in the echo of a reply",
        ),
    ],
    ids=["lost-reasoning", "changed-reasoning", "changed-signature", "lost-signature", "changed-arguments"],
)
async def test_an_unfaithful_echo_is_refused(
    http: AsyncClient, url: str, spoil: Callable[[JsonObject], JsonObject], said_of_it: str
) -> None:
    message = without(await said(http, url, request()), "annotations")
    error = await refused(http, url, request(spoil(message), result()))
    assert error["message"] == said_of_it


async def test_the_reasoning_of_an_answer_counts_too(http: AsyncClient, url: str) -> None:
    message = await said(http, url, request())
    last = await said(http, url, request(message, result()))
    error = await refused(http, url, request(message, result(), without(last, "reasoning_content"), USER))
    assert "reasoning_content is missing in assistant tool call message at index 4" in error["message"]


async def test_one_of_two_conversations_may_have_said_it(http: AsyncClient) -> None:
    def script(asked: JsonObject) -> ScriptedReply:
        thought = asked["messages"][0]["content"]
        return calls(("get_health", {"service": "checkout"}), reasoning=thought)

    async with ScriptedModel(script).serve() as url:
        one, other = request(), request()
        other["messages"] = [{"role": "user", "content": "Other thoughts."}]
        first, second = await said(http, url, one), await said(http, url, other)
        assert first["reasoning_content"] != second["reasoning_content"]
        for message in (first, second):
            assert (await ask(http, url, request(message, result()))).status_code == 200
        assert (await ask(http, url, request(without(first, "reasoning_content"), result()))).status_code == 400


@pytest.mark.parametrize("arguments", ["", "{", '"{\\"service\\":\\"checkout\\"}"'])
async def test_what_no_host_would_read_back_may_be_put_right(http: AsyncClient, arguments: str) -> None:
    async with ScriptedModel([calls(("get_health", arguments)), says("done")]).serve() as url:
        message = await said(http, url, request())
        repaired = change_call(message, function={"name": "get_health", "arguments": "{}"})
        assert (await said(http, url, request(repaired, result())))["content"] == "done"


async def test_a_malformed_message_may_be_put_right(http: AsyncClient) -> None:
    malformed = raw({"role": "assistant", "content": None, "tool_calls": [None, {"id": 7}]})
    async with ScriptedModel([malformed, says("done")]).serve() as url:
        await said(http, url, request())
        assert (await said(http, url, request({"role": "assistant", "content": "repaired"}, USER)))["content"] == "done"


def joined(*messages: JsonObject) -> str:
    return ",".join(json.dumps(message, separators=(",", ":")) for message in messages)


async def send(http: AsyncClient, url: str, messages: str, tools: str = "") -> JsonObject:
    body = f'{{"messages":[{messages}],{tools}"model":"m"}}'
    answer = await http.post(f"{url}/chat/completions", content=body.encode())
    assert answer.status_code == 200, answer.text
    message: JsonObject = answer.json()["choices"][0]["message"]
    return message


async def test_a_conversation_goes_on_byte_for_byte(http: AsyncClient, model: ScriptedModel, url: str) -> None:
    opening = joined(USER)
    first = await send(http, url, opening)
    second = await send(http, url, f"{opening},{joined(first, result())}")
    await send(http, url, f"{opening},{joined(first, result())}")
    await send(http, url, f"{opening},{joined(first, result(), second, USER)}")
    assert model.prefix_violations() == []


@pytest.mark.parametrize(
    "spoiled",
    [
        '{"role":"user","content":"What is wrong with checkout? (now 13:44)"}',
        '{"content":"What is wrong with checkout?","role":"user"}',
        '{"role":"user", "content":"What is wrong with checkout?"}',
        joined(USER, USER),
    ],
    ids=["text", "order", "space", "insertion"],
)
async def test_a_changed_beginning_is_a_violation(
    http: AsyncClient, model: ScriptedModel, url: str, spoiled: str
) -> None:
    first = await send(http, url, joined(USER))
    await send(http, url, f"{spoiled},{joined(first, result())}")
    (violation,) = model.prefix_violations()
    assert "does not begin with the bytes of the request that its last reply answered" in violation


async def test_changed_tools_are_a_violation_but_none_are_not(
    http: AsyncClient, model: ScriptedModel, url: str
) -> None:
    tools = f'"tools":{json.dumps(request()["tools"])},'
    first = await send(http, url, joined(USER), tools)
    await send(http, url, joined(USER, first, result()))
    await send(http, url, joined(USER, first, result()), tools)
    assert model.prefix_violations() == []
    await send(http, url, joined(USER, first, result()), tools.replace(": ", ":"))
    assert ["offers its tools in other bytes" in violation for violation in model.prefix_violations()] == [True]
