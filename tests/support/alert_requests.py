"""Configured alert sources, and requests as vendors send them."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.paths import PAYLOADS
from tests.support.settings import build_settings
from watchkeeper.alerts.builder import MAX_BYTES
from watchkeeper.alerts.registry import make_source
from watchkeeper.alerts.source import ParsedPayload, Source, WebhookRequest
from watchkeeper.alerts.verification import VerificationError
from watchkeeper.contracts import Alert
from watchkeeper.temporal.client import DATA_CONVERTER

NOW = 1_795_350_000.0
"""2026-11-22T12:20:00Z, an hour after the payloads."""


def source(kind: str, name: str = "prod", /, **table: Any) -> Source[Any]:
    """Configure a source like ``[sources.prod]``; unauthenticated if no secret is given."""
    if not table.keys() & {"secrets", "tokens", "passwords", "topics"}:
        table["unauthenticated"] = True
    settings = build_settings(sources={name: {"kind": kind, **table}})
    return make_source(name, settings.sources[name])


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def posted(body: bytes | object, now: float = NOW, /, **headers: str) -> WebhookRequest:
    """Return a request; ``x_header`` is X-Header."""
    sent = body if isinstance(body, bytes) else json.dumps(body).encode()
    return WebhookRequest({name.replace("_", "-"): value for name, value in headers.items()}, sent, now)


def changed(name: str, **members: object) -> bytes:
    """Return a recorded payload with changed members."""
    return json.dumps({**json.loads(payload(name)), **members}).encode()


async def nothing_to_fetch(url: str) -> bytes:
    raise AssertionError(f"{url} was fetched")


async def verify(source: Source[Any], request: WebhookRequest) -> None:
    await source.verify(request, nothing_to_fetch)


async def refused(source: Source[Any], request: WebhookRequest) -> str:
    with pytest.raises(VerificationError) as caught:
        await verify(source, request)
    return str(caught.value)


def read(source: Source[Any], body: bytes | object, **headers: str) -> ParsedPayload:
    return source.parse(posted(body, **headers))


def only(payload: ParsedPayload) -> Alert:
    (alert,) = payload.alerts
    return alert


def assert_fit(alert: Alert) -> None:
    """Check that an alert is small, clean and plausible, and survives a round trip through a Temporal payload."""
    converter = DATA_CONVERTER.payload_converter
    (recorded,) = converter.to_payloads([alert])
    assert len(recorded.data) <= MAX_BYTES
    assert converter.from_payloads([recorded], [Alert]) == [alert]
    text = recorded.data.decode().replace(r"\\", "")  # a backslash that a sender wrote escapes nothing
    assert not any(mark in text for mark in ("\x1b", "\u202e", "\\u0000", "\ufeff", "\x7f"))
    assert 0 < len(alert.title) <= 300
    assert "\n" not in alert.title
    assert alert.group and alert.fingerprint
    assert len(alert.group.encode()) <= 200
    assert len(alert.fingerprint.encode()) <= 200
    assert all(url.startswith(("http://", "https://")) for url in alert.links.values())
    for at in (alert.starts_at, alert.ends_at):
        assert at is None or 0 < at <= NOW
