from __future__ import annotations

import base64
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1, SHA256

from tests.support.alert_requests import assert_fit, nothing_to_fetch, only, payload, posted, read, source
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.payload import MalformedPayload
from watchkeeper.alerts.source import Source
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.alerts.verification import VerificationError
from watchkeeper.incident.firing_order import ends_firing, is_repeat

TOPIC = "arn:aws:sns:eu-west-1:1234567890:alerta-test"
CERTIFICATE = "https://sns.eu-west-1.amazonaws.com/SimpleNotificationService-6aad65c2f9911b05cd53efda11f913f9.pem"
SENT_AT = datetime(2019, 2, 15, 23, 53, 45, 134_000, UTC).timestamp()
SIGNED = {
    "Notification": ["Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"],
    "SubscriptionConfirmation": ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"],
}
Fetch = Callable[[str], Awaitable[bytes]]


def certificate(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "sns.amazonaws.com")])
    start = datetime(2019, 1, 1, tzinfo=UTC)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, start, start + timedelta(days=3_650))
    return made.sign(key, SHA256()).public_bytes(serialization.Encoding.PEM)


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


Sign = Callable[..., dict[str, Any]]


@pytest.fixture
def sign(key: rsa.RSAPrivateKey) -> Sign:
    def signed(name: str = "sns-cloudwatch-alarm", version: str = "1", **members: Any) -> dict[str, Any]:
        envelope: dict[str, Any] = {**json.loads(payload(name)), "SignatureVersion": version, **members}
        lines = [f"{part}\n{envelope[part]}\n" for part in SIGNED[envelope["Type"]] if envelope.get(part) is not None]
        algorithm = SHA1() if version == "1" else SHA256()
        signature = key.sign("".join(lines).encode(), padding.PKCS1v15(), algorithm)
        return {**envelope, "Signature": base64.b64encode(signature).decode()}

    return signed


@pytest.fixture
def fetched() -> list[str]:
    return []


@pytest.fixture
def fetch(key: rsa.RSAPrivateKey, fetched: list[str]) -> Fetch:
    pem = certificate(key)

    async def get(url: str) -> bytes:
        fetched.append(url)
        return pem

    return get


def cloudwatch(**table: Any) -> Source[Any]:
    return source("cloudwatch", topics=[TOPIC], **table)


async def refused(envelope: object, fetch: Fetch = nothing_to_fetch, now: float = SENT_AT) -> str:
    with pytest.raises(VerificationError) as caught:
        await cloudwatch().verify(posted(envelope, now), fetch)
    return str(caught.value)


@pytest.mark.parametrize("version", ["1", "2"])
async def test_a_signature(version: str, sign: Sign, fetch: Fetch, fetched: list[str]) -> None:
    configured = cloudwatch()
    for _ in range(3):
        await configured.verify(posted(sign(version=version), SENT_AT), fetch)
    assert fetched == [CERTIFICATE]


async def test_without_a_subject(sign: Sign, fetch: Fetch) -> None:
    without = sign(Subject=None)
    await cloudwatch().verify(posted(without, SENT_AT), fetch)
    del without["Subject"]
    await cloudwatch().verify(posted(without, SENT_AT), fetch)


@pytest.mark.parametrize("member", ["Message", "MessageId", "Subject", "Timestamp", "Type", "Signature"])
async def test_a_tampered_message_is_refused(member: str, sign: Sign, fetch: Fetch) -> None:
    change = {"Timestamp": "2019-02-15T23:53:46.134Z", "Type": "UnsubscribeConfirmation"}.get(member, "AAAA")
    assert "signature" in await refused({**sign(), member: change}, fetch)
    assert "signature" in await refused({**sign(), "SignatureVersion": "2"}, fetch)
    assert "signature" in await refused({**sign(), "Signature": "%"}, fetch)


async def test_the_vendors_sample_does_not_verify_with_another_key(fetch: Fetch) -> None:
    assert "signature" in await refused(json.loads(payload("sns-cloudwatch-alarm")), fetch)


@pytest.mark.parametrize(
    "url",
    [
        CERTIFICATE.replace("https", "http"),
        CERTIFICATE.replace("https://", "HTTP://"),
        CERTIFICATE.replace("sns.eu-west-1", "sns.eu-west-1.evil"),
        CERTIFICATE.replace("amazonaws.com", "amazonaws.com.evil.example"),
        CERTIFICATE.replace("amazonaws.com", "amazonaws.com:8443"),
        CERTIFICATE.replace("sns.eu-west-1", "s3"),
        CERTIFICATE.replace("https://", "https://evil.example/"),
        CERTIFICATE.replace("https://", "https://evil.example#"),
        CERTIFICATE.replace("https://", "https://evil.example\\"),
        CERTIFICATE.replace("https://", "https://user@"),
        CERTIFICATE.replace("https://", "https://127.0.0.1/?"),
        CERTIFICATE.replace("https://", "https://[::1]/"),
        CERTIFICATE.replace("https://", "https://["),
        CERTIFICATE.replace("SimpleNotificationService-", ""),
        CERTIFICATE.replace("/Simple", "/../Simple"),
        CERTIFICATE.replace(".com/", ".com/bucket/"),
        CERTIFICATE + ".html",
        CERTIFICATE + "?x",
        CERTIFICATE + "#x",
        CERTIFICATE + "\n",
        CERTIFICATE.replace("eu-west-1", "eu-wést-1"),
        "file:///etc/passwd",
        "",
    ],
)
async def test_a_certificate_from_elsewhere_is_not_fetched(url: str, sign: Sign) -> None:
    assert "was not fetched" in await refused(sign(SigningCertURL=url))


async def test_the_hosts_in_china_are_accepted(sign: Sign, fetch: Fetch) -> None:
    url = CERTIFICATE.replace("eu-west-1", "cn-north-1").replace(".com/", ".com.cn/")
    await cloudwatch().verify(posted(sign(SigningCertURL=url), SENT_AT), fetch)


async def test_an_unknown_topic_is_refused(sign: Sign) -> None:
    other = TOPIC.replace("alerta", "evil")
    assert "topic" in await refused(sign(TopicArn=other))


async def test_an_old_message_is_refused(sign: Sign, fetch: Fetch) -> None:
    await cloudwatch().verify(posted(sign(), SENT_AT + 3_599), fetch)
    assert "replay" in await refused(sign(), now=SENT_AT + 3_601)
    assert "replay" in await refused(sign(), now=SENT_AT - 3_601)
    assert "no valid timestamp" in await refused(sign(Timestamp="soon"))


async def test_an_invalid_certificate_is_refused(sign: Sign, key: rsa.RSAPrivateKey) -> None:
    configured = cloudwatch()
    other_kind = certificate(ec.generate_private_key(ec.SECP256R1()))
    for pem in (b"", b"<html>", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----", other_kind):

        async def get(url: str, pem: bytes = pem) -> bytes:
            return pem

        with pytest.raises(VerificationError):
            await configured.verify(posted(sign(), SENT_AT), get)

    async def good(url: str) -> bytes:
        return certificate(key)

    await configured.verify(posted(sign(), SENT_AT), good)


async def test_a_subscription_is_confirmed_only_at_sns(sign: Sign, fetch: Fetch) -> None:
    now = datetime(2018, 7, 8, 21, 34, tzinfo=UTC).timestamp()
    envelope = sign("sns-subscription")
    await cloudwatch().verify(posted(envelope, now), fetch)
    parsed = cloudwatch().parse(posted(envelope, now))
    assert parsed.confirm == envelope["SubscribeURL"]
    assert envelope["Token"] not in repr(parsed)
    url = envelope["SubscribeURL"]
    for elsewhere in (
        url.replace("https", "http"),
        url.replace("sns.eu-west-1.amazonaws.com", "169.254.169.254"),
        url.replace("amazonaws.com", "amazonaws.com.evil.example"),
        url.replace("ConfirmSubscription", "DeleteTopic"),
        url.replace("alerta-test", "other"),
        url + "&Action=DeleteTopic",
        "",
    ):
        assert cloudwatch().parse(posted({**envelope, "SubscribeURL": elsewhere}, now)).confirm is None
    assert source("cloudwatch", topics=[TOPIC + "2"]).parse(posted(envelope, now)).confirm is None


def alarm(**members: Any) -> dict[str, Any]:
    envelope: dict[str, Any] = json.loads(payload("sns-cloudwatch-alarm"))
    changed_message = {**json.loads(envelope["Message"]), **members}
    return {**envelope, "Message": json.dumps(changed_message)}


def test_an_alarm_fires_and_resolves() -> None:
    configured = cloudwatch()
    fired = only(read(configured, payload("sns-cloudwatch-alarm")))
    assert_fit(fired)
    assert (fired.title, fired.status, fired.severity) == ("bucketbytesAlarm", "firing", None)
    assert fired.labels["BucketName"] == "try.alerta.io"
    assert fired.starts_at == 1550274825.093
    assert reason_not_to_start(fired, configured.section) is None
    over = only(read(configured, alarm(NewStateValue="OK", StateChangeTime="2019-02-16T00:10:00.000+0000")))
    again = only(read(configured, alarm(StateChangeTime="2019-02-16T01:00:00.000+0000")))
    assert over.episode is None
    assert ends_firing(over, fired)
    assert not is_repeat(again, fired)
    assert workflow_id(over) == workflow_id(fired) == workflow_id(again)
    assert workflow_id(only(read(configured, alarm(Region="US East")))) != workflow_id(fired)
    missing = only(read(configured, alarm(NewStateValue="INSUFFICIENT_DATA")))
    assert reason_not_to_start(missing, configured.section) == "it says that data is missing"


def test_the_dimensions_of_an_alarm_of_several_metrics() -> None:
    dimensions = [[{"name": "ServiceName", "value": "checkout"}], [{"name": "ServiceName", "value": "cart"}]]
    metrics: list[object] = [{"Id": "e1", "Expression": "m1 / m2"}, {"Id": "odd", "MetricStat": None}]
    for number, held in enumerate(dimensions):
        metric = {"MetricName": f"Errors{number}", "Namespace": "AWS/ECS", "Dimensions": held}
        metrics.append({"Id": f"m{number}", "MetricStat": {"Metric": metric, "Period": 60, "Stat": "Sum"}})
    fired = only(read(cloudwatch(), alarm(Trigger={"Period": 60, "Metrics": metrics})))
    assert fired.service == "checkout"
    assert fired.labels.items() >= {("metric", "Errors0"), ("namespace", "AWS/ECS"), ("ServiceName", "checkout")}


@pytest.mark.parametrize("message", ["hello", "{}", "[1]", '{"detail": {}}', "", "\ud800"])
def test_other_messages_of_the_topic_are_ignored(message: str) -> None:
    envelope = {**json.loads(payload("sns-cloudwatch-alarm")), "Message": message}
    assert read(cloudwatch(), envelope).ignored == ["its message is no alarm"]


def test_the_end_of_a_subscription_is_ignored_with_a_reason() -> None:
    envelope = {**json.loads(payload("sns-subscription")), "Type": "UnsubscribeConfirmation"}
    assert read(cloudwatch(), envelope).ignored == ["the topic was unsubscribed"]


async def test_the_error_says_where_a_body_is_malformed() -> None:
    for sent, expected in [
        ({}, "Type: Field required"),
        ({**alarm(), "Type": "Other"}, "Type: Input should be 'Notification'"),
        (alarm(NewStateValue="WORSE"), "in Message: NewStateValue: should be one of ALARM, OK"),
        (alarm(Trigger=[]), "in Message: Trigger: Input should be"),
    ]:
        with pytest.raises(MalformedPayload) as caught:
            read(cloudwatch(), sent)
        assert expected in str(caught.value)
    with pytest.raises(MalformedPayload):
        await cloudwatch().verify(posted(b"no"), nothing_to_fetch)
