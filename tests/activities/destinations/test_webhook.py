"""The outbound webhook: its signature and its frozen JSON schema."""

from __future__ import annotations

import base64
import gzip
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from activities.destinations.webhook import PostedReport
from tests.activities.conftest import NotificationHarness
from tests.activities.test_deliver import DELIVERY, Inbox, names
from tests.support.alert_requests import refused, source, verify
from tests.support.paths import DOCS
from tests.support.settings import build_settings
from watchkeeper.alerts.source import WebhookRequest
from watchkeeper.contracts import AlertOrigin, AlertState, PostedMessage
from watchkeeper.testing.faults import drip, fault, raw_body
from watchkeeper.webhook_signature import signature_headers

SCHEMA = DOCS / "report.schema.json"
SECRET = "whsec_" + base64.b64encode(b"a secret of thirty-two bytes, ok").decode()


@pytest.fixture
async def inbox() -> AsyncIterator[Inbox]:
    async with Inbox.open() as inbox:
        yield inbox


def as_posted(inbox: Inbox, **headers: str) -> WebhookRequest:
    request = inbox.requests[-1]
    return WebhookRequest({**request.headers, **headers}, request.body, time.time())


async def test_the_signature_is_valid_for_this_body_only(notifications: NotificationHarness, inbox: Inbox) -> None:
    notifications.set(reports={"webhook_url": inbox.url, "webhook_secret": SECRET})
    await notifications.deliver(DELIVERY, "webhook")
    receiver = source("standard_webhooks", secrets=[SECRET])
    posted = as_posted(inbox)
    await verify(receiver, posted)
    changed_body = posted.body.replace(b"concluded", b"stopped!!")
    for tampered in (
        WebhookRequest(posted.headers, changed_body, posted.received_at),
        as_posted(inbox, **{"webhook-id": "run-2/report"}),
        as_posted(inbox, **{"webhook-timestamp": str(int(posted.received_at) - 7)}),
        WebhookRequest(posted.headers, posted.body, posted.received_at + 3_600),
    ):
        await refused(receiver, tampered)
    other = source("standard_webhooks", secrets=["whsec_" + base64.b64encode(b"another secret").decode()])
    await refused(other, posted)


def test_the_test_vector_of_the_specification() -> None:
    secret = SecretStr("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    headers = signature_headers(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, b'{"test": 2432232314}')
    assert headers == {
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }


async def test_without_a_secret_it_is_not_signed(notifications: NotificationHarness, inbox: Inbox) -> None:
    notifications.set(reports={"webhook_url": inbox.url})
    await notifications.deliver(DELIVERY, "webhook")
    assert {name for name in inbox.requests[0].headers if name.startswith("webhook-")} == {"webhook-id"}


async def test_an_accepted_report_is_delivered_however_large_the_answer_is(
    notifications: NotificationHarness, inbox: Inbox
) -> None:
    notifications.set(reports={"webhook_url": inbox.url})
    bomb = gzip.compress(b" " * 20_000_000)
    for body, headers in ((b" " * 10_000_000, {}), (bomb, {"content-encoding": "gzip"}), (b"", {})):
        inbox.faults.append(raw_body(body, "text/html", 200, headers))
        await notifications.deliver(DELIVERY, "webhook")
    inbox.faults.append(drip(b" " * 100, 1.0))
    await notifications.deliver(DELIVERY, "webhook")
    assert len(inbox.requests) == 4


async def test_each_part_has_the_same_id_in_every_attempt(notifications: NotificationHarness, inbox: Inbox) -> None:
    notifications.set(reports={"webhook_url": inbox.url, "webhook_secret": SECRET})
    inbox.faults.append(fault(429, "", {"Retry-After": "9"}))
    error = await notifications.undelivered(DELIVERY, "webhook")
    assert error.next_retry_delay is not None
    assert error.next_retry_delay.total_seconds() == 9
    await notifications.deliver(DELIVERY, "webhook", attempt=2)
    await notifications.deliver(DELIVERY.model_copy(update={"follow_up": 2}), "webhook")
    ids = [request.headers["webhook-id"] for request in inbox.requests]
    assert ids == ["run-1/report", "run-1/report", "run-1/follow-up-2"]
    assert inbox.requests[0].body == inbox.requests[1].body


async def test_the_body_matches_the_published_schema(notifications: NotificationHarness, inbox: Inbox) -> None:
    notifications.set(reports={"webhook_url": inbox.url})
    whole = DELIVERY.model_copy(
        update={
            "origin": AlertOrigin(source="prod", kind="alertmanager", group="g", team="checkout"),
            "alerts": [AlertState(fingerprint="a", status="firing", title="A")],
            "message": PostedMessage(channel="C1", ts="1.0"),
            "question": "Why?",
            "follow_up": 1,
        }
    )
    await notifications.deliver(whole, "webhook")
    body = inbox.requests[0].json()
    assert body["schema"] == "watchkeeper.report/1"
    assert list(body) == list(json.loads(SCHEMA.read_text())["properties"])
    assert (body["origin"]["group"], body["alerts"][0]["title"], body["question"]) == ("g", "A", "Why?")


def test_the_published_schema_is_unchanged(request: pytest.FixtureRequest) -> None:
    schema = PostedReport.model_json_schema(mode="serialization")
    if request.config.getoption("--record-contracts"):
        SCHEMA.write_text(json.dumps(schema, indent=1) + "\n")
    assert schema == json.loads(SCHEMA.read_text())


@pytest.mark.parametrize("secret", ["hunter2", "whsec_", "whsec_%%%", "whsec_c2hvcnQ=", SECRET.removeprefix("whsec_")])
def test_an_invalid_webhook_secret_is_refused_at_startup(secret: str) -> None:
    with pytest.raises(ValidationError, match="must be whsec_ and the base64 of at least 16 bytes") as refusal:
        build_settings(reports={"webhook_secret": secret})
    assert secret not in str(refusal.value) or secret == "whsec_"


@pytest.mark.parametrize("url", ["https://ui.example/", "ui.example/{run}"])
def test_an_address_without_the_id_of_a_run_is_refused_at_startup(url: str) -> None:
    with pytest.raises(ValidationError, match=r"must (contain \{run\}|be an http)"):
        build_settings(reports={"run_url": url})


async def test_follow_ups_and_later_runs_of_a_group_have_separate_files(
    notifications: NotificationHarness, tmp_path: Path
) -> None:
    notifications.set(reports={"directory": str(tmp_path)})
    origin = AlertOrigin(source="prod", kind="alertmanager", group="g")
    for changes in ({}, {"follow_up": 1}, {"origin": origin}, {"origin": origin, "run": "run-2", "follow_up": 3}):
        changed: dict[str, Any] = dict(changes)
        await notifications.deliver(DELIVERY.model_copy(update=changed), "directory")
    assert sorted(names(tmp_path)) == [
        "incident-1.follow-up-1.md",
        "incident-1.md",
        "incident-1.run-1.md",
        "incident-1.run-2.follow-up-3.md",
    ]
