"""Button presses from Slack: verified, then read as a decision."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any
from urllib.parse import quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from watchkeeper.alerts.payload import MalformedPayload
from watchkeeper.alerts.verification import VerificationError
from watchkeeper.slack.interactions import ButtonPress, read_button_press, verify

SECRET = SecretStr("8f742231b10e8888abcd99yyyzzz85a5")
NOW = 1_531_420_618.0
BODY = b"token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&command=%2Fweather&text=94070"
VALUE = {"run": "alert-prod-abc", "call": "r3.0", "execution": "run-1"}


def signed(body: bytes, at: float = NOW, secret: SecretStr = SECRET) -> dict[str, str]:
    """Sign a body as Slack documents it."""
    base = f"v0:{at:.0f}:".encode() + body
    digest = hmac.new(secret.get_secret_value().encode(), base, hashlib.sha256).hexdigest()
    return {"x-slack-request-timestamp": f"{at:.0f}", "x-slack-signature": f"v0={digest}"}


def form(**changes: Any) -> bytes:
    payload = {
        "type": "block_actions",
        "user": {"id": "U1", "username": "ada", "name": "ada.l"},
        "response_url": "https://hooks.slack.invalid/actions/1",
        "actions": [{"action_id": "approve", "block_id": "call-r3.0", "value": json.dumps(VALUE)}],
    }
    return urlencode({"payload": json.dumps({**payload, **changes})}).encode()


def pressing(**action: Any) -> bytes:
    return form(actions=[{"action_id": "approve", "value": json.dumps(VALUE), **action}])


def test_a_fresh_signature_of_slack_is_accepted() -> None:
    for at in (NOW, NOW - 299, NOW + 299):
        verify(signed(BODY, at), BODY, SECRET, NOW)
    verify({name.title(): value for name, value in signed(BODY).items()}, BODY, SECRET, NOW)


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ({}, BODY),
        (signed(BODY), BODY + b" "),
        (signed(BODY, NOW - 301), BODY),
        (signed(BODY, NOW + 301), BODY),
        (signed(BODY, secret=SecretStr("another secret")), BODY),
        ({**signed(BODY), "x-slack-request-timestamp": f"{NOW - 1:.0f}"}, BODY),
        ({**signed(BODY), "x-slack-request-timestamp": "yesterday"}, BODY),
        ({**signed(BODY), "x-slack-signature": "v0=é"}, BODY),
        ({**signed(BODY), "x-slack-signature": ""}, BODY),
        (signed(b"\xff"), b"\xff"),
    ],
)
def test_any_other_signature_is_refused(headers: dict[str, str], body: bytes) -> None:
    with pytest.raises(VerificationError):
        verify(headers, body, SECRET, NOW)


def test_a_button_press_is_a_decision() -> None:
    assert read_button_press(form()) == ButtonPress("alert-prod-abc", "run-1", "r3.0", approved=True, by="ada.l")
    denied = read_button_press(pressing(action_id="deny"))
    assert denied is not None
    assert denied.approved is False


@pytest.mark.parametrize(
    ("user", "by"),
    [
        ({"id": "U1", "username": "ada"}, "ada"),
        ({"id": "U1"}, "U1"),
        ({}, "someone in Slack"),
        ({"name": "ada\n\x1b[31m\u202eevil"}, "ada \ufffd[31m\ufffdevil"),
        ({"name": "x" * 500}, "x" * 100 + "… (+400 bytes)"),
    ],
)
def test_the_name_of_the_person_who_decided(user: dict[str, str], by: str) -> None:
    found = read_button_press(form(user=user))
    assert found is not None
    assert found.by == by


@pytest.mark.parametrize(
    "body",
    [
        pressing(action_id="open-run", value=""),
        form(type="view_submission"),
        form(actions=[]),
        form(actions=None),
    ],
)
def test_other_interactions_are_ignored(body: bytes) -> None:
    assert read_button_press(body) is None


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"payload=",
        b"payload=%7B",
        b"other=1",
        b"&".join(b"a=1" for _ in range(50)),
        ("payload=" + quote_plus("[]")).encode(),
        form(actions=7),
        pressing(value=""),
        pressing(value="[]"),
        pressing(value='{"run": "a", "call": "r1.0"}'),
        pressing(value='{"run": "a", "call": "", "execution": "e"}'),
        pressing(value='{"run": 7, "call": "r1.0", "execution": "e"}'),
    ],
)
def test_a_malformed_body_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedPayload):
        read_button_press(body)


@given(st.binary() | st.text().map(lambda text: urlencode({"payload": text}, errors="replace").encode()))
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    try:
        read_button_press(body)
    except MalformedPayload as malformed:
        assert str(malformed)
