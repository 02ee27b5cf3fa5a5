from __future__ import annotations

import base64

import pytest

from tests.support.alert_requests import assert_fit, only, payload, posted, read, refused, source, verify

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
AT = 1_614_265_330
BODY = b'{"test": 2432232314}'
GOOD = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
SIGNED = {
    "webhook_id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
    "webhook_timestamp": str(AT),
    "webhook_signature": GOOD,
}
OTHER = "whsec_" + base64.b64encode(b"another secret of a sender").decode()


async def test_the_test_vector_of_the_specification() -> None:
    for secrets in ([SECRET], [OTHER, SECRET], [SECRET.removeprefix("whsec_")]):
        await verify(source("standard_webhooks", secrets=secrets), posted(BODY, AT, **SIGNED))
    await refused(source("standard_webhooks", secrets=[OTHER]), posted(BODY, AT, **SIGNED))


async def test_a_tampered_request_is_refused() -> None:
    configured = source("standard_webhooks", secrets=[SECRET])
    several = {**SIGNED, "webhook_signature": f"v1,AAAA v1a,xyz v1,AAA x {GOOD}"}
    await verify(configured, posted(BODY, AT, **several))
    for change in (
        {"webhook_id": "msg_other"},
        {"webhook_timestamp": str(AT + 1)},
        {"webhook_signature": GOOD.replace("v1,", "v1a,")},
        {"webhook_signature": GOOD[3:]},
        {"webhook_signature": GOOD[:-2]},
        {"webhook_signature": ""},
        {"webhook_id": ""},
        {"webhook_timestamp": ""},
        {"webhook_timestamp": "NaN"},
        {"webhook_timestamp": f"{AT}000"},
        {"webhook_timestamp": f"0{AT}"},
        {"webhook_timestamp": f"{AT}.5"},
        {"webhook_timestamp": "2021-02-25T15:02:10Z"},
    ):
        await refused(configured, posted(BODY, AT, **{**SIGNED, **change}))
    await refused(configured, posted(BODY + b" ", AT, **SIGNED))
    await refused(configured, posted(BODY + b"\xff", AT, **SIGNED))


async def test_an_old_request_is_refused() -> None:
    configured = source("standard_webhooks", secrets=[SECRET])
    await verify(configured, posted(BODY, AT + 300, **SIGNED))
    assert "replay" in await refused(configured, posted(BODY, AT + 301, **SIGNED))
    assert "replay" in await refused(configured, posted(BODY, AT - 301, **SIGNED))


def test_a_secret_without_a_key_is_refused() -> None:
    with pytest.raises(ValueError, match="whsec_ without a key"):
        source("standard_webhooks", secrets=["whsec_"])


def test_a_body_is_mapped() -> None:
    inside = "/public_incident.incident_created_v2"
    incident_io = source(
        "standard_webhooks",
        firing=["*.incident_created_v2"],
        fields={
            "status": "event_type",
            "fingerprint": f"{inside}/id",
            "title": [f"{inside}/name"],
            "description": f"{inside}/summary",
            "severity": f"{inside}/severity/name",
            "link": f"{inside}/permalink",
            "starts_at": f"{inside}/created_at",
        },
    )
    alert = only(read(incident_io, payload("standard-webhooks-incident")))
    assert_fit(alert)
    assert (alert.title, alert.severity, alert.fingerprint) == ("Checkout fails", "error", "01FDAG4SAP5TYPT98WGR2N7W91")
    ignored = read(incident_io, {"event_type": "public_incident.action_created_v1"})
    assert ignored.ignored == ["its status is neither firing nor resolved"]
