import asyncio
import json
import time
from contextlib import suppress
from typing import Any

import pytest
from httpx2 import AsyncClient, HTTPError
from openai import (
    APIConnectionError,
    AsyncOpenAI,
    AuthenticationError,
    BadRequestError,
    DefaultAsyncHttpxClient,
    InternalServerError,
    RateLimitError,
)

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
from watchkeeper.llm.response_body import read_body
from watchkeeper.testing import faults
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import ScriptedReply, calls, raw, says

LOOK = calls(("get_health", {"service": "checkout"}), ("get_health", {"service": "payments"}), reasoning="Both.")


def client(url: str, key: str = "k") -> AsyncOpenAI:
    return AsyncOpenAI(
        base_url=url, api_key=key, max_retries=0, http_client=DefaultAsyncHttpxClient(verify=False, trust_env=False)
    )


async def test_a_round_with_the_openai_client() -> None:
    model = ScriptedModel([LOOK, says("All is well.")], key="secret")
    body: Any = request()
    async with model.serve() as url, client(url, "secret") as openai:
        first = (await openai.chat.completions.create(**body)).choices[0]
        assert first.finish_reason == "tool_calls"
        asked = first.message.tool_calls or []
        assert [c.id for c in asked] == ["functions.get_health:0", "functions.get_health:1"]
        body["messages"] += [first.message.model_dump(exclude_none=True), *(result(c.id) for c in asked)]
        second = (await openai.chat.completions.create(**body)).choices[0]
    assert (second.finish_reason, second.message.content) == ("stop", "All is well.")
    assert model.prefix_violations() == []
    assert [r.json()["messages"][0] for r in model.requests] == [SYSTEM, SYSTEM]


async def test_ids_count_through_the_conversation(http: AsyncClient) -> None:
    model = ScriptedModel([LOOK, LOOK])
    async with model.serve() as url:
        first = await reply_message(http, url, request())
        answers = [result(c["id"]) for c in first["tool_calls"]]
        second = await reply_message(http, url, request(first, *answers))
    assert [c["id"] for c in second["tool_calls"]] == ["functions.get_health:2", "functions.get_health:3"]


async def test_the_same_question_gets_the_same_answer(http: AsyncClient) -> None:
    async with ScriptedModel([LOOK]).serve() as url, ScriptedModel([LOOK]).serve() as other:
        answers = [(await post_request(http, base, request())).json() for base in (url, url, other)]
    assert len({answer["id"] for answer in answers}) == 1
    assert answers[0]["choices"] == answers[1]["choices"] == answers[2]["choices"]


async def test_the_cache_covers_the_earlier_request(http: AsyncClient) -> None:
    model = ScriptedModel([LOOK, says("done")])
    async with model.serve() as url:
        first = (await post_request(http, url, request())).json()
        message = first["choices"][0]["message"]
        answers = [result(c["id"]) for c in message["tool_calls"]]
        second = (await post_request(http, url, request(message, *answers))).json()
        again = (await post_request(http, url, request(message, *answers))).json()
        without = request(message, *answers)
        del without["tools"]
        cold = (await post_request(http, url, without)).json()
    usage = first["usage"]
    assert usage["prompt_tokens_details"] == {"cached_tokens": 0}
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    assert usage["completion_tokens_details"]["reasoning_tokens"] == 2
    assert 0 <= usage["prompt_tokens"] - second["usage"]["prompt_tokens_details"]["cached_tokens"] <= 1
    assert second["usage"]["prompt_tokens"] > usage["prompt_tokens"]
    assert 0 <= second["usage"]["prompt_tokens"] - again["usage"]["prompt_tokens_details"]["cached_tokens"] <= 1
    assert cold["usage"]["prompt_tokens_details"]["cached_tokens"] < 10


async def test_usage_is_about_a_quarter_of_the_bytes(http: AsyncClient) -> None:
    async with ScriptedModel([says("x" * 4000)]).serve() as url:
        body: JsonObject = {"model": "m", "messages": [{"role": "user", "content": "é" * 4000}]}
        usage = (await post_request(http, url, body)).json()["usage"]
    assert usage["prompt_tokens"] == pytest.approx(2000, abs=20)
    assert usage["completion_tokens"] == pytest.approx(1000, abs=20)


async def test_every_endpoint_needs_the_key(http: AsyncClient) -> None:
    async with ScriptedModel([says("hi")], key="right").serve() as url:
        async with client(url, "wrong") as openai:
            with pytest.raises(AuthenticationError) as caught:
                await openai.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])
            assert caught.value.code == "invalid_api_key"
            with pytest.raises(AuthenticationError):
                await openai.models.list()
        async with client(url, "right") as openai:
            assert [m.id async for m in await openai.models.list()] == ["moonshotai-kimi-k2-6"]
        assert (await refusal(http, url, request(), status=401))["message"] == "Incorrect API key provided"


async def test_an_unknown_model_is_refused(http: AsyncClient) -> None:
    async with ScriptedModel([says("hi")], models=("a", "b")).serve() as url:
        assert (await reply_message(http, url, request(model="b")))["content"] == "hi"
        error = await refusal(http, url, request(model="c"), status=404)
        listed = (await http.get(f"{url}/models")).json()["data"]
    assert (error["code"], error["message"]) == (
        "model_not_found",
        "The model 'c' does not exist; this host serves: a, b",
    )
    assert [model["id"] for model in listed] == ["a", "b"]


async def test_a_conversation_longer_than_the_context_window_is_refused(http: AsyncClient) -> None:
    async with ScriptedModel([says("hi")], context_window=100).serve() as url:
        body: JsonObject = {"model": "m", "messages": [{"role": "user", "content": "x" * 1000}]}
        message = (await refusal(http, url, body))["message"]
        assert (await post_request(http, url, {"model": "m", "messages": [USER]})).status_code == 200
    assert message.startswith("Invalid request: Your request exceeded model token limit: 100 (requested: 2")


async def test_a_script_without_a_reply_is_an_error(http: AsyncClient) -> None:
    async with ScriptedModel([]).serve() as url:
        error = await refusal(http, url, request())
    assert error["code"] == "script_ended"
    assert "the script has 0 replies" in error["message"]


async def test_a_raw_message_is_sent_unchanged(http: AsyncClient) -> None:
    message = {"role": "assistant", "tool_calls": [{"function": {"name": "", "arguments": "{"}}], "content": [1]}
    async with ScriptedModel([raw(message, None, usage={"prompt_tokens": "many"})]).serve() as url:
        completion = (await post_request(http, url, request())).json()
    assert completion["choices"] == [{"index": 0, "message": message, "finish_reason": None}]
    assert completion["usage"] == {"prompt_tokens": "many"}


async def test_requests_are_recorded_byte_for_byte(http: AsyncClient) -> None:
    model = ScriptedModel([says("hi")])
    body = b'{ "model":"m",\n"messages":[ {"role":"user", "content":"\xc3\xa9 \\u00e9"} ] }'
    async with model.serve() as url:
        answer = await http.post(f"{url}/chat/completions", content=body, headers={"x-mark": "1"})
        await http.get(f"{url}/models")
    assert answer.status_code == 200
    assert answer.headers["x-trace-id"]
    (received,) = model.requests
    assert (received.body, received.headers["x-mark"]) == (body, "1")


async def test_an_answer_takes_the_pace() -> None:
    model = ScriptedModel([says("hi")], pace=0.3)
    async with model.serve() as url, client(url) as openai:
        started = time.perf_counter()
        ask_once = openai.chat.completions.create
        await asyncio.gather(*(ask_once(model="m", messages=[{"role": "user", "content": "x"}]) for _ in range(3)))
    assert 0.3 <= time.perf_counter() - started < 0.85


async def test_faults_come_before_the_script_and_do_not_advance_it() -> None:
    model = ScriptedModel([says("hi")])
    html = faults.raw_body(b"<html>busy</html>", "text/html")
    lost = [faults.drop_connection(), faults.lose_reply()]
    model.faults.extend([faults.fault(429, {"error": {"message": "slow"}}, {"retry-after": "1"}), html, *lost])
    model.fail_next(500, "oops")
    async with model.serve() as url, client(url) as openai:

        async def once() -> Any:
            return await openai.chat.completions.create(model="m", messages=[{"role": "user", "content": "x"}])

        with pytest.raises(RateLimitError) as limited:
            await once()
        assert limited.value.response.headers["retry-after"] == "1"
        assert await once() == "<html>busy</html>"
        for _ in lost:
            with pytest.raises(APIConnectionError):
                await once()
        with pytest.raises(InternalServerError):
            await once()
        assert (await once()).choices[0].message.content == "hi"
    assert len(model.requests) == 6


async def test_only_posts_are_answered(http: AsyncClient) -> None:
    async with ScriptedModel([says("hi")]).serve() as url:
        assert (await http.get(f"{url}/chat/completions")).status_code == 405
        assert (await http.post(f"{url}/responses")).status_code == 404


async def test_a_refusal_reaches_the_openai_client() -> None:
    orphan: Any = [USER, result()]
    async with ScriptedModel([says("hi")]).serve() as url, client(url) as openai:
        with pytest.raises(BadRequestError, match="must directly follow the assistant message") as caught:
            await openai.chat.completions.create(model="m", messages=orphan)
    assert caught.value.param == "messages[1].tool_call_id"


async def test_a_restarted_host_continues_the_conversation(http: AsyncClient) -> None:
    script = [LOOK, says("done")]
    conversation = (assistant(call("functions.get_health:0"), call("functions.get_health:1")),)
    answers = [result("functions.get_health:0"), result("functions.get_health:1")]
    restarted = ScriptedModel(script)
    async with restarted.serve() as url:
        assert (await reply_message(http, url, request(*conversation, *answers)))["content"] == "done"
    assert restarted.prefix_violations() == []


STREAMED = [
    LOOK,
    says("All is well, says café 😀.", reasoning_content="Hm."),
    says(" \n", finish_reason="length"),
    calls(("get_health", '{"service"'), content="Look:"),
    raw({"content": None, "tool_calls": [None, "x", {"id": 7}]}, None),
    raw({"role": "assistant", "content": [{"type": "text", "text": "a"}], "tool_calls": {}}),
]


@pytest.mark.parametrize("reply", STREAMED)
async def test_a_streamed_answer_is_the_same_answer(http: AsyncClient, reply: ScriptedReply) -> None:
    async with ScriptedModel(lambda _: reply).serve() as url:
        whole = (await post_request(http, url, request())).json()
        streamed = await post_request(http, url, request(stream=True, stream_options={"include_usage": True}))
        without = await post_request(http, url, request(stream=True))
    assert streamed.headers["content-type"].startswith("text/event-stream")
    assert streamed.text.endswith("data: [DONE]\n\n")
    assert (streamed.text.count('"total_tokens"'), without.text.count('"usage"')) == (1, 0)
    assembled = json.loads(await read_body(streamed, idle=5))
    assert assembled["choices"][0]["finish_reason"] == whole["choices"][0]["finish_reason"]
    for message in (assembled["choices"][0]["message"], whole["choices"][0]["message"]):
        message["tool_calls"] = [call for call in message.get("tool_calls") or () if isinstance(call, dict)]
    if reply.exact_echo:
        assert {"content": None} | assembled["choices"][0]["message"] == whole["choices"][0]["message"]
        assert assembled["usage"]["completion_tokens"] == whole["usage"]["completion_tokens"]


async def test_a_stream_with_the_openai_client() -> None:
    body: Any = request(stream=True, stream_options={"include_usage": True})
    async with ScriptedModel([LOOK]).serve() as url, client(url) as openai:
        chunks = [chunk async for chunk in await openai.chat.completions.create(**body)]
    deltas = [chunk.choices[0].delta for chunk in chunks if chunk.choices]
    parts = [part for delta in deltas for part in delta.tool_calls or ()]
    arguments = ["".join(p.function.arguments or "" for p in parts if p.function and p.index == n) for n in (0, 1)]
    assert [p.id for p in parts if p.id] == ["functions.get_health:0", "functions.get_health:1"]
    assert [json.loads(text) for text in arguments] == [{"service": "checkout"}, {"service": "payments"}]
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.prompt_tokens > 0


async def test_a_slow_model_streams_slowly(http: AsyncClient) -> None:
    async with ScriptedModel([says("one two three four")], pace=0.4).serve() as url:
        started = time.perf_counter()
        async with http.stream("POST", f"{url}/chat/completions", json=request(stream=True)) as answer:
            arrivals = [time.perf_counter() - started async for _ in answer.aiter_bytes()]
    assert arrivals[0] < 0.3
    assert arrivals[-1] >= 0.35


async def stream_of(http: AsyncClient, fault: faults.Fault) -> str:
    model = ScriptedModel([says("one two three")])
    model.faults.append(fault)
    received = ""
    async with (
        model.serve() as url,
        http.stream("POST", f"{url}/chat/completions", json=request(stream=True), timeout=0.5) as answer,
    ):
        with suppress(HTTPError):
            async for text in answer.aiter_text():
                received += text
    return received


@pytest.mark.parametrize("fault", [faults.cut_stream(3), faults.cut_stream(3, reset=True), faults.pause_stream(3)])
async def test_a_stream_that_breaks_off(http: AsyncClient, fault: faults.Fault) -> None:
    received = await stream_of(http, fault)
    assert ("two" in received, "three" in received, "[DONE]" in received) == (True, False, False)


async def test_a_stream_with_garbage_in_it(http: AsyncClient) -> None:
    received = await stream_of(http, faults.garble_stream(2, b"data: ?\n\n"))
    assert ("one" in received, "two" in received, "data: ?" in received, "three" in received) == (
        True,
        False,
        True,
        True,
    )


async def test_a_pause_ends(http: AsyncClient) -> None:
    assert "[DONE]" in await stream_of(http, faults.pause_stream(3, 0.1))
