"""Responses of any size, encoding and speed, over real sockets."""

from __future__ import annotations

import asyncio
import gzip
import time
import tracemalloc
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack

import httpx2
import pytest
from starlette.applications import Starlette

from watchkeeper.http.limited_client import (
    ERROR_BYTES,
    LARGE_BYTES,
    RESPONSE_BYTES,
    STREAM_BYTES,
    LimitedClient,
    ResponseTooLarge,
    ResponseTooSlow,
)
from watchkeeper.testing.asgi_server import serve
from watchkeeper.testing.fake_server import FakeServer
from watchkeeper.testing.faults import drip, hang, raw_body, redirect

TYPE = "application/json"
GZIP = {"content-encoding": "gzip"}
LIMIT = 200_000
SIZES = [0, 1, LIMIT - 1, LIMIT]
BOMB = gzip.compress(b" " * 64_000_000)
"""64 kB that become 64 MB."""


class Host(FakeServer):
    url: str


@pytest.fixture
async def host() -> AsyncIterator[Host]:
    host = Host(Starlette())
    async with serve(host) as url:
        host.url = url
        yield host


@pytest.fixture
async def http() -> AsyncIterator[LimitedClient]:
    async with LimitedClient(timeout=5, max_bytes=LIMIT) as http:
        yield http


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("encoding", ["", "identity", "gzip", "GZIP", "x-gzip"])
async def test_a_body_up_to_the_limit_is_whole(host: Host, http: LimitedClient, size: int, encoding: str) -> None:
    content = bytes(n % 251 for n in range(size))
    zipped = "gzip" in encoding.lower()
    headers = {"content-encoding": encoding} if encoding else {}
    host.faults.append(raw_body(gzip.compress(content) if zipped else content, TYPE, headers=headers))
    answer = await http.get(host.url)
    assert answer.content == content
    assert host.requests[0].headers["accept-encoding"] == "gzip"


async def test_a_gzip_may_have_several_members(host: Host, http: LimitedClient) -> None:
    host.faults.append(raw_body(gzip.compress(b"one, ") + gzip.compress(b"two"), TYPE, headers=GZIP))
    assert (await http.get(host.url)).content == b"one, two"


TOO_LARGE: dict[str, tuple[bytes, Mapping[str, str]]] = {
    "by one byte": (b" " * (LIMIT + 1), {}),
    "by far": (b" " * 3_000_000, {}),
    "gzip by one byte": (gzip.compress(b" " * (LIMIT + 1)), GZIP),
    "bomb": (BOMB, GZIP),
    "bomb in the second member": (gzip.compress(b"{") + BOMB, GZIP),
}


@pytest.mark.parametrize("kind", TOO_LARGE)
async def test_a_larger_body_is_refused(host: Host, http: LimitedClient, kind: str) -> None:
    body, headers = TOO_LARGE[kind]
    host.faults.append(raw_body(body, TYPE, headers=headers))
    with pytest.raises(ResponseTooLarge, match=r"larger than 200,000 bytes"):
        await http.get(host.url)


@pytest.mark.parametrize("status", [302, 400, 404, 429, 500, 503])
@pytest.mark.parametrize("kind", TOO_LARGE)
async def test_of_a_larger_error_the_beginning_is_read(host: Host, http: LimitedClient, kind: str, status: int) -> None:
    body, headers = TOO_LARGE[kind]
    host.faults.append(raw_body(body, TYPE, status, headers))
    answer = await http.get(host.url)
    assert (answer.status_code, len(answer.content)) == (status, ERROR_BYTES)


async def test_a_bomb_takes_little_memory(host: Host) -> None:
    host.faults.append(raw_body(BOMB, TYPE, headers=GZIP))
    async with LimitedClient(timeout=5) as http:
        tracemalloc.start()
        try:
            with pytest.raises(ResponseTooLarge):
                await http.get(host.url)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
    assert peak < RESPONSE_BYTES + 6 * LARGE_BYTES


@pytest.mark.parametrize(
    ("body", "encoding"),
    [(b"{}", "br"), (b"{}", "gzip, gzip"), (b"{}", "gzip"), (gzip.compress(b"{}", mtime=0)[:-9], "gzip")],
)
async def test_what_cannot_be_decoded_is_an_error(host: Host, http: LimitedClient, body: bytes, encoding: str) -> None:
    host.faults.append(raw_body(body, TYPE, headers={"content-encoding": encoding}))
    with pytest.raises(httpx2.DecodingError):
        await http.get(host.url)


@pytest.mark.parametrize("trouble", [drip(b" " * 100, 0.05), hang(30)], ids=["drip", "hang"])
async def test_a_response_has_a_time_limit(host: Host, trouble: object) -> None:
    host.outage = trouble  # type: ignore[assignment]
    async with LimitedClient(timeout=60, seconds=0.4) as http:
        started = time.monotonic()
        with pytest.raises(ResponseTooSlow):
            await http.get(host.url)
        with pytest.raises(ResponseTooSlow):
            async with http.stream("GET", host.url) as answer:
                await answer.aread()
        assert time.monotonic() - started < 5


async def test_a_redirect_is_not_followed(host: Host, http: LimitedClient) -> None:
    host.faults.append(redirect(f"{host.url}/elsewhere"))
    assert (await http.get(host.url)).status_code == 301
    assert len(host.requests) == 1


async def test_an_event_stream_may_be_larger_if_it_is_read_in_parts(host: Host, http: LimitedClient) -> None:
    host.outage = raw_body(b"data: x\n\n" * 100_000, "Text/Event-Stream; charset=utf-8")
    async with http.stream("GET", host.url) as answer:
        assert sum([len(part) async for part in answer.aiter_bytes()]) == 900_000
    with pytest.raises(ResponseTooLarge):
        await http.get(host.url)
    host.outage = raw_body(b"data: x\n\n" * 100_000, "text/event-stream", 503)
    async with http.stream("GET", host.url) as answer:
        assert len(await answer.aread()) == ERROR_BYTES
    host.outage = raw_body(gzip.compress(b" " * (STREAM_BYTES + 1)), "text/event-stream", headers=GZIP)
    with pytest.raises(ResponseTooLarge, match=f"larger than {STREAM_BYTES:,} bytes"):
        async with http.stream("GET", host.url) as answer:
            async for _part in answer.aiter_bytes():
                pass


async def test_many_event_streams_are_read_at_once(host: Host) -> None:
    host.outage = raw_body(b"data: x\n\n" * LARGE_BYTES, "text/event-stream")
    async with LimitedClient(timeout=20) as http, AsyncExitStack() as opened:
        answers = [await opened.enter_async_context(http.stream("GET", host.url)) for _ in range(4)]
        bodies = [answer.aiter_bytes() for answer in answers]
        received = 0
        while received <= LARGE_BYTES:  # none of them is read to its end
            received += min([len(await anext(body)) for body in bodies])
        for body in bodies:
            await body.aclose()


async def test_many_large_bodies_arrive_one_after_the_other(host: Host) -> None:
    host.outage = raw_body(b" " * 3 * LARGE_BYTES, TYPE)
    async with LimitedClient(timeout=20) as http:
        answers = await asyncio.gather(*(http.get(host.url) for _ in range(6)))
        assert {len(answer.content) for answer in answers} == {3 * LARGE_BYTES}
        # A body that is left early, or is too large, frees its place.
        for _ in range(4):
            async with http.stream("GET", host.url) as answer:
                async for _part in answer.aiter_bytes():
                    break
        host.outage = raw_body(b" " * (RESPONSE_BYTES + 1), TYPE)
        for _ in range(4):
            with pytest.raises(ResponseTooLarge):
                await http.get(host.url)
