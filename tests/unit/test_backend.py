"""Faults of a vendor's API over real sockets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from httpx2 import AsyncClient, Timeout
from pydantic import BaseModel, SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from watchkeeper.backend import BODY_BYTES, Aggregate, bearer, fetch, fetch_as, send
from watchkeeper.http.limited_client import LimitedClient
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.fake_server import FakeServer
from watchkeeper.testing.faults import Fault, drop_connection, fault, hang, lose_reply, raw_body, raw_response, redirect
from watchkeeper.testing.faults import truncated as cut_short
from watchkeeper.tool import ToolError, ToolUnavailable


class Answer(BaseModel):
    number: int


async def _answer(request: Request) -> JSONResponse:
    return JSONResponse({"number": 7})


class Host(FakeServer):
    url: str


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host(Starlette(routes=[Route("/{path:path}", _answer, methods=["GET", "POST"])]))
    async with serve(host) as url:
        host.url = url
        yield host


@pytest.fixture
async def http() -> AsyncIterator[AsyncClient]:
    async with AsyncClient(timeout=Timeout(0.5)) as client:
        yield client


async def test_an_answer(host: Host, http: AsyncClient) -> None:
    assert await fetch(http, "GET", f"{host.url}/a", params={"q": "x"}, headers=bearer(SecretStr("t"))) == {"number": 7}
    assert (await fetch_as(Answer, http, "POST", f"{host.url}/a", json={})).number == 7
    assert host.requests[0].headers["authorization"] == "Bearer t"


def test_no_token_no_header() -> None:
    assert bearer(None) == bearer(SecretStr("")) == {}
    assert bearer(SecretStr("t"), "token") == {"Authorization": "token t"}


@pytest.mark.parametrize(
    "trouble",
    [
        fault(429, "slow down"),
        fault(500, "<html>oops</html>"),
        fault(503, ""),
        fault(529, {"error": "overloaded"}),
        fault(400, "again, please", {"x-should-retry": "true"}),
        drop_connection(),
        lose_reply(),
        hang(5),
        raw_response(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{"),
        raw_response(b"SSH-2.0-OpenSSH_9.6\r\n"),
        raw_response(b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 5\r\n\r\nplain"),
        raw_response(b""),
        cut_short(b'{"number": 7}'),
    ],
)
async def test_errors_that_are_retryable(host: Host, http: AsyncClient, trouble: Fault) -> None:
    host.faults.append(trouble)
    with pytest.raises(ToolUnavailable, match=rf"GET {host.url}/a") as caught:
        await fetch(http, "GET", f"{host.url}/a")
    assert caught.value.delay is None


async def test_an_answer_that_is_too_large_is_no_reason_to_ask_again(host: Host) -> None:
    host.outage = raw_body(b" " * 2_000, "application/json")
    async with LimitedClient(max_bytes=1_000) as http:
        with pytest.raises(ToolError) as caught:
            await fetch(http, "GET", f"{host.url}/a?token=s3cret")
    assert str(caught.value) == (
        f"GET {host.url}/a: the response is larger than 1,000 bytes, and was not used; "
        "ask for less: a shorter time range, a narrower filter or fewer entries"
    )


async def test_the_retry_delay_of_the_host(host: Host, http: AsyncClient) -> None:
    host.fail_next(503, "", {"retry-after": "7"})
    with pytest.raises(ToolUnavailable) as caught:
        await fetch(http, "GET", host.url)
    assert caught.value.delay == timedelta(seconds=7)


async def test_a_closed_port_is_an_outage(http: AsyncClient) -> None:
    with pytest.raises(ToolUnavailable, match="ConnectError"):
        await fetch(http, "GET", "http://127.0.0.1:1/a")


@pytest.mark.parametrize(
    ("trouble", "says"),
    [
        (fault(400, {"error": "parse error at 1:5"}), 'answered 400: {"error": "parse error at 1:5"}'),
        (fault(401, ""), "answered 401"),
        (fault(404, "Not Found"), "answered 404: Not Found"),
        (fault(500, "never", {"x-should-retry": "false"}), "answered 500: never"),
        (redirect("https://elsewhere/"), "answered 301"),
        (fault(200, "<html>Please log in</html>"), "answered no JSON: <html>Please log in"),
        (fault(200, ""), "answered no JSON"),
        (fault(204, ""), "answered no JSON"),
        (raw_body(b'{"number": "\xff"}', "application/json"), "answered no JSON"),
        (raw_body(b"[" * 200_000, "application/json"), "answered no JSON"),
    ],
)
async def test_errors_that_are_not_retryable(host: Host, http: AsyncClient, trouble: Fault, says: str) -> None:
    host.faults.append(trouble)
    with pytest.raises(ToolError) as caught:
        await fetch(http, "GET", f"{host.url}/a?token=s3cret")
    assert says in str(caught.value)
    assert "s3cret" not in str(caught.value)


async def test_a_long_refusal_is_cut(host: Host, http: AsyncClient) -> None:
    host.fail_next(400, "x" * 500_000)
    with pytest.raises(ToolError, match=r"bytes\)$") as caught:
        await fetch(http, "GET", host.url)
    assert BODY_BYTES < len(str(caught.value)) < BODY_BYTES + 200


@pytest.mark.parametrize("body", ["[]", "null", '"x"', '{"number": "many"}', "{}"])
async def test_json_with_another_schema(host: Host, http: AsyncClient, body: str) -> None:
    host.faults.append(fault(200, body))
    with pytest.raises(ToolError, match=r"answered JSON of another form: at (number|the whole): "):
        await fetch_as(Answer, http, "GET", host.url)


@pytest.mark.parametrize(
    ("url", "request_"),
    [
        ("http://[::1", {}),
        ("nowhere", {}),
        ("http:///path", {}),
        ("http://127.0.0.1:1/\udc80", {}),
        ("HOST", {"headers": {"Authorization": "Bearer s3cret\nX-Evil: 1"}}),
        ("HOST", {"headers": {"Authorization": "Bearer s3crét"}}),
    ],
)
async def test_requests_that_cannot_be_sent(host: Host, http: AsyncClient, url: str, request_: dict[str, Any]) -> None:
    with pytest.raises(ToolError, match="cannot be sent") as caught:
        await fetch(http, "GET", url.replace("HOST", host.url), **request_)
    assert "s3cr" not in str(caught.value)
    assert host.requests == []


async def test_what_receivers_refuse_is_replaced(host: Host, http: AsyncClient) -> None:
    await send(http, "POST", host.url, json={"a\x00": ["\ud800", {"b": "c\x00d"}], "n": float("nan")})
    assert host.requests[0].json() == {"a\ufffd": ["\ufffd", {"b": "c\ufffdd"}], "n": "nan"}


async def test_a_password_in_a_url_is_not_shown(host: Host, http: AsyncClient) -> None:
    host.fail_next(403, "no")
    with pytest.raises(ToolError) as caught:
        await fetch(http, "GET", host.url.replace("://", "://me:s3cret@") + "/a")
    assert str(caught.value) == f"GET {host.url}/a answered 403: no"
    assert host.requests[0].headers["authorization"].startswith("Basic ")


async def test_a_host_that_never_answers_times_out(host: Host, http: AsyncClient) -> None:
    host.outage = hang(30)
    began = time.monotonic()
    answers = await asyncio.gather(*(fetch(http, "GET", host.url) for _ in range(3)), return_exceptions=True)
    assert time.monotonic() - began < 3
    assert all(isinstance(answer, ToolUnavailable) for answer in answers)


@pytest.mark.parametrize(
    ("result", "absent", "number"),
    [
        ([], True, None),
        ([{"metric": {}, "value": [1.5, "0.182"]}], False, 0.182),
        ([{"metric": {}, "value": [1, "NaN"]}], False, None),
        ([{"metric": {}, "value": [1, "+Inf"]}], False, None),
        ([{"metric": {}, "value": [1, "0"]}], False, 0),
    ],
)
def test_the_number_of_an_aggregate(result: list[Any], absent: bool, number: float | None) -> None:
    answer = Aggregate.model_validate({"status": "success", "data": {"resultType": "vector", "result": result}})
    assert (answer.absent, answer.number) == (absent, number)
