"""Limits of request bodies in size and time, whatever their headers announce."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, suppress

import pytest
from httpx2 import AsyncClient
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount
from starlette.types import Receive, Scope, Send
from temporalio.client import Client

from tests.support.alert_requests import payload
from tests.support.intake_harness import SENDER, TOKEN, Dispatcher, bearer, running_intake, settings
from tests.support.raw_http import connection, exchange, head, request
from tests.unit.intake.test_alerts import STARTED
from watchkeeper.alerts.source import MAX_BODY_BYTES
from watchkeeper.intake.body_limit import ROOM_SECONDS, SMALL_BYTES, BodyLimitMiddleware
from watchkeeper.intake.body_room import UNPROVEN_BYTES, BodyRoom
from watchkeeper.intake.server import serve

FIRING = payload("alertmanager-firing")


async def test_a_body_of_the_maximum_size_is_read_and_a_larger_one_is_not(client: Client) -> None:
    dispatcher = Dispatcher([STARTED])
    async with running_intake(client, dispatcher.dispatch) as http:
        fits = await http.post("/alerts/open", content=FIRING + b" " * (MAX_BODY_BYTES - len(FIRING)))
        over = await http.post("/alerts/open", content=FIRING + b" " * (MAX_BODY_BYTES - len(FIRING) + 1))
        metrics = (await http.get("/metrics")).text
    assert (fits.status_code, over.status_code) == (200, 413)
    assert "16,777,216 bytes" in over.json()["error"]
    assert len(dispatcher.received) == 1
    assert 'watchkeeper_intake_requests_total{code="413",source="open"} 1.0' in metrics


async def test_a_too_large_body_is_discarded_so_that_its_sender_sees_the_response(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answers = await asyncio.gather(*(http.post("/alerts/open", content=b"x" * 20_000_000) for _ in range(3)))
    assert [answer.status_code for answer in answers] == [413] * 3


async def test_a_body_without_a_content_length_is_limited_too(client: Client) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(20):
            yield b"x" * 1_000_000

    async with running_intake(client, Dispatcher().dispatch) as http:
        answer = await http.post("/alerts/open", content=endless())
    assert answer.status_code == 413


async def test_a_too_large_expect_100_continue_is_refused_at_once(client: Client) -> None:
    asking = request("/alerts/open", "Content-Length: 999999999", "Expect: 100-continue")
    async with running_intake(client, Dispatcher().dispatch) as http:
        answer = await exchange(http, asking)
    assert answer.startswith("HTTP/1.1 413")


async def test_a_body_shorter_than_its_content_length_times_out(client: Client) -> None:
    dispatcher = Dispatcher([STARTED])
    async with running_intake(client, dispatcher.dispatch, body_seconds=0.5) as http:
        began = time.perf_counter()
        longer = await exchange(http, request("/alerts/open", f"Content-Length: {len(FIRING) + 1}", body=FIRING))
        took = time.perf_counter() - began
        shorter = await exchange(http, request("/alerts/open", f"Content-Length: {len(FIRING) - 9}", body=FIRING))
        huge = await exchange(http, request("/alerts/open", "Content-Length: 99999999999999999999", body=FIRING))
        no_number = await exchange(http, request("/alerts/open", "Content-Length: -1", body=FIRING))
    assert longer.startswith("HTTP/1.1 408")
    assert 0.5 <= took < 2
    assert shorter.startswith("HTTP/1.1 400")
    assert huge.startswith("HTTP/1.1 408")
    assert no_number.startswith("HTTP/1.1 400")
    assert dispatcher.received == []


async def test_a_body_that_never_ends_times_out_and_closes_its_connection(client: Client) -> None:
    async with (
        running_intake(client, Dispatcher().dispatch, body_seconds=0.5) as http,
        connection(http) as (reader, writer),
    ):
        writer.write(request("/alerts/open", "Content-Length: 1000"))

        async def drip() -> None:
            while not writer.is_closing():
                writer.write(b"x")
                await asyncio.sleep(0.02)

        dripping = asyncio.create_task(drip())
        async with asyncio.timeout(5):
            answer = await head(reader)
            with suppress(ConnectionResetError):  # the server closes while the body still comes
                await reader.read()
        dripping.cancel()
        metrics = (await http.get("/metrics")).text
    assert answer.startswith("HTTP/1.1 408")
    assert "connection: close" in answer
    assert 'watchkeeper_intake_requests_total{code="408",source="open"} 1.0' in metrics


async def test_a_sender_that_disconnects_midway_leaves_nothing_behind(client: Client) -> None:
    dispatcher = Dispatcher([STARTED])
    async with running_intake(client, dispatcher.dispatch) as http:
        async with connection(http) as (_, writer):
            writer.write(request("/alerts/open", "Content-Length: 1000", body=b"{"))
            await writer.drain()
        answer = await http.post("/alerts/open", content=FIRING)
        metrics = (await http.get("/metrics")).text
    assert (answer.status_code, len(dispatcher.received)) == (200, 1)
    assert 'watchkeeper_intake_requests_total{code="499",source="open"} 1.0' in metrics
    assert 'code="500"' not in metrics


async def test_other_paths_take_smaller_bodies(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answer = await http.post("/runs", json={"text": "x" * SMALL_BYTES}, headers=bearer(TOKEN))
        unknown = await http.post("/alerts/unknown", content=b"x" * (SMALL_BYTES + 1))
    assert (answer.status_code, unknown.status_code) == (413, 404)
    assert "262,144 bytes" in answer.json()["error"]


async def test_large_bodies_wait_for_room_and_small_ones_do_not(client: Client) -> None:
    room = BodyRoom(SMALL_BYTES + 100)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await gate.wait()
        await Response(str(len(await Request(scope, receive).body())))(scope, receive, send)

    gate = asyncio.Event()
    limited = BodyLimitMiddleware(app, 3.0, ["open"], room)
    async with (
        serve(Starlette(routes=[Mount("/", limited)]), "127.0.0.1", 0) as url,
        AsyncClient(base_url=url, timeout=20) as http,
    ):
        large = [asyncio.create_task(http.post("/alerts/open", content=b"x" * (SMALL_BYTES + 1))) for _ in range(2)]
        small = asyncio.create_task(http.post("/alerts/open", content=b"x"))
        done, _ = await asyncio.wait(large, return_when=asyncio.FIRST_COMPLETED)
        (refused,) = (task.result() for task in done)
        gate.set()
        answers = [await task for task in large if task not in done] + [await small]
        again = await http.post("/alerts/open", content=b"x" * (SMALL_BYTES + 1))
    assert refused.status_code == 503
    assert [answer.text for answer in (*answers, again)] == [f"{SMALL_BYTES + 1}", "1", f"{SMALL_BYTES + 1}"]


async def test_a_large_body_without_room_is_discarded_so_that_its_sender_sees_the_response() -> None:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await Response("taken")(scope, receive, send)

    room = BodyRoom(MAX_BODY_BYTES)
    limited = BodyLimitMiddleware(app, sources=["open"], room=room)
    async with (
        room.take(MAX_BODY_BYTES),
        serve(Starlette(routes=[Mount("/", limited)]), "127.0.0.1", 0) as url,
        AsyncClient(base_url=url) as http,  # with the usual time limit of five seconds for each write
    ):
        began = time.perf_counter()
        answers = await asyncio.gather(*(http.post("/alerts/open", content=b"x" * MAX_BODY_BYTES) for _ in range(3)))
        took = time.perf_counter() - began
    assert [answer.status_code for answer in answers] == [503] * 3
    assert {answer.headers["retry-after"] for answer in answers} == {"1"}
    assert answers[0].json() == {"error": "too many large bodies at once; send it again"}
    assert took < ROOM_SECONDS + 4


async def test_a_large_body_with_a_wrong_token_is_discarded_too(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answers = await asyncio.gather(
            *(http.post("/alerts/prom", content=b"x" * 10_000_000, headers=bearer("another")) for _ in range(3))
        )
    assert [answer.status_code for answer in answers] == [401] * 3


def signed(body: bytes) -> dict[str, str]:
    return {"x-grafana-alerting-signature": hmac.new(SENDER.encode(), body, hashlib.sha256).hexdigest()}


SIGNED = {"signed": {"kind": "grafana", "secrets": [SENDER]}, "open": {"kind": "alertmanager", "unauthenticated": True}}


@pytest.mark.parametrize("size", [100_000, 2**20, MAX_BODY_BYTES - 1], ids=["small", "large", "largest"])
async def test_bodies_of_strangers_take_bounded_memory_and_keep_no_signed_body_out(client: Client, size: int) -> None:
    """The strangers send all of an unsigned body but its last byte."""
    strangers = 2 * UNPROVEN_BYTES // size
    async with AsyncExitStack() as stack:
        http = await stack.enter_async_context(
            running_intake(client, Dispatcher([STARTED]).dispatch, settings(sources=SIGNED))
        )
        readers = list[asyncio.StreamReader]()
        for _ in range(strangers):
            reader, writer = await stack.enter_async_context(connection(http))
            writer.write(request("/alerts/signed", f"Content-Length: {size + 1}", body=b"x" * size))
            await writer.drain()
            readers.append(reader)
        begun = time.perf_counter()
        answers = [
            await http.post("/alerts/signed", content=sent, headers=signed(sent))
            for sent in (FIRING, FIRING + b" " * 2**20, FIRING + b" " * 8 * 2**20)
        ]
        took = time.perf_counter() - begun
        refused = [await asyncio.wait_for(head(reader), 10) for reader in readers[: strangers // 2]]
        rest = [await asyncio.wait_for(head(reader), 20) for reader in readers[strangers // 2 :]]
    assert [answer.status_code for answer in answers] == [200] * 3, [answer.text for answer in answers]
    assert took < 3
    assert {answer.split()[1] for answer in refused} == {"503"}, "their memory was needed"
    assert all("retry-after: 1" in answer for answer in refused)
    assert {answer.split()[1] for answer in rest} <= {"503", "408"}


async def test_an_unsigned_body_takes_no_room_of_proven_senders(client: Client) -> None:
    async with (
        running_intake(client, Dispatcher([STARTED]).dispatch, settings(sources=SIGNED)) as http,
        AsyncExitStack() as stack,
    ):
        for _ in range(8):
            _, writer = await stack.enter_async_context(connection(http))
            writer.write(request("/alerts/signed", f"Content-Length: {MAX_BODY_BYTES}", body=b"x" * 1_000_000))
            await writer.drain()
        answers = await asyncio.gather(
            *(http.post("/alerts/open", content=FIRING + b" " * number * 2**20) for number in range(1, 4))
        )
    assert [answer.status_code for answer in answers] == [200] * 3


HEALTH = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"


@pytest.mark.parametrize("first", [b"", HEALTH, HEALTH + HEALTH], ids=["first", "second", "third"])
@pytest.mark.parametrize("begun", [b"", b"\r\n", b"P", b"POST /alerts/open HTTP/1.1\r\nHost:", HEALTH[:-2]], ids=repr)
async def test_a_connection_on_which_no_request_becomes_complete_is_closed(
    client: Client, first: bytes, begun: bytes
) -> None:
    limits = {"head_seconds": 1.0, "idle_seconds": 1}
    async with (
        running_intake(client, Dispatcher().dispatch, limits=limits) as http,
        connection(http) as (reader, writer),
    ):
        writer.write(first + begun)
        drip = asyncio.create_task(_drip(writer, b"x") if begun.startswith(b"P") else _drip(writer, b""))
        async with asyncio.timeout(10):
            with suppress(ConnectionResetError):  # the server closes while bytes still come
                answer = await reader.read()
                assert answer.count(b"HTTP/1.1 200 OK") == first.count(b"GET")
        drip.cancel()
        assert (await http.get("/healthz")).status_code == 200


async def _drip(writer: asyncio.StreamWriter, byte: bytes) -> None:
    while not writer.is_closing():
        writer.write(byte)
        await asyncio.sleep(0.1)
