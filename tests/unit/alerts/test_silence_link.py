"""Links to a silence form for the firing alerts of a group."""

from __future__ import annotations

from urllib.parse import unquote

import pytest

from tests.support.alert_requests import assert_fit, changed, only, payload, read, source
from watchkeeper.alerts.silence_link import alertmanager_silence_url, silence_url
from watchkeeper.contracts import Alert

AM = "alertmanager"
GRAFANA = "grafana"


def alert(fingerprint: str, link: str | None, status: str = "firing", **labels: str) -> Alert:
    return Alert.model_validate(
        {
            "source": "prod",
            "group": "g",
            "fingerprint": fingerprint,
            "status": status,
            "title": fingerprint,
            "labels": labels,
            "links": {"silence": link} if link else {},
        }
    )


def of_alertmanager(fingerprint: str, status: str = "firing", **labels: str) -> Alert:
    return alert(fingerprint, alertmanager_silence_url("https://am.example", labels), status, **labels)


def matchers(url: str | None) -> str:
    assert url is not None
    place, _, query = url.partition("/#/silences/new?filter=")
    assert place == "https://am.example"
    return unquote(query)


def test_an_alert_of_alertmanager_has_a_silence_link() -> None:
    body = changed("alertmanager-firing", externalURL="https://am.example/")
    found = only(read(source("alertmanager"), body))
    assert_fit(found)
    assert matchers(found.links["silence"]) == (
        '{alertname="HighErrorRate", instance_name="a", service="checkout", severity="critical", team="payments"}'
    )
    assert matchers(silence_url(AM, [found])) == matchers(found.links["silence"])


@pytest.mark.parametrize("place", ["javascript:alert(1)//", "am.example", "", "https://user:pass@am.example"])
def test_an_invalid_url_gives_no_link(place: str) -> None:
    found = only(read(source("alertmanager"), changed("alertmanager-firing", externalURL=place)))
    assert "silence" not in found.links


def test_grafana_sends_its_own_silence_link() -> None:
    (first, *_) = read(source("grafana"), payload("grafana-firing")).alerts
    assert "/alerting/silence/new" in first.links["silence"]


def test_a_value_cannot_end_its_matcher() -> None:
    url = alertmanager_silence_url("http://am", {"a": 'x", b="y', "c": "back\\slash\nline", "utf.8 é": "1&d=2#"})
    assert url is not None
    assert unquote(url.partition("filter=")[2]) == ('{a="x\\", b=\\"y", c="back\\\\slash\\nline", "utf.8 é"="1&d=2#"}')
    assert not set(url.partition("filter=")[2]) & set('"&# \n{}')
    assert alertmanager_silence_url("http://am", {}) is None


def test_several_alerts_are_silenced_by_their_common_labels() -> None:
    group = [of_alertmanager("a", team="shop", pod="1"), of_alertmanager("b", team="shop", pod="2")]
    over = of_alertmanager("c", "resolved", team="other")
    assert matchers(silence_url(AM, [*group, over])) == '{team="shop"}'
    assert matchers(silence_url(AM, [group[0], over])) == '{pod="1", team="shop"}'


@pytest.mark.parametrize(
    ("kind", "alerts"),
    [
        (AM, []),
        (AM, [of_alertmanager("a", "resolved", team="shop")]),
        (AM, [of_alertmanager("a", team="shop"), of_alertmanager("b", team="other")]),
        (AM, [of_alertmanager("a", team="shop"), alert("b", None, team="shop")]),
        (GRAFANA, [alert("a", "https://g/1"), alert("b", "https://g/2")]),
    ],
    ids=["no alert", "over", "nothing in common", "one cannot be", "not Alertmanager's"],
)
def test_cases_without_a_silence_link(kind: str, alerts: list[Alert]) -> None:
    assert silence_url(kind, alerts) is None


def test_a_single_alert_of_any_source_keeps_its_link() -> None:
    assert silence_url(GRAFANA, [alert("a", "https://g/1"), alert("a", "https://g/1")]) == "https://g/1"
