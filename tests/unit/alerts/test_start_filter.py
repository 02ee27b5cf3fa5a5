from __future__ import annotations

from typing import Any

import pytest

from tests.support.alert_requests import NOW, source
from watchkeeper.alerts.builder import make_alert
from watchkeeper.alerts.service_lookup import match_service
from watchkeeper.alerts.severity import normalize, worst_severity
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.contracts import Alert


def alert(**fields: Any) -> Alert:
    known: dict[str, Any] = {"group": "g", "fingerprint": "f", "status": "firing", "title": "t", "now": NOW}
    return make_alert("prod", **{**known, **fields})


@pytest.mark.parametrize(
    ("fields", "table", "reason"),
    [
        ({}, {}, None),
        ({}, {"without_severity": False}, "it has no severity"),
        ({"severity": "critical"}, {}, None),
        ({"severity": "P1"}, {}, None),
        ({"severity": "High"}, {}, None),
        ({"severity": "warning"}, {}, "its severity starts no run"),
        ({"severity": "warning"}, {"severities": "warn"}, None),
        ({"severity": "critical"}, {"severities": ["warn"]}, "its severity starts no run"),
        ({"severity": "purple"}, {}, "its severity starts no run"),
        ({"severity": "Purple"}, {"severities": ["purple"]}, None),
        ({"status": "resolved"}, {}, "it is resolved"),
        ({"occasion": "test"}, {}, "it is a test"),
        ({"occasion": "test"}, {"also": ["test"]}, None),
        ({"occasion": "no_data"}, {"also": ["test"]}, "it says that data is missing"),
        ({"occasion": "renotify"}, {}, "it is a reminder"),
        ({"labels": {"env": "prod-eu"}}, {"labels": {"env": "prod*"}}, None),
        ({"labels": {"env": "preprod"}}, {"labels": {"env": "prod*"}}, "its labels do not match"),
        ({"labels": {"env": "live"}}, {"labels": {"env": ["prod*", "live"]}}, None),
        ({"labels": {"env": "live"}}, {"labels": {"env": "live", "team": "web"}}, "its labels do not match"),
        ({}, {"labels": {"env": "prod"}}, "its labels do not match"),
        ({}, {"labels": {"env": ""}}, "its labels do not match"),
        ({}, {"labels": {"env": ["", "prod"]}}, None),
        ({"labels": {"env": "Prod"}}, {"labels": {"env": "prod"}}, "its labels do not match"),
        (
            {"labels": {"alertname": "Watchdog"}},
            {"ignore": {"alertname": ["Watchdog", "Info*"]}},
            "its labels are ignored",
        ),
        ({"labels": {"alertname": "Down"}}, {"ignore": {"alertname": ["Watchdog", "Info*"]}}, None),
    ],
)
def test_which_alerts_start_a_run(fields: dict[str, Any], table: dict[str, Any], reason: str | None) -> None:
    assert reason_not_to_start(alert(**fields), source("alertmanager", **table).section) == reason


def test_a_pattern_with_many_stars_is_fast() -> None:
    section = source("alertmanager", labels={"a": "*a" * 40 + "b"}).section
    assert reason_not_to_start(alert(labels={"a": "a" * 300}), section) == "its labels do not match"


CATALOGUE = ["checkout", "API Service", "search_index"]


@pytest.mark.parametrize(
    ("service", "labels", "found"),
    [
        ("checkout", {}, "checkout"),
        (" Checkout ", {}, "checkout"),
        ("api-service", {}, "API Service"),
        ("Search Index", {}, "search_index"),
        ("checkout-v2", {}, None),
        ("unknown", {"app": "checkout"}, "checkout"),
        (None, {"app": "nothing", "job": "checkout"}, "checkout"),
        (None, {"job": "checkout", "app": "search-index"}, "search_index"),
        (None, {"other": "checkout"}, None),
        (None, {}, None),
    ],
)
def test_a_service_is_matched_to_the_catalogue(service: str | None, labels: dict[str, str], found: str | None) -> None:
    assert match_service(alert(service=service, labels=labels), CATALOGUE, ["app", "job"]) == found


def test_severities() -> None:
    assert [normalize(word) for word in ("CRIT", "page", "Sev2", "P3", "notice", " Odd  one ")] == [
        *("critical", "critical", "error", "warning", "info", "odd one"),
    ]
    assert len(normalize("x" * 500)) == 50
    assert worst_severity("P3", "error") == "error"
    assert worst_severity("odd", "info") == "info"
    assert worst_severity("odd", None) == "odd"
    assert worst_severity(None, "") is None
