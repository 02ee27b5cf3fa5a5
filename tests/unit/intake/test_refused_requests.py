"""Strangers: they keep no sender waiting, and their requests are counted, logged and answered late."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient
from temporalio.client import Client

from tests.support.alert_requests import payload
from tests.support.intake_harness import SENDER, SOURCES, TOKEN, Dispatcher, bearer, running_intake, settings
from tests.support.outside_hosts import FakeHosts, answer
from tests.support.raw_http import connection, head, request
from tests.unit.alerts.sources.test_cloudwatch import TOPIC
from tests.unit.intake.test_alerts import STARTED
from tests.unit.intake.test_outbound_http import HOST, PEM, post, signed
from watchkeeper.intake.concurrency_limit import MAX_ALERT_REQUESTS
from watchkeeper.intake.refused_requests import MAX_DELAYED

FIRING = payload("alertmanager-firing")
BOTH = settings(sources={**SOURCES, "aws": {"kind": "cloudwatch", "topics": [TOPIC]}})
STRANGERS = 2 * MAX_ALERT_REQUESTS


def forged(number: int) -> bytes:
    """Return a message of a stranger, who names a certificate that no one has."""
    url = f"https://{HOST}/SimpleNotificationService-{number:032x}.pem"
    return json.dumps({**json.loads(signed("sns-cloudwatch-alarm")), "SigningCertURL": url}).encode()


async def test_strangers_with_slow_certificates_keep_no_sender_waiting(client: Client, tmp_path: Path) -> None:
    hosts = FakeHosts(HOST, tmp_path)
    hosts.answers = [answer(200, PEM)]
    dispatcher = Dispatcher([STARTED])
    async with hosts.client() as out, running_intake(client, dispatcher.dispatch, BOTH, http=out) as http:
        assert (await post(http, signed("sns-cloudwatch-alarm"))).status_code == 200
        hosts.open.clear()
        async with AsyncClient(base_url=http.base_url, timeout=20, limits=_unlimited()) as strange:
            strangers = [asyncio.create_task(post(strange, forged(number))) for number in range(STRANGERS)]
            await asyncio.sleep(0.2)
            for _ in range(6):
                assert (await post(http, signed("sns-cloudwatch-alarm"))).status_code == 200
                sent = await http.post("/alerts/prom", content=FIRING, headers=bearer(SENDER))
                assert sent.status_code == 200
            refused = [(await stranger).status_code for stranger in strangers]
        hosts.open.set()
    assert set(refused) == {503}
    assert len(dispatcher.received) == 13


async def test_a_certificate_is_fetched_although_strangers_name_slow_ones(client: Client, tmp_path: Path) -> None:
    hosts = FakeHosts(HOST, tmp_path)
    hosts.answers = [answer(200, PEM)]
    hosts.open.clear()
    dispatcher = Dispatcher([STARTED])
    async with (
        hosts.client() as out,
        running_intake(client, dispatcher.dispatch, BOTH, http=out) as http,
        AsyncClient(base_url=http.base_url, timeout=20, limits=_unlimited()) as strange,
    ):
        strangers = [asyncio.create_task(post(strange, forged(number))) for number in range(STRANGERS)]
        await asyncio.sleep(0.2)
        hosts.open.set()
        async with asyncio.timeout(10):
            while (await post(http, signed("sns-cloudwatch-alarm"))).status_code != 200:
                await asyncio.sleep(0.05)
        await asyncio.gather(*strangers)
    assert dispatcher.received


@pytest.mark.parametrize("path", ["/alerts/prom", "/alerts/door", "/runs"])
async def test_wrong_credentials_are_refused_before_the_body_is_read(client: Client, path: str) -> None:
    async with running_intake(client, Dispatcher().dispatch) as http, connection(http) as (reader, writer):
        writer.write(request(path, "Content-Length: 100000", "Authorization: Bearer guessed", body=b"{"))
        async with asyncio.timeout(5):
            answered = await head(reader)
    assert answered.startswith("HTTP/1.1 401")
    assert "connection: close" in answered


GUESSES: Mapping[str, Mapping[str, Any]] = {
    "the source 'prom'": {"url": "/alerts/prom", "headers": bearer("guessed"), "content": FIRING},
    "the source 'door'": {"url": "/alerts/door", "headers": {"authorization": "Basic Zm9v"}, "content": FIRING},
    "the source 'signed'": {"url": "/alerts/signed", "headers": {"x-pagerduty-signature": "v1=00"}, "content": b"{}"},
    "the API": {"url": "/runs", "headers": bearer("guessed"), "content": b"{}"},
    "Slack": {"url": "/slack/interactions", "headers": {"x-slack-signature": "v0=0"}, "content": b"payload=1"},
}


@pytest.mark.parametrize("subject", GUESSES)
async def test_guesses_are_counted_logged_once_and_answered_late(
    client: Client, caplog: pytest.LogCaptureFixture, subject: str
) -> None:
    from watchkeeper.slack import interactions

    chosen = settings(slack={"signing_secret": "signing-secret"})
    guess = GUESSES[subject]
    options: dict[str, Any] = {"interactions": interactions, "refusal_delay": 0.3}
    caplog.set_level(logging.WARNING, logger="watchkeeper")
    async with running_intake(client, Dispatcher().dispatch, chosen, **options) as http:
        began = time.perf_counter()
        answers = [await http.post(**guess) for _ in range(3)]
        took = time.perf_counter() - began
        quick = await asyncio.wait_for(http.get("/runs", headers=bearer(TOKEN)), 20)
        metrics = (await http.get("/metrics")).text
    assert [done.status_code for done in answers] == [401] * 3
    assert took >= 0.9
    assert quick.status_code == 200
    (line,) = [record.getMessage() for record in caplog.records if "refused a request" in record.getMessage()]
    assert line.startswith(f"refused a request of {subject}, from 127.0.0.1: ")
    assert "guessed" not in caplog.text
    door = "/runs" if subject == "the API" else guess["url"]
    assert re.search(rf'watchkeeper_intake_refusals_total{{door="{door}"}} 3\.0', metrics)


async def test_a_delayed_guess_delays_no_one_else(client: Client) -> None:
    async with (
        running_intake(client, Dispatcher([STARTED]).dispatch, refusal_delay=30.0) as http,
        AsyncClient(base_url=http.base_url, timeout=60, limits=_unlimited()) as strange,
    ):
        guesses = [asyncio.create_task(strange.get("/runs", headers=bearer("guessed"))) for _ in range(200)]
        while sum(guess.done() for guess in guesses) < 100:  # beyond the delayed ones, at once
            await asyncio.sleep(0.01)
        sent = await http.post("/alerts/prom", content=FIRING, headers=bearer(SENDER))
        late = sum(not guess.done() for guess in guesses)
        for guess in guesses:
            guess.cancel()
        await asyncio.gather(*guesses, return_exceptions=True)
    assert (sent.status_code, late >= MAX_DELAYED) == (200, True)


def _unlimited() -> Any:
    from httpx2 import Limits

    return Limits(max_connections=None)


@pytest.mark.parametrize("path", ["/runs", "/alerts/prom"])
async def test_a_sender_whose_body_follows_its_head_reads_the_answer(client: Client, path: str) -> None:
    """A body that arrives at a closed connection resets it, and the answer would be lost."""
    async with running_intake(client, Dispatcher([]).dispatch) as http, connection(http) as (reader, writer):
        writer.write(request(path, "Content-Length: 5"))
        await writer.drain()
        await asyncio.sleep(0.2)
        writer.write(b"12345")
        await writer.drain()
        assert (await head(reader)).startswith("HTTP/1.1 401")
        assert b"error" in await reader.read()
