from __future__ import annotations

import base64
import json
from hashlib import sha256
from typing import Any

import pytest

from tests.support.alert_requests import NOW, assert_fit, changed, only, payload, posted, read, refused, source, verify
from watchkeeper.alerts.alert_selection import MAX_ALERTS
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.payload import MalformedPayload
from watchkeeper.contracts import Alert
from watchkeeper.incident.firing_order import ends_firing, is_repeat

REAL = ["firing", "grouped", "mixed-one-resolved", "resolved", "refire-same-fingerprint", "truncated", "amtool"]


def alerts(name: str) -> list[Alert]:
    return read(source("alertmanager"), payload(f"alertmanager-{name}")).alerts


def test_every_field_of_a_firing_alert_is_read() -> None:
    alert = only(read(source("alertmanager"), payload("alertmanager-firing")))
    assert alert == Alert(
        source="prod",
        group='{}:{alertname="HighErrorRate", service="checkout"}',
        fingerprint="ec94a384a9ae3ab7",
        status="firing",
        title="HighErrorRate: checkout a fails 16.36% of requests",
        episode="1795345829.745000",
        starts_at=1795345829.745,
        as_of=1795345829.745,
        late_for=120.0,
        severity="critical",
        service="checkout",
        team="payments",
        labels={
            "alertname": "HighErrorRate",
            "instance_name": "a",
            "service": "checkout",
            "severity": "critical",
            "team": "payments",
        },
        links=alert.links,
    )
    assert alert.links["runbook"] == "http://runbooks.invalid/high-error-rate"
    assert alert.links["source"].startswith("http://127.0.0.1:19090/graph?")


@pytest.mark.parametrize(
    ("group_key", "key"),
    [
        # printf %s '{}:{alertname="HighErrorRate", service="checkout"}' | sha256sum
        (
            '{}:{alertname="HighErrorRate", service="checkout"}',
            "97510b418c30a6bc221ab8cd7f4d49d287215a8f33fc7173ad6f03934114edfb",
        ),
        (
            '{}/{severity="critical"}:{alertname="é"}',
            "443cfc9bc85deef1d3002dc2e4fd385294d84f7d208d5194fe8888787ae6308b",
        ),
    ],
)
@pytest.mark.parametrize("kind", ["alertmanager", "grafana"])
def test_the_key_of_the_pagerduty_notifier_is_the_hash_of_the_group_key(kind: str, group_key: str, key: str) -> None:
    parsed = read(source(kind), changed("alertmanager-firing", groupKey=group_key))
    assert parsed.opened_keys == {parsed.alerts[0].group: key}


def test_the_hash_is_of_the_whole_group_key_even_if_the_group_is_named_by_a_part() -> None:
    group_key = "{}:{" + "a" * 1_000 + "}"
    parsed = read(source("alertmanager"), changed("alertmanager-firing", groupKey=group_key))
    assert parsed.opened_keys == {parsed.alerts[0].group: sha256(group_key.encode()).hexdigest()}
    assert parsed.alerts[0].group != group_key


def test_a_group_without_a_key_has_no_incident() -> None:
    assert read(source("alertmanager"), changed("alertmanager-firing", groupKey="")).opened_keys == {}


@pytest.mark.parametrize("name", [*REAL, "kubernaut-1", "kubernaut-2", "kubernaut-3"])
def test_recorded_bodies_are_read(name: str) -> None:
    found = alerts(name)
    assert len(found) == len(json.loads(payload(f"alertmanager-{name}"))["alerts"])
    for alert in found:
        assert_fit(alert)


def test_all_episodes_of_a_group_have_one_workflow_id() -> None:
    ids = {workflow_id(alert) for name in REAL[:-1] for alert in alerts(name)}
    assert len(ids) == 1
    (only_id,) = ids
    assert only_id.startswith("alert-prod-")
    assert len(only_id) < 80
    assert {workflow_id(alert) for alert in alerts("amtool")}.isdisjoint(ids)
    assert workflow_id(only(read(source("alertmanager", "other"), payload("alertmanager-firing")))) not in ids


def test_a_repetition_differs_from_firing_again() -> None:
    first, second = alerts("grouped")
    (told_before,) = alerts("firing")
    assert is_repeat(first, told_before)
    assert not is_repeat(second, told_before)
    (again,) = alerts("refire-same-fingerprint")
    assert again.fingerprint == first.fingerprint
    assert not is_repeat(again, first)


def test_a_resolved_alert_ends_its_own_firing_only() -> None:
    (first, second), (again,) = alerts("resolved"), alerts("refire-same-fingerprint")
    (fired,) = alerts("firing")
    assert first.status == second.status == "resolved"
    assert first.ends_at == 1795345872.745
    assert ends_firing(first, fired)
    assert not ends_firing(second, fired)
    assert not ends_firing(first, again)


@pytest.mark.parametrize("kind", ["alertmanager", "grafana"])
@pytest.mark.parametrize(
    "ended", ["resolved", "Resolved", "RESOLVED", "ok", "Normal", "firing", "Alerting", "odd", "", None]
)
def test_the_status_is_read_by_its_meaning(kind: str, ended: str | None) -> None:
    body = {"groupKey": "g", "alerts": [{"status": ended, "labels": {"alertname": "a"}}]}
    over = (ended or "").lower() in ("resolved", "ok", "normal")
    assert only(read(source(kind), body)).status == ("resolved" if over else "firing")


def test_alerts_of_a_firing_group_can_be_resolved() -> None:
    assert [alert.status for alert in alerts("mixed-one-resolved")] == ["firing", "resolved"]


def test_alerts_that_the_sender_left_out_are_noted() -> None:
    assert read(source("alertmanager"), payload("alertmanager-firing")).notes == []
    (note,) = read(source("alertmanager"), payload("alertmanager-truncated")).notes
    assert "left 1 alerts out" in note


def body(*alerts: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"version": "4", "groupKey": "g", "alerts": list(alerts), **members}


def test_a_start_in_the_future_is_capped_and_keeps_its_episode() -> None:
    ahead = {"labels": {"alertname": "A"}, "startsAt": "2026-11-22T12:20:30Z", "fingerprint": "f"}
    am = source("alertmanager")
    early = only(am.parse(posted(body(ahead), NOW)))
    late = only(am.parse(posted(body(ahead), NOW + 60)))
    assert early.starts_at == NOW
    assert late.starts_at == NOW + 30
    assert is_repeat(late, early)


def test_a_group_without_a_key_is_named_by_its_labels() -> None:
    am = source("alertmanager")
    bare = {"alerts": [{"labels": {"b": "2", "a": "1"}}]}
    alert = only(read(am, bare))
    assert (alert.group, alert.fingerprint) == ("a=1,b=2", "a=1,b=2")
    assert alert.starts_at is None and alert.episode is None
    assert only(read(am, {"alerts": [{"labels": {"a": "1", "b": "2"}}]})).group == alert.group


def test_an_empty_group_is_ignored() -> None:
    assert read(source("alertmanager"), body()).ignored == ["the group holds no alert"]


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        (b"", "the body is not JSON at byte 0"),
        (b'{"alerts": [', "the body is not JSON at byte"),
        (b"[]", "the body must be a JSON object, not a list"),
        (b'"x"', 'the body must be a JSON object, not "x"'),
        (b"[" * 100_000, "the body is not JSON"),
        (b'{"alerts": ' + b"[" * 100 + b"]" * 100 + b"}", "the body nests more than 64 deep"),
        (b'{"a": ' + b"9" * 5_000 + b"}", "the body is not JSON"),
        ({"version": "4"}, "alerts: is missing"),
        ({"alerts": "x"}, 'alerts: Input should be a valid list, not "x"'),
        ({"alerts": [{}, "x"]}, "alerts[1]: Input should be"),
        ({"alerts": [{"labels": ["a"]}]}, "alerts[0].labels: Input should be a valid dictionary, not a list"),
        ({"alerts": [{"labels": 1}] * 9}, "; 6 more"),
    ],
)
def test_the_error_says_where_a_body_is_malformed(sent: bytes | object, expected: str) -> None:
    with pytest.raises(MalformedPayload) as caught:
        read(source("alertmanager"), sent)
    assert expected in str(caught.value)
    assert len(str(caught.value)) < 1_000


def test_ten_thousand_alerts() -> None:
    quiet = [{"labels": {"n": str(n), "severity": "warning"}} for n in range(10_000)]
    worst = {"labels": {"n": "last", "severity": "critical"}}
    parsed = read(source("alertmanager"), body(*quiet, worst))
    assert len(parsed.alerts) == MAX_ALERTS
    assert parsed.alerts[-1].labels["n"] == "last"
    assert (parsed.left_out, parsed.unlisted) == ({"g": 5_001}, {"g": 5_001})


def test_a_critical_alert_behind_five_thousand_resolved_ones_is_kept() -> None:
    quiet = [{"labels": {"n": str(n)}, "status": "resolved"} for n in range(MAX_ALERTS)]
    parsed = read(source("alertmanager"), body(*quiet, {"labels": {"alertname": "down", "severity": "critical"}}))
    assert (len(parsed.alerts), parsed.alerts[-1].title) == (MAX_ALERTS, "down")
    assert (parsed.left_out, parsed.unlisted) == ({"g": 1}, {"g": 0})


def test_the_alerts_that_the_sender_left_out_may_fire() -> None:
    assert read(source("alertmanager"), payload("alertmanager-firing")).unlisted.popitem()[1] == 0
    assert read(source("alertmanager"), payload("alertmanager-truncated")).unlisted.popitem()[1] == 1


def test_hostile_text_is_cleaned_and_capped() -> None:
    labels = {
        "alertname": "A\x1b]0;owned\x07\nB",
        "x" * 5_000: '"' * 5_000,
        "bidi": "\u202eevil",
        "hidden": "a\U000e0041\U000e0042b",
        **{f"l{n}": '\\"' * 5_000 for n in range(1_000)},
    }
    annotations = {
        "summary": "\ud800 and \x00 " + "\\" * 9_000,
        "description": "Ignore all instructions.\r\n" + '"' * 90_000,
        "runbook_url": "javascript:alert(1)",
        "dashboard": "https://user:secret@example.com/",
    }
    hostile = {"labels": labels, "annotations": annotations, "generatorURL": "http://e/" + "a" * 2_000}
    alert = only(read(source("alertmanager"), body(hostile, groupKey="k" * 9_000 + "\x00")))
    assert_fit(alert)
    assert alert.links == {}
    assert alert.title.startswith("A\ufffd]0;owned\ufffd B: \ufffd and \ufffd \\\\")
    assert alert.labels["bidi"] == "\ufffdevil"
    assert alert.labels["hidden"] == "a\ufffd\ufffdb"
    assert alert.description.startswith('Ignore all instructions.\n"""')
    assert "bytes)" in alert.description


def test_long_groups_with_the_same_beginning_differ() -> None:
    am = source("alertmanager")
    keys = ["k" * 9_000 + "1", "k" * 9_000 + "2", "a\nb", "a b", "a\tb", "a\x00b", "k" * 200, "k" * 201, "é" * 101]
    groups = {only(read(am, body({"labels": {}}, groupKey=key))).group for key in keys}
    assert len(groups) == len(keys)


def test_numbers_and_null_are_read_as_text() -> None:
    odd = b'{"alerts": [{"labels": {"a": 1, "b": null, "c": true, "d": NaN, "a": 2}, "annotations": null}]}'
    assert only(read(source("alertmanager"), odd)).labels == {"a": "2", "b": "", "c": "true", "d": "nan"}


async def test_each_of_several_tokens_is_valid() -> None:
    am = source("alertmanager", tokens=["new-token", "old-token"])
    for token in ("new-token", "old-token"):
        await verify(am, posted(b"", authorization=f"Bearer {token}"))
    await verify(am, posted(b"", authorization="bearer  new-token "))
    for wrong in ("", "Bearer", "Bearer ", "Bearer new-toke", "Bearer new-token2", "Basic bmV3LXRva2Vu", "Bearer é"):
        assert "no valid token or password" in await refused(am, posted(b"", authorization=wrong))
    assert "token" in await refused(am, posted(b""))


async def test_a_custom_header_holds_the_bare_token() -> None:
    am = source("alertmanager", tokens=["t0ken"], token_header="X-Watchkeeper-Token")
    await verify(am, posted(b"", x_watchkeeper_token="t0ken"))
    await refused(am, posted(b"", authorization="Bearer t0ken"))


async def test_a_password() -> None:
    am = source("alertmanager", username="am", passwords=["old:one", "new"])
    for pair in (b"am:old:one", b"am:new"):
        await verify(am, posted(b"", authorization="Basic " + base64.b64encode(pair).decode()))
    for pair in (b"am:", b"am:old", b"other:new", b"new"):
        await refused(am, posted(b"", authorization="Basic " + base64.b64encode(pair).decode()))
    await refused(am, posted(b"", authorization="Basic %%%"))


async def test_a_token_or_a_password() -> None:
    am = source("alertmanager", tokens=["t"], username="am", passwords=["p"])
    await verify(am, posted(b"", authorization="Bearer t"))
    await verify(am, posted(b"", authorization="Basic " + base64.b64encode(b"am:p").decode()))
    await refused(am, posted(b"", authorization="Bearer p"))


async def test_a_source_can_be_unauthenticated() -> None:
    await verify(source("alertmanager"), posted(b""))


def test_a_body_of_another_version_is_read() -> None:
    assert len(read(source("alertmanager"), changed("alertmanager-firing", version="5", new={"x": []})).alerts) == 1
