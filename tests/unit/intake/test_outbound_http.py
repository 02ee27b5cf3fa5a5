"""HTTP requests of the intake: certificates and confirmations, within limits."""

from __future__ import annotations

import asyncio
import base64
import gzip
import json
import logging
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from httpx2 import AsyncClient, Response
from temporalio.client import Client

from tests.support.alert_requests import payload
from tests.support.intake_harness import Dispatcher, running_intake, settings
from tests.support.outside_hosts import FakeHosts, answer
from tests.unit.alerts.sources.test_cloudwatch import CERTIFICATE, SIGNED, TOPIC, certificate
from tests.unit.intake.test_alerts import STARTED
from watchkeeper.alerts.verification import VerificationError
from watchkeeper.intake.outbound_http import OutboundHttp, OutboundUnavailable

HOST = "sns.eu-west-1.amazonaws.com"
KEY = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
PEM = certificate(KEY)
CLOUDWATCH = settings(sources={"aws": {"kind": "cloudwatch", "topics": [TOPIC]}})
CONFIRMING = f"https://{HOST}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token=only-for-us"


@pytest.fixture
def hosts(tmp_path: Path) -> FakeHosts:
    return FakeHosts(HOST, tmp_path)


def signed(name: str, **members: Any) -> bytes:
    """Return an envelope that is signed now, as SNS signs."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")
    envelope = {**json.loads(payload(name)), "SignatureVersion": "2", "Timestamp": now, **members}
    lines = [f"{part}\n{envelope[part]}\n" for part in SIGNED[envelope["Type"]] if envelope.get(part) is not None]
    signature = KEY.sign("".join(lines).encode(), padding.PKCS1v15(), SHA256())
    return json.dumps({**envelope, "Signature": base64.b64encode(signature).decode()}).encode()


async def post(http: AsyncClient, body: bytes) -> Response:
    return await http.post("/alerts/aws", content=body, headers={"content-type": "text/plain; charset=UTF-8"})


async def test_an_alarm_is_verified_with_a_certificate_that_is_fetched_once(client: Client, hosts: FakeHosts) -> None:
    hosts.answers = [answer(200, PEM)]
    dispatcher = Dispatcher([STARTED])
    async with hosts.client() as out, running_intake(client, dispatcher.dispatch, CLOUDWATCH, http=out) as http:
        answers = [await post(http, signed("sns-cloudwatch-alarm")) for _ in range(3)]
    assert [done.status_code for done in answers] == [200] * 3
    assert hosts.connected == [f"{HOST}:443"]
    assert len(dispatcher.received) == 3


@pytest.mark.parametrize("status", [500, 503, 429, 408])
async def test_an_unavailable_certificate_is_answered_503(client: Client, hosts: FakeHosts, status: int) -> None:
    hosts.answers = [answer(status), answer(200, PEM)]
    async with (
        hosts.client() as out,
        running_intake(client, Dispatcher([STARTED]).dispatch, CLOUDWATCH, http=out) as http,
    ):
        first, second = [await post(http, signed("sns-cloudwatch-alarm")) for _ in range(2)]
    assert (first.status_code, first.headers["retry-after"]) == (503, "1")
    assert second.status_code == 200


async def test_an_unreachable_host_is_answered_503(client: Client) -> None:
    async with (
        AsyncClient(proxy="http://127.0.0.1:1") as out,
        running_intake(client, Dispatcher().dispatch, CLOUDWATCH, http=out) as http,
    ):
        assert (await post(http, signed("sns-cloudwatch-alarm"))).status_code == 503


async def test_a_missing_certificate_is_answered_401(client: Client, hosts: FakeHosts) -> None:
    hosts.answers = [answer(404), answer(301, b"", f"Location: {CERTIFICATE}"), answer(200, b"none")]
    async with (
        hosts.client() as out,
        running_intake(client, Dispatcher().dispatch, CLOUDWATCH, http=out) as http,
    ):
        answers = [await post(http, signed("sns-cloudwatch-alarm")) for _ in range(3)]
    assert [done.status_code for done in answers] == [401] * 3
    assert len(hosts.requested) == 3


async def test_a_slow_certificate_is_cached_for_the_next_request(client: Client, hosts: FakeHosts) -> None:
    chosen = CLOUDWATCH.model_copy(update={"intake": CLOUDWATCH.intake.model_copy(update={"patience": 0.3})})
    hosts.answers = [answer(200, PEM)]
    hosts.open.clear()
    async with (
        hosts.client() as out,
        running_intake(client, Dispatcher([STARTED]).dispatch, chosen, http=out) as http,
    ):
        early = await asyncio.gather(*(post(http, signed("sns-cloudwatch-alarm")) for _ in range(3)))
        hosts.open.set()
        async with asyncio.timeout(5):
            while (later := await post(http, signed("sns-cloudwatch-alarm"))).status_code != 200:
                await asyncio.sleep(0.05)
    assert [done.status_code for done in early] == [503] * 3
    assert later.json()["status"] == "accepted"
    assert len(hosts.requested) == 1


async def test_a_subscription_is_confirmed_and_its_url_is_never_logged(
    client: Client, hosts: FakeHosts, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, logger="watchkeeper")
    hosts.answers = [answer(200, PEM), answer(200, b"<ConfirmSubscriptionResponse/>")]
    asking = signed("sns-subscription", SubscribeURL=CONFIRMING, SigningCertURL=CERTIFICATE, TopicArn=TOPIC)
    async with (
        hosts.client() as out,
        running_intake(client, Dispatcher().dispatch, CLOUDWATCH, http=out) as http,
    ):
        done = await post(http, asking)
    assert (done.status_code, done.json()["status"]) == (200, "confirmed"), done.text
    assert hosts.requested[1] == CONFIRMING.removeprefix(f"https://{HOST}")
    messages = [record.getMessage() for record in caplog.records if record.name.startswith("watchkeeper")]
    assert any("confirmed a subscription" in line for line in messages)
    assert not any("only-for-us" in line or HOST in line for line in messages)


@pytest.mark.parametrize("trouble", [answer(500), answer(403), answer(302, b"", "Location: https://evil.example/")])
async def test_a_failed_confirmation_is_answered_503(client: Client, hosts: FakeHosts, trouble: bytes) -> None:
    hosts.answers = [answer(200, PEM), trouble]
    asking = signed("sns-subscription", SubscribeURL=CONFIRMING, SigningCertURL=CERTIFICATE, TopicArn=TOPIC)
    async with (
        hosts.client() as out,
        running_intake(client, Dispatcher().dispatch, CLOUDWATCH, http=out) as http,
    ):
        done = await post(http, asking)
    assert done.status_code == 503
    assert set(hosts.connected) == {f"{HOST}:443"}


async def test_fetches_are_small_and_over_tls(hosts: FakeHosts) -> None:
    bomb = gzip.compress(b"x" * 5_000_000)
    hosts.answers = [answer(200, b"x" * 70_000), answer(200, bomb, "Content-Encoding: gzip")]
    async with hosts.client() as http:
        outside = OutboundHttp(http)
        for _ in range(2):
            with pytest.raises(VerificationError, match="too large"):
                await outside.certificate(CERTIFICATE)
        for url in (f"http://{HOST}/a.pem", "file:///etc/passwd", "https://[", ""):
            with pytest.raises((VerificationError, OutboundUnavailable)):
                await outside.certificate(url)
        with pytest.raises(OutboundUnavailable):  # the certificate of the host is of another name
            await outside.certificate("https://other.example/a.pem")
    assert len(hosts.requested) == 2


async def test_the_certificate_cache_is_limited(hosts: FakeHosts) -> None:
    hosts.answers = [answer(200, PEM)]
    async with hosts.client() as http:
        outside = OutboundHttp(http)
        for number in range(20):
            await outside.certificate(f"https://{HOST}/{number}.pem")
        await outside.certificate(f"https://{HOST}/19.pem")
        assert len(hosts.requested) == 20
        await outside.certificate(f"https://{HOST}/0.pem")
    assert len(hosts.requested) == 21


async def test_concurrent_fetches_are_limited(hosts: FakeHosts) -> None:
    hosts.answers = [None]
    async with hosts.client() as http:
        outside = OutboundHttp(http)
        fetching = [asyncio.create_task(outside.certificate(f"https://{HOST}/{number}.pem")) for number in range(44)]
        done, _ = await asyncio.wait(fetching, timeout=1)
        refused = [task.exception() for task in done]
        assert done == set(fetching[:12])
        assert all(isinstance(error, OutboundUnavailable) for error in refused)
        last = await asyncio.gather(*fetching, return_exceptions=True)
    assert all(isinstance(error, OutboundUnavailable) for error in last)
