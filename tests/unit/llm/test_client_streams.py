"""Streams over real sockets: the client returns a whole completion or raises ``ModelError``."""

from __future__ import annotations

import json
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.applications import Starlette
from starlette.responses import StreamingResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.config.settings import ModelProfile
from watchkeeper.llm.client import ModelClient
from watchkeeper.llm.completion import read_completion
from watchkeeper.llm.errors import ModelError
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.fake_server import FakeServer
from watchkeeper.testing.faults import Fault, drip, hang, raw_body, raw_response, reset_midway
from watchkeeper.testing.streamed_reply import event, streamed

KEY = "sk-slash/and+plus/0123456789"
BODY = b'{"messages":[],"stream":true}'
TYPE = "text/event-stream"


def events(text: str, **fields: object) -> bytes:
    message = {"role": "assistant", "content": text, **fields}
    choice = {"index": 0, "message": message, "finish_reason": "stop"}
    usage = {"prompt_tokens": 9, "completion_tokens": 1}
    completion = {"id": "c", "created": 1, "model": "m", "choices": [choice], "usage": usage}
    return b"".join(streamed(completion, include_usage=True))


@asynccontextmanager
async def serving(fault: Fault, **profile: object) -> AsyncIterator[tuple[FakeServer, ModelClient]]:
    """Serve a host that answers each request like this, and open its client."""
    host = FakeServer(Starlette())
    host.outage = fault
    async with serve(host) as url:
        keys = {"base_url": url, "name": "m", "api_key": KEY, "deadline": 5, **profile}
        client = ModelClient(ModelProfile.model_validate(keys))
        try:
            yield host, client
        finally:
            await client.close()


async def text_of(client: ModelClient) -> str:
    body = (await client.complete(BODY, stream=True)).body
    return read_completion(body, tools={}, tools_allowed=True, prompt_bytes=1).text


async def refusal(client: ModelClient) -> ModelError:
    with pytest.raises(ModelError) as failed:
        await text_of(client)
    return failed.value


async def test_streams_use_one_connection() -> None:
    callers: list[object] = []

    def noting(app: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            callers.append(scope["client"])
            await raw_body(events("All is well."), TYPE)(app)(scope, receive, send)

        return answer

    async with serving(noting) as (host, client):
        assert [await text_of(client) for _ in range(3)] == ["All is well."] * 3
    assert [request.body for request in host.requests] == [BODY] * 3
    assert callers == callers[:1] * 3


async def test_the_trace_of_a_stream_is_known() -> None:
    async with serving(raw_body(events("x"), TYPE, headers={"x-request-id": "t-1"})) as (_, client):
        assert (await client.complete(BODY, stream=True)).trace_id == "t-1"


HALF = events("one two three").partition(b"three")[0]
BROKEN: dict[str, tuple[Fault, str]] = {
    "reset": (reset_midway(HALF, TYPE), "unavailable"),
    "missing last chunk": (
        raw_response(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10\r\ndata: {}\n\ndata: \r\n"),
        "unavailable",
    ),
    "half": (raw_body(HALF.rpartition(b"data")[0], TYPE), "unavailable"),
    "half of an event": (raw_body(HALF, TYPE), "malformed"),
    "garbage": (raw_body(b"data: ?\n\n", TYPE), "malformed"),
    "no part of it": (hang(30), "unavailable"),
    "too slow": (drip(b": x\n\n" * 100, 0.1, TYPE), "unavailable"),
    "stopped": (drip(b": x\n\n" * 100, 3.0, TYPE), "unavailable"),
    "bad gzip": (raw_body(b"data: x", TYPE, headers={"content-encoding": "gzip"}), "unavailable"),
    "a page": (raw_body(b"<html><title>Welcome</title></html>", "text/html"), "malformed"),
}


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_broken_stream_can_be_retried(kind: str) -> None:
    fault, reason = BROKEN[kind]
    started = time.monotonic()
    async with serving(fault, deadline=1.5, stream_idle=0.5) as (_, client):
        error = await refusal(client)
    assert (error.reason, error.retryable) == (reason, True)
    assert time.monotonic() - started < 10


INDISCREET: dict[str, bytes] = {
    "text": events(f"Your key is {KEY}."),
    "text in parts": b"".join(
        event(json.dumps({"choices": [{"delta": {"content": part}, "finish_reason": end}]}))
        for part, end in ((f"Key {KEY[:9]}", None), (KEY[9:], "stop"))
    ),
    "garbage": event(f"{{{KEY}"),
    "an error": event(json.dumps({"error": {"message": f"Incorrect API key {KEY}", "code": "invalid_api_key"}})),
    "an error event": b"event: error\n" + event(f"Incorrect API key {KEY}"),
}


@pytest.mark.parametrize("kind", INDISCREET)
async def test_the_key_is_never_shown(kind: str) -> None:
    async with serving(raw_body(INDISCREET[kind], TYPE)) as (_, client):
        try:
            shown = await text_of(client)
        except ModelError as error:
            shown = str(error)
            assert error.__cause__ is None
    assert "secret" in shown
    assert KEY not in shown


async def test_a_long_stream_takes_little_memory() -> None:
    """Each token comes with a chunk around it, so that a stream is larger than any other response may be."""
    chunk = {"choices": [{"index": 0, "delta": {"content": " word"}}], "padding": "x" * 2_000}
    part = event(json.dumps(chunk)) * 100

    async def parts() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield part
        yield event("[DONE]")

    async with serving(lambda app: StreamingResponse(parts(), media_type=TYPE), deadline=60) as (_, client):
        await client.complete(BODY, stream=True)
        tracemalloc.start()
        try:
            completion = await client.complete(BODY, stream=True)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
    assert completion.body.count(b" word") == 8_000
    assert peak < len(part) * 80
