from __future__ import annotations

import hashlib
import hmac
import json
from typing import Any

import pytest

from tests.support.alert_requests import assert_fit, only, payload, posted, read, refused, source, verify
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.payload import MalformedPayload
from watchkeeper.alerts.source import ParsedPayload
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.incident.firing_order import ends_firing, is_repeat

EVENT, RESOLVED, METRIC = map(payload, ("sentry-event-alert", "sentry-issue-resolved", "sentry-metric-alert"))


def sentry(body: bytes | object, resource: str, **table: Any) -> ParsedPayload:
    return read(source("sentry", **table), body, sentry_hook_resource=resource)


def resolved(**members: Any) -> dict[str, Any]:
    sent: dict[str, Any] = json.loads(RESOLVED)
    return {**sent, **members}


async def test_a_signature() -> None:
    signature = hmac.new(b"client-secret", EVENT, hashlib.sha256).hexdigest()
    configured = source("sentry", secrets=["new", "client-secret"])
    await verify(configured, posted(EVENT, sentry_hook_signature=signature))
    await refused(configured, posted(RESOLVED, sentry_hook_signature=signature))
    await refused(configured, posted(EVENT, sentry_hook_signature=signature[1:]))
    await refused(configured, posted(EVENT))


def test_an_alert_of_an_issue() -> None:
    alert = only(sentry(EVENT, "event_alert"))
    assert_fit(alert)
    assert alert.group == alert.fingerprint == "issue 1170820242"
    assert (alert.title, alert.severity, alert.service) == ("TimeoutError: payment provider", "error", "checkout")
    assert alert.labels["rule"] == "Payments fail"
    assert reason_not_to_start(alert, source("sentry").section) is None


API = "https://sentry.io/api/0/projects/acme/search-index/events/e4874d66/"


@pytest.mark.parametrize(
    ("members", "service"),
    [
        ({"url": API}, "search-index"),
        ({"url": "https://sentry.internal:9000/api/0/projects/acme/search-index/events/1/"}, "search-index"),
        ({"project": {"id": 1, "slug": "search-index"}}, "search-index"),
        ({"project_slug": "search-index"}, "search-index"),
        ({"url": API, "tags": [["service", "checkout"]]}, "checkout"),
        ({"url": API, "tags": [["server_name", "pod-7"]]}, "search-index"),
        ({"tags": [["server_name", "pod-7"]]}, "pod-7"),
        ({"url": "https://sentry.io/api/0/issues/1/"}, None),
        ({"url": None, "project": None}, None),
        ({"url": {"a": 1}, "project": [1]}, None),
    ],
)
def test_an_alert_of_an_issue_names_the_service_of_its_project(members: dict[str, Any], service: str | None) -> None:
    sent = json.loads(EVENT)
    sent["data"]["event"] |= {"tags": [], **members}
    alert = only(sentry(sent, "event_alert"))
    assert_fit(alert)
    assert alert.service == service
    if service == "search-index":
        assert alert.labels["project"] == "search-index"


def test_a_resolved_issue_closes_its_alert() -> None:
    fired, over = only(sentry(EVENT, "event_alert")), only(sentry(RESOLVED, "issue"))
    assert over.status == "resolved"
    assert ends_firing(over, fired)
    assert workflow_id(over) == workflow_id(fired)
    for action in ("archived", "ignored"):
        assert only(sentry(resolved(action=action), "issue")).status == "resolved"


def test_events_of_one_issue_are_one_firing() -> None:
    first = json.loads(EVENT)
    first["data"]["event"]["event_id"] = "another"
    assert is_repeat(only(sentry(first, "event_alert")), only(sentry(EVENT, "event_alert")))


def test_a_metric_alert_fires_and_resolves() -> None:
    fired = only(sentry(METRIC, "metric_alert"))
    assert_fit(fired)
    assert (fired.group, fired.severity, fired.service) == ("metric 7", "critical", "checkout")
    sent = json.loads(METRIC)
    over = only(sentry({**sent, "action": "resolved"}, "metric_alert"))
    assert over.status == "resolved"
    assert ends_firing(over, fired)
    warning = only(sentry({**sent, "action": "warning"}, "metric_alert"))
    assert reason_not_to_start(warning, source("sentry").section) == "its severity starts no run"


def test_issues_start_runs_only_if_configured() -> None:
    for action in ("created", "unresolved"):
        assert sentry(resolved(action=action), "issue").alerts == []
        assert only(sentry(resolved(action=action), "issue", issues=True)).status == "firing"


def test_a_sample_event_is_a_test() -> None:
    sample = json.loads(EVENT)
    sample["data"]["event"]["tags"] = [["sample_event", "yes"]]
    assert only(sentry(sample, "event_alert")).occasion == "test"


@pytest.mark.parametrize(
    ("resource", "action"),
    [("installation", "created"), ("comment", "created"), ("error", "created"), ("new", "x"), ("issue", "assigned")],
)
def test_other_events_are_ignored(resource: str, action: str) -> None:
    parsed = sentry(resolved(action=action), resource)
    assert parsed.alerts == []
    assert len(parsed.ignored) == 1


@pytest.mark.parametrize(
    ("sent", "resource", "expected"),
    [
        (json.loads(EVENT), "", "the header Sentry-Hook-Resource: is missing"),
        ({"action": "triggered"}, "event_alert", "data: Field required"),
        ({"data": {}}, "event_alert", "data.event.issue_id: is missing"),
        ({"data": {}}, "metric_alert", "data.metric_alert: is missing"),
        ({"data": {}}, "issue", "data.issue: is missing"),
        ({"data": {"issue": {}}}, "issue", "data.issue.id: Field required"),
    ],
)
def test_the_error_says_where_a_body_is_malformed(sent: object, resource: str, expected: str) -> None:
    with pytest.raises(MalformedPayload) as caught:
        sentry(sent, resource)
    assert expected in str(caught.value)
