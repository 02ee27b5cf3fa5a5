from __future__ import annotations

import json

import pytest

from tests.support.alert_requests import assert_fit, changed, only, payload, posted, read, refused, source, verify
from watchkeeper.alerts.payload import MalformedPayload
from watchkeeper.incident.firing_order import ends_firing, is_repeat


def test_an_alert_is_created_and_closed() -> None:
    opsgenie = source("opsgenie")
    fired = only(read(opsgenie, payload("opsgenie-create")))
    assert_fit(fired)
    assert (fired.group, fired.severity, fired.service, fired.team) == (
        "checkout-errors",
        "critical",
        "checkout",
        "payments",
    )
    assert fired.starts_at == 1795345829.745
    assert fired.links == {"runbook": "https://runbooks.example.com/errors"}
    for action in ("Close", "Delete"):
        over = only(read(opsgenie, changed("opsgenie-create", action=action)))
        assert over.status == "resolved"
        assert ends_firing(over, fired)


def test_the_alias_is_the_group_and_the_id_the_firing() -> None:
    opsgenie = source("opsgenie")
    sent = json.loads(payload("opsgenie-create"))
    fired = only(read(opsgenie, sent))
    again = only(read(opsgenie, {**sent, "alert": {**sent["alert"], "alertId": "other"}}))
    assert again.group == fired.group
    assert not is_repeat(again, fired)


@pytest.mark.parametrize("action", ["Acknowledge", "AddNote", "EscalateNext", "Snooze", "New"])
def test_other_actions_are_ignored(action: str) -> None:
    parsed = read(source("opsgenie"), changed("opsgenie-create", action=action))
    assert (parsed.alerts, parsed.ignored) == ([], ["it changes neither whether the alert is open nor its priority"])


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        ({"alert": {}}, "action: Field required"),
        ({"action": "Create"}, "alert: Field required"),
        ({"action": "Create", "alert": {}}, "alert.alias: is missing"),
        ({"action": "Create", "alert": {"tags": "x"}}, "alert.tags: Input should be a valid list"),
    ],
)
def test_the_error_says_where_a_body_is_malformed(sent: object, expected: str) -> None:
    with pytest.raises(MalformedPayload) as caught:
        read(source("opsgenie"), sent)
    assert expected in str(caught.value)


async def test_a_custom_header() -> None:
    opsgenie = source("opsgenie", tokens=["t"], token_header="X-Opsgenie-Token")
    await verify(opsgenie, posted(b"{}", x_opsgenie_token="t"))
    await refused(opsgenie, posted(b"{}", x_opsgenie_token="T"))
