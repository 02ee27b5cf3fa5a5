"""Limits of request bodies in size and time, whatever their headers announce."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import suppress

import pytest
from temporalio.client import Client

from tests.support.alert_requests import payload
from tests.support.intake_harness import TOKEN, Dispatcher, bearer, running_intake
from tests.support.raw_http import connection, exchange, head, request
from tests.unit.intake.test_alerts import STARTED
from watchkeeper.alerts.source import MAX_BODY_BYTES
from watchkeeper.intake.server import REQUEST_SECONDS

FIRING = payload("alertmanager-firing")


async def test_a_body_of_the_maximum_size_is_read_and_a_larger_one_is_not(client: Client) -> None:
    dispatcher = Dispatcher([STARTED])
    async with running_intake(client, dispatcher.dispatch) as http:
        fits = await http.post("/alerts/open", content=FIRING + b" " * (MAX_BODY_BYTES - len(FIRING)))
        over = await http.post("/alerts/open", content=FIRING + b" " * (MAX_BODY_BYTES - len(FIRING) + 1))
        metrics = (await http.get("/metrics")).text
    assert (fits.status_code, over.status_code) == (200, 413)
    assert "262,144 bytes" in over.json()["error"]
    assert len(dispatcher.received) == 1
    assert 'watchkeeper_intake_requests_total{code="413",source="open"} 1.0' in metrics


async def test_a_too_large_body_is_discarded_so_that_its_sender_sees_the_response(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answers = await asyncio.gather(*(http.post("/alerts/open", content=b"x" * 3_000_000) for _ in range(5)))
    assert [answer.status_code for answer in answers] == [413] * 5


async def test_a_body_without_a_content_length_is_limited_too(client: Client) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(40):
            yield b"x" * 10_000

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
    assert (answer.status_code, len(dispatcher.received)) == (200, 1)


async def test_the_runs_api_has_the_same_limit(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        answer = await http.post("/runs", json={"text": "x" * MAX_BODY_BYTES}, headers=bearer(TOKEN))
    assert answer.status_code == 413


@pytest.mark.slow
async def test_a_connection_without_a_request_is_closed(client: Client) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http:
        async with connection(http) as (silent, _), connection(http) as (slow, writer):
            writer.write(b"POST /alerts/open HTTP/1.1\r\nHost:")
            async with asyncio.timeout(REQUEST_SECONDS + 5):
                assert await silent.read() == await slow.read() == b""
        assert (await http.get("/healthz")).status_code == 200
