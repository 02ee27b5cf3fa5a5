import asyncio
import logging
import signal
import time

import pytest
from httpx2 import AsyncClient, ConnectError, TransportError
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

from watchkeeper.testing.asgi_server import serve

hello = PlainTextResponse("hello")


async def test_it_listens_before_the_body_runs(http: AsyncClient) -> None:
    async with serve(hello) as url:
        assert (await http.get(url)).text == "hello"


async def test_it_leaves_signals_and_logs_alone(http: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, logger="uvicorn")
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    async with serve(hello) as url:
        await http.get(url)
        assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before
    assert [record for record in caplog.records if record.name.startswith("uvicorn")] == []


async def test_an_idle_connection_does_not_delay_the_end(http: AsyncClient) -> None:
    async with serve(hello) as url:
        await http.get(url)
        started = time.perf_counter()
    assert time.perf_counter() - started < 1
    with pytest.raises(ConnectError):
        await http.get(url)


async def test_a_request_in_progress_ends_with_the_server(http: AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    arrived = asyncio.Event()
    ended: list[str] = []

    async def slow(scope: Scope, receive: Receive, send: Send) -> None:
        arrived.set()
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("cancelled")

    async with serve(slow) as url:
        asking = asyncio.create_task(http.get(url))
        await arrived.wait()
        started = time.perf_counter()
    assert time.perf_counter() - started < 1
    assert ended == ["cancelled"]
    with pytest.raises(TransportError):
        await asking
    assert caplog.records == []


async def test_the_port_can_be_chosen_and_reused_immediately(http: AsyncClient) -> None:
    async with serve(hello) as url:
        port = int(url.rpartition(":")[2])
        await http.get(url)
        with pytest.raises(OSError, match="in use"):
            async with serve(hello, port):
                pass
    async with serve(hello, port) as again:
        assert again == url
        assert (await http.get(url)).text == "hello"


async def test_a_large_request_arrives_whole(http: AsyncClient) -> None:
    async def size(request: Request) -> Response:
        return PlainTextResponse(str(len(await request.body())))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await (await size(Request(scope, receive)))(scope, receive, send)

    async with serve(app) as url:
        assert (await http.post(url, content=b"x" * 3_000_000)).text == "3000000"
