from __future__ import annotations

import hashlib
import hmac

import pytest

from tests.support.alert_requests import NOW, assert_fit, changed, payload, posted, read, refused, source, verify
from watchkeeper.alerts.payload import MalformedPayload
from watchkeeper.alerts.start_filter import reason_not_to_start

SECRET = "test-hmac-secret"
AT = 1_777_986_297
PLAIN = "9de50c2b0a330442fc63cbd36b9b6dd709954c4ce6d230688cb01d92c1cce697"
TIMED = "d424b1f4f81164f05498fb8341ec9554b28c63fd59415d27118a3d985d1e6ead"
TEST = payload("grafana-test")


async def test_a_signature() -> None:
    grafana = source("grafana", secrets=["older", SECRET])
    await verify(grafana, posted(TEST, x_grafana_alerting_signature=PLAIN))
    await verify(grafana, posted(TEST, x_grafana_alerting_signature=PLAIN.upper()))
    await verify(grafana, posted(TEST, x_grafana_alert_signature=PLAIN))
    assert await refused(grafana, posted(TEST)) == "it is not signed"
    for body, signature in [
        (TEST + b" ", PLAIN),
        (TEST, PLAIN[:-1] + "8"),
        (TEST, PLAIN[:-1]),
        (TEST, "é"),
        (b"", PLAIN),
    ]:
        assert "another" in await refused(grafana, posted(body, x_grafana_alerting_signature=signature))
    assert "another" in await refused(
        source("grafana", secrets=["other"]), posted(TEST, x_grafana_alerting_signature=PLAIN)
    )


async def test_a_signature_with_a_timestamp() -> None:
    timed = {"x_grafana_alerting_signature": TIMED, "x_grafana_alerting_timestamp": str(AT)}
    for grafana in (
        source("grafana", secrets=[SECRET]),
        source("grafana", secrets=[SECRET], timestamp_header="X-Grafana-Alerting-Timestamp"),
    ):
        for now in (AT - 299, AT, AT + 299):
            await verify(grafana, posted(TEST, now, **timed))
        for now in (AT - 301, AT + 301):
            assert "replay" in await refused(grafana, posted(TEST, now, **timed))
        late = {**timed, "x_grafana_alerting_timestamp": str(AT + 1)}
        assert "another" in await refused(grafana, posted(TEST, AT, **late))
        unreadable = {**timed, "x_grafana_alerting_timestamp": "soon"}
        assert "no valid timestamp" in await refused(grafana, posted(TEST, AT, **unreadable))


async def test_a_required_timestamp_cannot_be_left_out() -> None:
    grafana = source("grafana", secrets=[SECRET], timestamp_header="X-At")
    assert "no x-at header" in await refused(grafana, posted(TEST, x_grafana_alerting_signature=PLAIN))
    await verify(grafana, posted(TEST, AT, x_grafana_alerting_signature=TIMED, x_at=str(AT)))


async def test_header_names_can_be_configured() -> None:
    grafana = source("grafana", secrets=[SECRET], signature_header="X-Sig")
    await verify(grafana, posted(TEST, x_sig=PLAIN))


async def test_a_signature_does_not_replace_a_token() -> None:
    grafana = source("grafana", secrets=[SECRET], tokens=["t"])
    await verify(grafana, posted(TEST, x_grafana_alerting_signature=PLAIN, authorization="Bearer t"))
    await refused(grafana, posted(TEST, x_grafana_alerting_signature=PLAIN))
    await refused(grafana, posted(TEST, authorization="Bearer t"))


async def test_the_signature_is_over_the_raw_bytes() -> None:
    respelled = b" " + TEST
    signature = hmac.new(SECRET.encode(), respelled, hashlib.sha256).hexdigest()
    await verify(source("grafana", secrets=[SECRET]), posted(respelled, x_grafana_alerting_signature=signature))


def test_the_test_of_a_contact_point_starts_no_run() -> None:
    grafana = source("grafana")
    for key in ("webhook-c4edaaf9f9f839b0-1777986297", "on call-c4edaaf9f9f839b0-1777986297"):
        (alert,) = read(grafana, changed("grafana-test", groupKey=key)).alerts
        assert alert.occasion == "test"
        assert reason_not_to_start(alert, grafana.section) == "it is a test"
        assert reason_not_to_start(alert, source("grafana", also=["test"]).section) is None
    (alert,) = read(grafana, changed("grafana-test", groupKey='{}:{alertname="a-c4edaaf9f9f839b0-1777986297"}')).alerts
    assert alert.occasion is None


def test_alerts_and_their_links() -> None:
    grafana = source("grafana")
    firing, missing = read(grafana, payload("grafana-firing")).alerts
    assert_fit(firing)
    assert firing.title == "Checkout latency: p95 above 2 s"
    assert firing.links == {
        "runbook": "https://runbooks.example.com/latency",
        "dashboard": "https://grafana.example.com/d/shop?orgId=1",
        "panel": "https://grafana.example.com/d/shop?orgId=1&viewPanel=4",
        "source": "https://grafana.example.com/alerting/grafana/abc/view?orgId=1",
        "silence": "https://grafana.example.com/alerting/silence/new?alertmanager=grafana",
    }
    assert reason_not_to_start(firing, grafana.section) is None
    assert missing.occasion == "no_data"
    assert reason_not_to_start(missing, grafana.section) == "it says that data is missing"
    assert missing.starts_at and missing.starts_at < NOW


@pytest.mark.parametrize("kind", ["grafana", "alertmanager"])
def test_a_body_of_legacy_alerting_is_refused_with_the_kind_for_it(kind: str) -> None:
    with pytest.raises(MalformedPayload, match=r"legacy alerting\. Set kind to grafana_legacy"):
        read(source(kind), payload("grafana-legacy"))
