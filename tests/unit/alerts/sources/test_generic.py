from __future__ import annotations

import base64
import hashlib
import hmac
from typing import Any

import pytest

from tests.support.alert_requests import assert_fit, changed, only, payload, posted, read, refused, source, verify
from watchkeeper.alerts.alert_selection import MAX_ALERTS
from watchkeeper.alerts.payload import MalformedPayload, PayloadTooLarge
from watchkeeper.incident.firing_order import ends_firing, is_repeat

INCIDENT = payload("generic-incident")


def test_common_names_need_no_mapping() -> None:
    generic = source("generic", fields={"starts_at": "timestamp"})
    fired = only(read(generic, INCIDENT))
    assert_fit(fired)
    assert (fired.fingerprint, fired.group, fired.status) == ("inc-77", "inc-77", "firing")
    assert (fired.title, fired.severity, fired.service) == ("Checkout fails", "error", "checkout")
    assert fired.labels == {"region": "eu-west-1"}
    assert fired.starts_at == 1795345829
    over = only(read(generic, changed("generic-incident", action="Resolved")))
    assert over.status == "resolved"
    assert ends_firing(over, fired)


def test_a_mapping() -> None:
    generic = source(
        "generic",
        alerts="batch.items",
        firing=["bad*"],
        resolved=["good"],
        fields={
            "title": ["missing", "what"],
            "fingerprint": "/ids/a~1b",
            "group": "host",
            "status": "state",
            "labels": "tags",
            "starts_at": "since",
            "service": "about.0.service",
        },
    )
    item = {
        "what": "x",
        "ids": {"a/b": 7},
        "host": "h",
        "state": "bad",
        "since": 1795345829,
        "about": [{"service": "s"}],
    }
    items = [item, {**item, "state": "BADLY"}, {**item, "state": "good"}, {**item, "state": "odd"}]
    parsed = read(generic, {"batch": {"items": items}})
    assert [alert.status for alert in parsed.alerts] == ["firing", "firing", "resolved"]
    assert parsed.ignored == ["its status is neither firing nor resolved"]
    first, second, _ = parsed.alerts
    assert (first.title, first.fingerprint, first.group, first.service) == ("x", "7", "h", "s")
    assert is_repeat(second, first)


def test_a_service_may_be_an_object() -> None:
    alert = only(read(source("generic"), {"id": "1", "service": {"name": "shop"}, "data": {"team": {"name": "web"}}}))
    assert (alert.service, alert.team) == ("shop", "web")


ROOTLY: dict[str, Any] = {
    "event": {"id": "e1", "type": "incident.created", "issued_at": "2026-11-22T11:10:29.546Z"},
    "data": {
        "id": "13c82722-ec52-4eda-aaa2-771f7c81c01c",
        "title": "Checkout fails",
        "severity": {"id": "s1", "name": "SEV1", "slug": "sev1", "severity": "critical"},
        "status": "started",
        "started_at": "2026-11-22T11:10:29.546Z",
        "resolved_at": None,
        "services": [{"id": "v1", "name": "Checkout", "slug": "checkout"}],
        "labels": [{"key": "region", "value": "eu"}, {"key": "odd"}, 7],
        "url": "https://rootly.com/account/incidents/1",
    },
}
"""After https://docs.rootly.com/configuration/event-payloads."""


def test_an_incident_with_objects_as_values() -> None:
    fired = only(read(source("generic"), ROOTLY))
    assert_fit(fired)
    assert (fired.status, fired.severity, fired.service, fired.title) == (
        *("firing", "critical", "Checkout", "Checkout fails"),
    )
    assert fired.labels == {"region": "eu", "odd": ""}
    assert fired.links == {"source": "https://rootly.com/account/incidents/1"}
    ended = {**ROOTLY["data"], "status": "resolved", "resolved_at": "2026-11-22T11:20:29.546Z"}
    over = only(read(source("generic"), {"event": {"type": "incident.resolved"}, "data": ended}))
    assert over.status == "resolved"
    assert ends_firing(over, fired)


@pytest.mark.parametrize(
    ("tags", "labels"),
    [
        ({"a": "b"}, {"a": "b"}),
        (["a:b", "c=d", "plain"], {"a": "b", "c": "d"}),
        ("a:b,c:d e", {"a": "b", "c": "d e"}),
        ("a=b c=d", {"a": "b", "c": "d"}),
        ([{"name": "a", "value": "b"}, {"tag": "c", "value": 1}], {"a": "b", "c": "1"}),
        ([{"name": {"x": 1}, "value": "b"}, {"key": "c", "value": []}], {}),
        (7, {}),
    ],
)
def test_labels_in_any_form(tags: object, labels: dict[str, str]) -> None:
    assert only(read(source("generic"), {"id": "1", "tags": tags})).labels == labels


def test_nested_values_are_not_labels() -> None:
    labels: dict[str, object] = {"a": 1, "b": None, "c": [1], "d": {}, "e": True}
    assert only(read(source("generic"), {"id": "1", "labels": labels})).labels == {"a": "1", "b": "", "e": "true"}
    assert only(read(source("generic"), {"id": "1", "labels": ["a"]})).labels == {}


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"a": 1}, "the body: nothing says which alert this is; looked at fingerprint, incidentId"),
        ([], "the body must be a JSON object"),
    ],
)
def test_the_error_says_where_a_body_is_malformed(sent: object, expected: str) -> None:
    with pytest.raises(MalformedPayload) as caught:
        read(source("generic"), sent)
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({}, "items: should be a list of alerts, as the settings of this source say"),
        ({"items": [{"id": 1}, 2]}, "items[1]: should be an object"),
        ({"items": [{"id": 1, "labels": {"a": 1}}, {}]}, "items[1]: nothing says which alert this is"),
        ({"items": [{}]}, "items[0]: nothing says which alert this is"),
    ],
)
def test_the_error_says_where_an_item_of_a_list_is_malformed(sent: object, expected: str) -> None:
    with pytest.raises(MalformedPayload) as caught:
        read(source("generic", alerts="items"), sent)
    assert expected in str(caught.value)


def test_a_list_of_too_many_groups_is_too_large() -> None:
    with pytest.raises(PayloadTooLarge, match="more than 5,000 groups"):
        read(source("generic", alerts="items"), {"items": [{"id": n} for n in range(2 * MAX_ALERTS)]})


def test_a_list_of_more_alerts_than_are_kept_loses_no_group_and_no_firing_alert() -> None:
    quiet = [{"id": f"r{n}", "site": "a", "status": "resolved"} for n in range(MAX_ALERTS + 7)]
    fires = [{"id": "down", "site": "a", "severity": "critical"}, {"id": "other", "site": "b", "status": "resolved"}]
    parsed = read(source("generic", alerts="items", fields={"group": "site"}), {"items": [*quiet, *fires]})
    assert len(parsed.alerts) == MAX_ALERTS
    assert [alert.fingerprint for alert in parsed.alerts[-2:]] == ["down", "other"]
    assert (parsed.left_out, parsed.unlisted) == ({"a": 9}, {})


async def test_a_signature_in_hexadecimal_with_a_prefix() -> None:
    generic = source("generic", secrets=["k"], signature_header="X-Hub-Signature-256", signature_prefix="sha256=")
    signature = hmac.new(b"k", INCIDENT, hashlib.sha256).hexdigest()
    await verify(generic, posted(INCIDENT, x_hub_signature_256=f"sha256={signature}"))
    for shown in ("", "sha256=", signature, f"sha1={signature}", f"sha256={signature}0"):
        await refused(generic, posted(INCIDENT, x_hub_signature_256=shown))
    await refused(generic, posted(INCIDENT))


async def test_a_signature_in_base64_with_a_timestamp() -> None:
    generic = source(
        "generic",
        secrets=["example"],
        signature_header="x-amzn-event-signature",
        signature_encoding="base64",
        timestamp_header="x-amzn-event-timestamp",
        signed="{timestamp}:{body}",
    )
    at, body = "2026-02-01T00:00:00.000Z", b"{body} {timestamp}"
    now = 1_769_904_000.0
    signature = base64.b64encode(hmac.new(b"example", f"{at}:".encode() + body, hashlib.sha256).digest()).decode()
    signed = {"x_amzn_event_signature": signature, "x_amzn_event_timestamp": at}
    await verify(generic, posted(body, now, **signed))
    assert "replay" in await refused(generic, posted(body, now + 301, **signed))
    later = {**signed, "x_amzn_event_timestamp": "2026-02-01T00:00:01.000Z"}
    assert "another" in await refused(generic, posted(body, now, **later))
    await refused(generic, posted(body, now, x_amzn_event_signature=signature))
    hidden = {**signed, "x_amzn_event_timestamp": "{body}"}
    await refused(generic, posted(body, now, **hidden))
