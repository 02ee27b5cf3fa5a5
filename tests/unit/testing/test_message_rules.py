from collections.abc import AsyncIterator

import pytest
from httpx2 import AsyncClient

from tests.support.model_requests import (
    SYSTEM,
    USER,
    assistant,
    call,
    post_request,
    refusal,
    reply_message,
    request,
    result,
)
from watchkeeper.contracts import JsonObject
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import always, says

ROUND = (assistant(call()), result())


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with ScriptedModel(always(says("fine"), without_tools=says("done"))).serve() as base_url:
        yield base_url


@pytest.mark.parametrize(
    "body",
    [
        request(),
        request(*ROUND),
        request(*ROUND, assistant(call("b"), call("c")), result("c"), result("b")),
        request(*ROUND, *ROUND),
        request(*ROUND, {"role": "assistant", "content": "So."}, {"role": "user", "content": "And now?"}),
        request(assistant(call(), content="Let me look."), result()),
        request(assistant(call(), reasoning_content="", extra={"a": 1}), result()),
        request(tool_choice="auto", max_completion_tokens=10, temperature=0.2, parallel_tool_calls=True),
        request(tool_choice={"type": "function", "function": {"name": "get_health"}}),
        {"model": "kimi", "messages": [USER]},
        {"model": "kimi", "messages": [{"role": "user", "content": [{"type": "text", "text": "Hello"}]}]},
        {"messages": [SYSTEM, SYSTEM, USER], "model": "kimi", "thinking": {"type": "disabled"}},
        request({"role": "user", "content": "NUL \x00 and all else ✓ \U0001f680"}),
    ],
)
async def test_conversations_that_every_host_accepts(http: AsyncClient, url: str, body: JsonObject) -> None:
    assert (await reply_message(http, url, body))["content"] in ("fine", "done")


@pytest.mark.parametrize(
    ("messages", "message"),
    [
        ([], "Invalid 'messages': empty array"),
        ("hello", "Invalid 'messages': empty array"),
        ([USER, {"role": "robot", "content": "x"}], "Invalid value: 'robot'. Supported values are"),
        ([USER, "hello"], "Invalid value: None. Supported values are"),
        ([{"role": "user", "content": ""}], "the message at position 0 with role 'user' must not be empty"),
        ([{"role": "user", "content": " \n"}], "the message at position 0 with role 'user' must not be empty"),
        ([{"role": "user", "content": [{"type": "text", "text": ""}]}], "text content is empty"),
        ([{"role": "user", "content": [{"type": "image_url"}]}], "text content is empty"),
        ([{"role": "user", "content": "x", "mood": 1}], "property 'messages.0.mood' is unsupported for role 'user'"),
        ([USER, SYSTEM], "System message must be at the beginning"),
        ([USER, {"role": "assistant", "content": "bye"}], "Expected last role User or Tool"),
        ([USER, {"role": "assistant", "content": None}, USER], "position 1 with role 'assistant' must not be empty"),
        ([USER, {"role": "assistant", "content": ""}, USER], "position 1 with role 'assistant' must not be empty"),
        ([USER, assistant(call(), content=""), result()], "text content is empty: send null beside tool calls"),
        ([USER, assistant(), USER], "Invalid 'messages[1].tool_calls': empty array"),
        ([USER, assistant(call())], "did not have response messages: functions.get_health:0"),
        ([USER, assistant(call(), call("b")), result()], "did not have response messages: b"),
        ([USER, assistant(call()), USER, result()], "did not have response messages: functions.get_health:0"),
        ([USER, assistant(call(), call("b")), result(), USER, result("b")], "did not have response messages: b"),
        ([USER, result()], "'functions.get_health:0' is not found: messages with role 'tool' must directly follow"),
        ([USER, *ROUND, USER, result()], "'functions.get_health:0' is not found"),
        ([USER, assistant(call()), result("other")], "'other' is not found"),
        ([USER, assistant(call()), result(), result()], "Duplicate value for 'tool_call_id'"),
        ([USER, assistant(call(), call()), result()], "Duplicate tool_call id 'functions.get_health:0' in one message"),
        ([USER, assistant(call("")), result("")], "Invalid 'messages[1].tool_calls[0].id': empty string"),
        ([USER, assistant(call()), {"role": "tool", "content": "x"}], "Missing required parameter: 'messages[2]"),
        ([USER, assistant(call()), result(content="")], "position 2 with role 'tool' must not be empty"),
        ([USER, assistant(call()), result(content=[{"type": "text", "text": "x"}])], "must not be empty"),
        ([USER, assistant(call()), result() | {"name": "x"}], "property 'messages.2.name' is unsupported"),
        ([USER, assistant(call() | {"type": "custom"}), result()], "expected an object of type 'function'"),
        ([USER, assistant(call() | {"function": None}), result()], "expected an object of type 'function'"),
        ([USER, assistant(call(function={"name": "", "arguments": "{}"})), result()], "'' does not match"),
        ([USER, assistant(call(function={"name": "a.b", "arguments": "{}"})), result()], "'a.b' does not match"),
        ([USER, assistant(call(arguments={})), result()], "a string that holds a JSON object is expected, got {}"),
        ([USER, assistant(call(arguments="")), result()], "a JSON object is expected, got ''"),
        ([USER, assistant(call(arguments="[1]")), result()], "a JSON object is expected, got '[1]'"),
        ([USER, assistant(call(arguments='{"a":')), result()], "a JSON object is expected"),
        ([USER, assistant(call(arguments='{"a":NaN}')), result()], "a JSON object is expected"),
        ([USER, assistant(call(arguments="[" * 100_000)), result()], "a JSON object is expected"),
    ],
)
async def test_conversations_that_a_host_refuses(http: AsyncClient, url: str, messages: object, message: str) -> None:
    error = await refusal(http, url, {"model": "kimi", "messages": messages})
    assert message in error["message"]
    assert error["type"] == "invalid_request_error"
    assert error["param"].startswith("messages")


@pytest.mark.parametrize(
    ("changes", "param", "message"),
    [
        ({"model": ""}, "model", "you must provide a model parameter"),
        ({"model": None}, "model", "you must provide a model parameter"),
        ({"colour": "red"}, "colour", "Unrecognized request argument supplied: colour"),
        ({"stream": 1}, "stream", "boolean expected"),
        ({"stream_options": {"include_usage": True}}, "stream_options", "only allowed when 'stream' is enabled"),
        ({"stream": True, "stream_options": {"include_usage": "yes"}}, "stream_options", "Invalid"),
        ({"stream": True, "stream_options": {"include_usage": True, "more": 1}}, "stream_options", "Invalid"),
        ({"stream": True, "stream_options": None}, "stream_options", "Invalid"),
        ({"n": 2}, "n", "only 1 is allowed"),
        ({"max_tokens": 0}, "max_tokens", "integer above 0 expected, got 0"),
        ({"max_completion_tokens": "9"}, "max_completion_tokens", "integer above 0 expected, got '9'"),
        ({"max_completion_tokens": True}, "max_completion_tokens", "integer above 0 expected, got True"),
        ({"tool_choice": "always"}, "tool_choice", "Invalid 'tool_choice': \"always\""),
        ({"tool_choice": {"type": "function", "function": {}}}, "tool_choice", "Invalid 'tool_choice'"),
        (
            {"tool_choice": {"type": "function", "function": {"name": "restart"}}},
            "tool_choice",
            "Tool choice 'restart' not found in 'tools' parameter",
        ),
        ({"tools": []}, "tools", "[] is too short - 'tools'"),
        ({"tools": None}, "tools", "too short - 'tools'"),
    ],
)
async def test_parameters_that_a_host_refuses(
    http: AsyncClient, url: str, changes: JsonObject, param: str, message: str
) -> None:
    error = await refusal(http, url, request(**changes))
    assert message in error["message"]
    assert error["param"] == param


@pytest.mark.parametrize("name", ["tool_choice", "parallel_tool_calls"])
async def test_a_choice_needs_tools(http: AsyncClient, url: str, name: str) -> None:
    error = await refusal(http, url, {"model": "kimi", "messages": [USER], name: "none"})
    assert error["message"] == f"'{name}' is only allowed when 'tools' are specified"


async def test_a_missing_model_is_named(http: AsyncClient, url: str) -> None:
    assert (await refusal(http, url, {"messages": [USER]}))["param"] == "model"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'"text"',
        b'{"model":"kimi","messages":[{"role":"user","content":"\xff"}]}',
        b'{"model":"kimi","temperature":NaN,"messages":[{"role":"user","content":"x"}]}',
        rb'{"model":"kimi","messages":[{"role":"user","content":"half \ud83d"}]}',
        b'{"model":' + b"[" * 100_000,
    ],
    ids=["empty", "cut", "array", "string", "latin-1", "nan", "surrogate", "deep"],
)
async def test_bodies_that_cannot_be_parsed(http: AsyncClient, url: str, body: bytes) -> None:
    answer = await http.post(f"{url}/chat/completions", content=body)
    assert answer.status_code == 400
    assert answer.json()["error"]["message"].startswith("We could not parse the JSON body of your request")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"tool_choice": "required"}, "tool_choice 'specified' is incompatible with thinking enabled"),
        (
            {"tool_choice": {"type": "function", "function": {"name": "get_health"}}},
            "tool_choice 'specified' is incompatible with thinking enabled",
        ),
        ({"temperature": 0.2}, "invalid temperature: only 1 is allowed for this model"),
        ({"top_p": 1}, "invalid top_p: only 0.95 is allowed for this model"),
    ],
)
async def test_thinking_allows_no_forced_tool_and_no_other_sampling(
    http: AsyncClient, changes: JsonObject, message: str
) -> None:
    async with ScriptedModel(always(says("fine"), without_tools=says("done")), thinking=True).serve() as url:
        assert (await refusal(http, url, request(**changes)))["message"] == message
        assert (await post_request(http, url, request(**changes, thinking={"type": "disabled"}))).status_code == 200
        assert (await post_request(http, url, request(tool_choice="auto", temperature=1))).status_code == 200
