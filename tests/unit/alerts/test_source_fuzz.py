"""Any body gives valid alerts or MalformedPayload. Any request is verified or raises VerificationError."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.alert_requests import assert_fit, nothing_to_fetch, payload, posted, source
from tests.support.paths import PAYLOADS
from watchkeeper.alerts.alert_selection import MAX_ALERTS
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.payload import MalformedPayload
from watchkeeper.alerts.registry import source_kinds
from watchkeeper.alerts.sender_tables import sender_kinds
from watchkeeper.alerts.source import Source
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.alerts.verification import VerificationError
from watchkeeper.incident.firing_order import ends_firing, is_repeat

TOPIC = "arn:aws:sns:eu-west-1:1234567890:alerta-test"
SOURCES: dict[str, Source[Any]] = {
    kind: source(kind, **({"topics": [TOPIC]} if kind == "cloudwatch" else {}))
    for kind in [*source_kinds(), *sender_kinds()]
}
SOURCES["mapped"] = source("generic", alerts="alerts", firing=["firing"], fields={"title": "labels.alertname"})
SIGNED: dict[str, Source[Any]] = {
    "grafana": source("grafana", secrets=["s"], tokens=["t"]),
    "pagerduty": source("pagerduty", secrets=["s"]),
    "sentry": source("sentry", secrets=["s"]),
    "standard_webhooks": source("standard_webhooks", secrets=["c2VjcmV0"]),
    "alertmanager": source("alertmanager", tokens=["t"], username="u", passwords=["p"]),
    "cloudwatch": source("cloudwatch", topics=[TOPIC]),
    "generic": source(
        "generic",
        secrets=["s"],
        signature_header="x",
        timestamp_header="webhook-timestamp",
        signed="{timestamp}.{body}",
    ),
}
BODIES = [json.loads(payload(path.stem)) for path in sorted(PAYLOADS.glob("*.json"))]
RESOURCES = ["event_alert", "metric_alert", "issue", "installation", "", "\x00"]

texts = st.text(st.characters(exclude_categories=()), max_size=20) | st.sampled_from(
    [
        *("\x1b[2J" * 2_000, '"\\' * 5_000, "\u202e" * 400, "é" * 20_000, "\ud800", "😀" * 400),
        *("0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "2099-01-01T00:00:00Z", "1e999"),
        *("https://e.example/" + "x" * 900, "https://[", "javascript:x", "http://a@b/", "resolved", "firing", "OK"),
    ]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts | st.just(10**400)
anything = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4), max_leaves=12
)


@st.composite
def mutated(draw: st.DrawFn) -> object:
    """Replace some values of a vendor's body by arbitrary ones."""
    body = json.loads(json.dumps(draw(st.sampled_from(BODIES))))
    for _ in range(draw(st.integers(1, 4))):
        place = body
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            inner = place[key]
            if isinstance(inner, dict | list) and inner and draw(st.integers(0, 4)):
                place = inner
                continue
            if isinstance(inner, str) and inner.startswith('{"'):  # the alarm inside an envelope
                place[key] = json.dumps({**json.loads(inner), **draw(st.dictionaries(texts, anything, max_size=2))})
            else:
                place[key] = draw(anything)
            break
    return body


def taken(kind: str, body: bytes, resource: str) -> None:
    configured = SOURCES[kind]
    try:
        parsed = configured.parse(posted(body, sentry_hook_resource=resource))
    except MalformedPayload as error:
        assert 0 < len(str(error).encode()) < 2_000
        assert not any(mark in str(error) for mark in "\x00\x1b\x7f\u202e")
        return
    assert parsed.alerts or parsed.ignored or kind == "mapped"
    assert len(parsed.alerts) <= MAX_ALERTS
    for line in [*parsed.ignored, *parsed.notes]:
        assert 0 < len(line.encode()) < 300
        assert line.isprintable()
    for alert in parsed.alerts:
        assert_fit(alert)
        assert workflow_id(alert).isascii() and len(workflow_id(alert)) < 80
        assert alert.status == "resolved" or is_repeat(alert, alert)
        assert ends_firing(alert, alert.model_copy(update={"status": "firing", "ends_at": None}))
        reason_not_to_start(alert, configured.section)


@pytest.mark.parametrize("kind", SOURCES)
@given(body=mutated(), resource=st.sampled_from(RESOURCES))
@settings(max_examples=100, deadline=None)
def test_any_mutation(kind: str, body: object, resource: str) -> None:
    taken(kind, json.dumps(body).encode(), resource)


@given(kind=st.sampled_from(list(SOURCES)), body=anything, resource=st.sampled_from(RESOURCES))
@settings(max_examples=200, deadline=None)
def test_any_json(kind: str, body: object, resource: str) -> None:
    taken(kind, json.dumps(body).encode(), resource)


@given(kind=st.sampled_from(list(SOURCES)), body=st.sampled_from(BODIES), data=st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_bytes(kind: str, body: object, data: st.DataObject) -> None:
    whole = json.dumps(body).encode()
    cut = data.draw(st.integers(0, len(whole)))
    taken(kind, whole[:cut] + data.draw(st.binary(max_size=3)) + whole[cut + 1 :], "issue")


@given(kind=st.sampled_from(list(SOURCES)), body=st.binary(max_size=60))
@settings(max_examples=200, deadline=None)
def test_any_bytes(kind: str, body: bytes) -> None:
    taken(kind, body, "event_alert")


HEADERS = [
    *("authorization", "x", "x-pagerduty-signature", "sentry-hook-signature", "x-grafana-alerting-signature"),
    *("x-grafana-alerting-timestamp", "webhook-id", "webhook-timestamp", "webhook-signature"),
]


@given(
    kind=st.sampled_from(list(SIGNED)),
    headers=st.dictionaries(
        st.sampled_from(HEADERS), texts | st.sampled_from(["1795350000", "v1,x", "v1=x", "Basic x"])
    ),
    body=st.binary(max_size=60) | mutated().map(lambda body: json.dumps(body).encode()),
)
@settings(max_examples=300, deadline=None)
def test_no_unsigned_request_is_verified(kind: str, headers: dict[str, str], body: bytes) -> None:
    async def verify() -> None:
        with pytest.raises((VerificationError, MalformedPayload)):
            await SIGNED[kind].verify(posted(body, **headers), nothing_to_fetch)

    asyncio.run(verify())


@pytest.mark.parametrize("kind", SOURCES)
@pytest.mark.parametrize(
    "body",
    [
        b"[" * 200_000,
        b'{"a":' * 40_000,
        b'{"alerts":[' + b"{}," * 80_000 + b"{}]}",
        b'{"alerts":[{"labels":{' + b",".join(b'"%d":"x"' % n for n in range(20_000)) + b"}}]}",
        b'{"alerts":[{"labels":{"a":"' + b"\\u0001" * 40_000 + b'"}}]}',
        b'{"id":"' + b"\\ud800" * 40_000 + b'"}',
        b'{"id":' + b"1" * 250_000 + b"}",
        b'{"id":1e400,"startsAt":1e400}',
        b"\xff\xfe{\x00}\x00",
        b'\xef\xbb\xbf{"id": "x"}',
    ],
    ids=lambda body: repr(body[:20]),
)
def test_hostile_bodies(kind: str, body: bytes) -> None:
    taken(kind, body, "event_alert")
