"""The scripted model checks that its messages come back unchanged."""

import json
from collections.abc import AsyncIterator, Callable

import pytest
from httpx2 import AsyncClient

from tests.support.model_requests import USER, post_request, refusal, reply_message, request, result
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


async def test_an_exact_echo_is_accepted(http: AsyncClient, url: str) -> None:
    message = without(await reply_message(http, url, request()), "refusal", "annotations")
    last = await reply_message(http, url, request(message, result()))
    assert (await reply_message(http, url, request(message, result(), last, USER)))["content"] == "Bye."


def change_call(message: JsonObject, **changes: object) -> JsonObject:
    return message | {"tool_calls": [message["tool_calls"][0] | changes]}


@pytest.mark.parametrize(
    ("change", "message_of_error"),
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
async def test_a_changed_echo_is_refused(
    http: AsyncClient, url: str, change: Callable[[JsonObject], JsonObject], message_of_error: str
) -> None:
    message = without(await reply_message(http, url, request()), "annotations")
    error = await refusal(http, url, request(change(message), result()))
    assert error["message"] == message_of_error


async def test_the_reasoning_of_a_text_reply_is_checked(http: AsyncClient, url: str) -> None:
    message = await reply_message(http, url, request())
    last = await reply_message(http, url, request(message, result()))
    error = await refusal(http, url, request(message, result(), without(last, "reasoning_content"), USER))
    assert "reasoning_content is missing in assistant tool call message at index 4" in error["message"]


async def test_an_echo_may_match_either_of_two_conversations(http: AsyncClient) -> None:
    def script(body: JsonObject) -> ScriptedReply:
        thought = body["messages"][0]["content"]
        return calls(("get_health", {"service": "checkout"}), reasoning=thought)

    async with ScriptedModel(script).serve() as url:
        one, other = request(), request()
        other["messages"] = [{"role": "user", "content": "Other thoughts."}]
        first, second = await reply_message(http, url, one), await reply_message(http, url, other)
        assert first["reasoning_content"] != second["reasoning_content"]
        for message in (first, second):
            assert (await post_request(http, url, request(message, result()))).status_code == 200
        assert (
            await post_request(http, url, request(without(first, "reasoning_content"), result()))
        ).status_code == 400


@pytest.mark.parametrize("arguments", ["", "{", '"{\\"service\\":\\"checkout\\"}"'])
async def test_invalid_arguments_may_be_repaired(http: AsyncClient, arguments: str) -> None:
    async with ScriptedModel([calls(("get_health", arguments)), says("done")]).serve() as url:
        message = await reply_message(http, url, request())
        repaired = change_call(message, function={"name": "get_health", "arguments": "{}"})
        assert (await reply_message(http, url, request(repaired, result())))["content"] == "done"


async def test_a_malformed_message_may_be_repaired(http: AsyncClient) -> None:
    malformed = raw({"role": "assistant", "content": None, "tool_calls": [None, {"id": 7}]})
    async with ScriptedModel([malformed, says("done")]).serve() as url:
        await reply_message(http, url, request())
        assert (await reply_message(http, url, request({"role": "assistant", "content": "repaired"}, USER)))[
            "content"
        ] == "done"


def joined(*messages: JsonObject) -> str:
    return ",".join(json.dumps(message, separators=(",", ":")) for message in messages)


async def send(http: AsyncClient, url: str, messages: str, tools: str = "") -> JsonObject:
    body = f'{{"messages":[{messages}],{tools}"model":"m"}}'
    answer = await http.post(f"{url}/chat/completions", content=body.encode())
    assert answer.status_code == 200, answer.text
    message: JsonObject = answer.json()["choices"][0]["message"]
    return message


async def test_a_conversation_continues_byte_for_byte(http: AsyncClient, model: ScriptedModel, url: str) -> None:
    start = joined(USER)
    first = await send(http, url, start)
    second = await send(http, url, f"{start},{joined(first, result())}")
    await send(http, url, f"{start},{joined(first, result())}")
    await send(http, url, f"{start},{joined(first, result(), second, USER)}")
    assert model.prefix_violations() == []


@pytest.mark.parametrize(
    "changed",
    [
        '{"role":"user","content":"What is wrong with checkout? (now 13:44)"}',
        '{"content":"What is wrong with checkout?","role":"user"}',
        '{"role":"user", "content":"What is wrong with checkout?"}',
        joined(USER, USER),
    ],
    ids=["text", "order", "space", "insertion"],
)
async def test_a_changed_beginning_is_a_violation(
    http: AsyncClient, model: ScriptedModel, url: str, changed: str
) -> None:
    first = await send(http, url, joined(USER))
    await send(http, url, f"{changed},{joined(first, result())}")
    (violation,) = model.prefix_violations()
    assert "does not begin with the bytes of the request that its last reply answered" in violation


async def test_changed_tools_are_a_violation_and_missing_tools_are_not(
    http: AsyncClient, model: ScriptedModel, url: str
) -> None:
    tools = f'"tools":{json.dumps(request()["tools"])},'
    first = await send(http, url, joined(USER), tools)
    await send(http, url, joined(USER, first, result()))
    await send(http, url, joined(USER, first, result()), tools)
    assert model.prefix_violations() == []
    await send(http, url, joined(USER, first, result()), tools.replace(": ", ":"))
    assert ["offers its tools in other bytes" in violation for violation in model.prefix_violations()] == [True]
