"""Faults of a model host over real sockets: the client always returns a ``ModelResponse`` or raises ``ModelError``."""

from __future__ import annotations

import asyncio
import gzip
import json
import socket
import time
from collections.abc import AsyncIterator, Mapping
from typing import Any

import pytest
import pytest_asyncio
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from watchkeeper.config.settings import ModelProfile
from watchkeeper.http.limited_client import RESPONSE_BYTES
from watchkeeper.llm.client import ModelClient, ModelResponse
from watchkeeper.llm.completion import read_completion
from watchkeeper.llm.errors import LONGEST_REQUESTED_DELAY, ModelError, ModelErrorReason
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.fake_server import FakeServer as Host
from watchkeeper.testing.faults import (
    Fault,
    drip,
    drop_connection,
    fault,
    hang,
    lose_reply,
    raw_body,
    raw_response,
    redirect,
    truncated,
)

pytestmark = pytest.mark.asyncio(loop_scope="module")

KEY = "sk-slash/and+plus/0123456789"
BODY = b'{"messages":[]}'
SAID: dict[str, Any] = {"choices": [{"message": {"role": "assistant", "content": "Fine."}}]}
JSON = "application/json"
DEADLINE = 5.0


class Served(Host):
    """A host that gives the same response to every request, unless a fault is set."""

    url: str

    def __init__(self) -> None:
        super().__init__(Starlette(routes=[Route("/{path:path}", lambda _: JSONResponse(SAID), methods=["POST"])]))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def hosts() -> AsyncIterator[tuple[Served, ModelClient]]:
    """A host and its client, shared by the tests of the module."""
    host = Served()
    async with serve(host) as host.url:
        client = endpoint(host.url)
        yield host, client
        await client.close()


@pytest.fixture
def host(hosts: tuple[Served, ModelClient]) -> Served:
    host = hosts[0]
    host.requests.clear()
    host.faults.clear()
    return host


@pytest.fixture
def client(hosts: tuple[Served, ModelClient]) -> ModelClient:
    return hosts[1]


def endpoint(url: str, deadline: float = DEADLINE, key: str = KEY) -> ModelClient:
    return ModelClient(
        ModelProfile.model_validate({"base_url": url, "name": "m", "api_key": key, "deadline": deadline})
    )


async def refusal(client: ModelClient) -> ModelError:
    """Return the ModelError of a call that must fail."""
    with pytest.raises(ModelError) as failed:
        await client.complete(BODY)
    return failed.value


def read(completion: ModelResponse) -> str:
    return read_completion(completion.body, tools={}, tools_allowed=True, prompt_bytes=1).text


async def test_a_request_is_sent_unchanged(host: Served, client: ModelClient) -> None:
    host.faults.append(raw_body(json.dumps(SAID).encode(), JSON, headers={"x-trace-id": "t-1"}))
    completion = await client.complete(b'{ "messages" : [] }')
    (request,) = host.requests
    assert (request.method, request.path, request.body) == ("POST", "/chat/completions", b'{ "messages" : [] }')
    assert (request.headers["content-type"], request.headers["authorization"]) == (JSON, f"Bearer {KEY}")
    assert (read(completion), completion.trace_id) == ("Fine.", "t-1")


async def test_a_base_url_with_a_path(host: Served) -> None:
    client = endpoint(f"{host.url}/openai/v1/")
    await client.complete(BODY)
    await client.close()
    assert host.requests[0].path == "/openai/v1/chat/completions"


BROKEN: dict[str, Fault] = {
    "reset": drop_connection(),
    "reset after acting": lose_reply(),
    "closed without a word": raw_response(b""),
    "half a status line": raw_response(b"HTTP/1.1 2"),
    "no http": raw_response(b"220 mail.example ESMTP\r\n\r\n"),
    "http 2 unasked": raw_response(b"\x00\x00\x12\x04\x00\x00\x00\x00\x00" + b"\x00" * 18),
    "truncated body": truncated(b'{"choices":[{"mess'),
    "broken chunks": raw_response(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n{}\r\n"),
    "missing last chunk": raw_response(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n"),
    "broken length": raw_response(b"HTTP/1.1 200 OK\r\ncontent-length: many\r\n\r\n{}"),
    "two lengths": raw_response(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}"),
    "header without end": raw_response(b"HTTP/1.1 200 OK\r\nx: " + b"y" * 200_000),
    "bad gzip": raw_body(b"no gzip", JSON, headers={"content-encoding": "gzip"}),
    "gzip that ends in garbage": raw_body(
        gzip.compress(b"{}" * 900)[:-9] + b"\xff" * 9, JSON, headers={"content-encoding": "gzip"}
    ),
    "an encoding nobody asked for": raw_body(b"\x0b\x02\x80{}\x03", JSON, headers={"content-encoding": "br"}),
}


@pytest.mark.parametrize("trouble", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_transport_is_an_outage(host: Served, client: ModelClient, trouble: Fault) -> None:
    host.faults.append(trouble)
    error = await refusal(client)
    assert (error.reason, error.retryable, error.delay) == ("unavailable", True, None)
    assert str(error).startswith(f"no answer from {host.url}: ")
    assert len(host.requests) == 1
    assert read(await client.complete(BODY)) == "Fine."  # the next call is not harmed


NO_COMPLETIONS: dict[str, Fault] = {
    "a page": raw_body(b"<html><title>Welcome</title></html>", "text/html"),
    "nothing": raw_body(b"", JSON),
    "204": fault(204),
    "null": raw_body(b"null", JSON),
    "events": raw_body(b'data: {"choices":[]}\n\ndata: [DONE]\n\n', "text/event-stream"),
    "no utf-8": raw_body(b"\xff\xfe\x00", JSON),
    "a charset that is none": raw_body(b"[]", "application/json; charset=hex"),
    "half of the json": raw_body(b'{"choices":[{"message":{"content":"F', JSON),
    "an empty gzip": raw_body(b"", JSON, headers={"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("trouble", NO_COMPLETIONS.values(), ids=NO_COMPLETIONS.keys())
async def test_a_successful_response_without_a_completion_is_retryable(
    host: Served, client: ModelClient, trouble: Fault
) -> None:
    host.faults.append(trouble)
    completion = await client.complete(BODY)
    with pytest.raises(ModelError) as failed:
        read(completion)
    assert (failed.value.reason, failed.value.retryable) == ("malformed", True)


@pytest.mark.parametrize("encoding", ["gzip", "GZIP", "identity"])
async def test_a_compressed_completion_is_read(host: Served, client: ModelClient, encoding: str) -> None:
    content = json.dumps(SAID).encode()
    body = content if encoding == "identity" else gzip.compress(content)
    host.faults.append(raw_body(body, JSON, headers={"content-encoding": encoding}))
    assert read(await client.complete(BODY)) == "Fine."
    assert host.requests[0].headers["accept-encoding"] == "gzip"


@pytest.mark.parametrize("status", [400, 401, 404, 408, 409, 429, 500, 503, 529])
@pytest.mark.parametrize("content_type", [JSON, "text/html; charset=hex", "text/plain; charset=idna", ""])
async def test_a_refusal_is_not_retried(host: Served, client: ModelClient, status: int, content_type: str) -> None:
    headers = {"x-should-retry": "true", "retry-after-ms": "1", "content-type": content_type}
    host.faults.append(raw_body(b'{"error":{"message":"no \xff"}}', content_type, status, headers))
    assert (await refusal(client)).status == status
    assert len(host.requests) == 1


@pytest.mark.parametrize(
    ("trouble", "reason"),
    [
        (raw_response(b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"), "unavailable"),
        (raw_response(b"HTTP/1.1 304 Not Modified\r\n\r\n"), "refused"),
        (raw_response(b"HTTP/1.1 999 Denied\r\ncontent-length: 0\r\n\r\n"), "unavailable"),
        (raw_response(b"HTTP/1.0 500\r\n\r\n\x00\xff"), "unavailable"),
    ],
    ids=["101", "304", "999", "no reason"],
)
async def test_unusual_statuses(host: Served, client: ModelClient, trouble: Fault, reason: ModelErrorReason) -> None:
    host.faults.append(trouble)
    assert (await refusal(client)).reason == reason


async def test_informational_responses_are_skipped(host: Served, client: ModelClient) -> None:
    content = json.dumps(SAID).encode()
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n" * 20
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {JSON}\r\ncontent-length: {len(content)}\r\n\r\n".encode()
    host.faults.append(raw_response(early + head + content))
    assert read(await client.complete(BODY)) == "Fine."


async def test_the_delay_a_host_asks_for_is_capped(host: Served, client: ModelClient) -> None:
    host.fail_next(429, headers={"retry-after": "864000"})
    assert (await refusal(client)).delay == LONGEST_REQUESTED_DELAY


async def test_a_closed_port_is_an_outage() -> None:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
    client = endpoint(url)
    error = await refusal(client)
    await client.close()
    assert error.reason == "unavailable"
    assert url in str(error)


async def test_a_server_without_tls_is_an_outage(host: Served) -> None:
    client = endpoint(host.url.replace("http:", "https:"))
    error = await refusal(client)
    await client.close()
    assert (error.reason, error.retryable) == ("unavailable", True)


@pytest.mark.parametrize(
    "trouble",
    [
        hang(30),
        drip(json.dumps(SAID).encode(), 0.1),
        drip(b" " * 10_000, 0.001),
    ],
    ids=["hang", "drip", "fast drip"],
)
async def test_the_deadline_covers_the_whole_response(host: Served, trouble: Fault) -> None:
    client = endpoint(host.url, deadline=0.4)
    host.faults.append(trouble)
    started = time.monotonic()
    error = await refusal(client)
    assert 0.3 < time.monotonic() - started < 1.5
    assert (error.reason, str(error)) == ("unavailable", f"no whole answer from {host.url} in 0.4 seconds")
    assert read(await client.complete(BODY)) == "Fine."
    await client.close()


async def test_a_cancelled_call_is_cancelled(host: Served, client: ModelClient) -> None:
    host.faults.append(hang(30))
    call = asyncio.create_task(client.complete(BODY))
    while not host.requests:
        await asyncio.sleep(0.01)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_a_redirect_is_not_followed(host: Served, client: ModelClient, status: int) -> None:
    elsewhere = Served()
    async with serve(elsewhere) as url:
        host.faults.append(redirect(f"{url}/chat/completions", status))
        error = await refusal(client)
    assert elsewhere.requests == []
    assert (error.reason, error.status) == ("refused", status)
    assert f"redirected to {url}/chat/completions" in str(error)


HUGE: dict[str, tuple[bytes, Mapping[str, str]]] = {
    "plain": (b" " * (RESPONSE_BYTES + 1), {}),
    "bomb": (gzip.compress(b" " * (RESPONSE_BYTES + 1)), {"content-encoding": "gzip"}),
}


@pytest.mark.parametrize("kind", HUGE)
async def test_a_body_over_the_limit_is_refused(host: Served, client: ModelClient, kind: str) -> None:
    body, headers = HUGE[kind]
    host.faults.append(raw_body(body, JSON, headers=headers))
    error = await refusal(client)
    assert error.reason == "unavailable"
    assert f"larger than {RESPONSE_BYTES:,} bytes" in str(error)


@pytest.mark.parametrize("kind", HUGE)
async def test_a_huge_error_is_cut(host: Served, client: ModelClient, kind: str) -> None:
    body, headers = HUGE[kind]
    host.faults.append(raw_body(body, JSON, 503, headers))
    error = await refusal(client)
    assert (error.reason, error.status) == ("unavailable", 503)


async def test_half_of_a_gzip_is_an_error(host: Served, client: ModelClient) -> None:
    half = gzip.compress(json.dumps(SAID).encode())[:-20]
    host.faults.append(raw_body(half, JSON, headers={"content-encoding": "gzip"}))
    error = await refusal(client)
    assert (error.reason, error.retryable) == ("unavailable", True)
    assert "ends too early" in str(error)


async def test_a_large_body_is_read(host: Served, client: ModelClient) -> None:
    padded = json.dumps(SAID).encode() + b" " * 4_000_000
    host.faults.append(raw_body(padded, JSON))
    assert read(await client.complete(BODY)) == "Fine."


ECHOED = {"choices": [{"message": {"role": "assistant", "content": f"Your key is {KEY}."}}]}
ESCAPED = json.dumps(ECHOED).replace("/", "\\/").encode()
INDISCREET: dict[str, Fault] = {
    "refusal": fault(401, {"error": {"message": f"Incorrect API key provided: {KEY}"}}),
    "escaped refusal": raw_body(b'{"error": "' + KEY.replace("/", "\\/").encode() + b'"}', JSON, 500),
    "page": raw_body(f"<title>Bearer {KEY}</title>".encode(), "text/html"),
    "completion": raw_body(json.dumps(ECHOED).encode(), JSON),
    "escaped completion": raw_body(ESCAPED, JSON),
    "gzipped completion": raw_body(gzip.compress(ESCAPED), JSON, headers={"content-encoding": "gzip"}),
    "trace id": raw_body(json.dumps(SAID).encode(), JSON, headers={"x-request-id": f"r-{KEY}"}),
    "location": redirect(f"https://login.example/?key={KEY}"),
    "status line": raw_response(f"Authorization: Bearer {KEY}\r\n\r\n".encode()),
    "header line": raw_response(f"HTTP/1.1 200 OK\r\n({KEY})\r\n\r\n".encode()),
    "encoding": raw_body(b"{}", JSON, headers={"content-encoding": KEY}),
}


@pytest.mark.parametrize("trouble", INDISCREET.values(), ids=INDISCREET.keys())
async def test_the_key_is_never_shown(host: Served, client: ModelClient, trouble: Fault) -> None:
    host.faults.append(trouble)
    try:
        completion = await client.complete(BODY)
        shown = f"{completion.trace_id} {read(completion)}"
    except ModelError as error:
        shown = str(error)
        assert error.__cause__ is None
    assert host.requests[0].headers["authorization"] == f"Bearer {KEY}"
    assert KEY not in shown
    assert KEY.encode() not in shown.encode("unicode_escape")


async def test_a_word_as_the_key_stays_in_replies(host: Served) -> None:
    client = endpoint(host.url, key="ollama")
    host.faults.append(raw_body(json.dumps(SAID).replace("Fine.", "The pod ollama-0 restarts.").encode(), JSON))
    try:
        assert read(await client.complete(BODY)) == "The pod ollama-0 restarts."
    finally:
        await client.close()


_bytes = st.binary(max_size=300)
_head = st.sampled_from([b"", b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 500 No\r\n", b"HTTP/1.1 307 Go\r\nlocation: "])
_header = st.sampled_from(
    [
        b"content-length: 9\r\n",
        b"transfer-encoding: chunked\r\n",
        b"content-encoding: gzip\r\n",
        b"content-encoding: deflate\r\n",
        b"content-type: text/html; charset=utf-7\r\n",
        b"content-type: text/html; charset=rot13\r\n",
        b"retry-after: nan\r\n",
        b"x-request-id: \xff\xfe\r\n",
        b"set-cookie: a=b\r\n",
    ]
)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(head=_head, headers=st.lists(_header, max_size=3), rest=_bytes, ends=st.booleans())
async def test_any_bytes_give_a_response_or_a_model_error(
    host: Served, client: ModelClient, head: bytes, headers: list[bytes], rest: bytes, ends: bool
) -> None:
    host.faults.append(raw_response(head + b"".join(headers) + (b"\r\n" if ends else b"") + rest))
    try:
        assert isinstance(await client.complete(BODY), ModelResponse)
    except ModelError as error:
        assert str(error)
