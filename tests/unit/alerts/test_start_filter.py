from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.alert_requests import NOW, only, read, source
from watchkeeper.alerts.builder import make_alert
from watchkeeper.alerts.severity import is_known, normalize, severity_text, worst_severity
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
        ({"severity": "purple"}, {}, None),
        ({"severity": "purple"}, {"severities": []}, None),
        ({"severity": "purple"}, {"unknown_severity": False}, "its severity is not known"),
        ({"severity": "Purple"}, {"severities": ["purple"], "unknown_severity": False}, None),
        ({"severity": "urgent"}, {"severities": ["warn"]}, "its severity starts no run"),
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


@pytest.mark.parametrize(
    ("written", "severity"),
    [
        *((word, "critical") for word in ("urgent", "P1 - Critical", "Sev 1", "S1", "s0", "blocker", "Priority: 1")),
        *((word, "critical") for word in ("1 - Critical", "critical/P1", "🔥 Critical!", "SEV_1 (customer facing)")),
        *((word, "error") for word in ("2-High", "High (P2)", "Very High", "SEV-2: major outage", "severity 2")),
        *((word, "warning") for word in ("P 3", "S3", "sev=3", "ticket", "P3 / Medium")),
        *(
            (word, "critical")
            for word in ("critical incident", "ALERT_CRITICALITY_LEVEL_CRITICAL", "red alert", "Alert")
        ),
        *((word, "error") for word in ("Major Incident", "error alert", "High alarm")),
        *((word, "warning") for word in ("warning alert", "Alert: Warning", "minor event")),
        *((word, "info") for word in ("info alert", "5 - Planning")),
        *((word, "info") for word in ("severity=4", "Lowest", "P5 - Planning", "trivial")),
        *((word, word) for word in ("5", "1", "non-critical", "not critical", "sev10", "xs1", "p1p2", "purple", "n/a")),
    ],
)
def test_a_plain_severity_is_translated_and_another_is_kept(written: str, severity: str) -> None:
    assert normalize(written) == severity
    assert is_known(written) == (severity in ("critical", "error", "warning", "info"))


@pytest.mark.parametrize(
    ("value", "severity"),
    [
        ({"name": "Critical", "id": 3}, "critical"),
        ({"id": "abc", "value": "P2"}, "error"),
        ({"data": {"attributes": {"name": "SEV0", "slug": "sev0", "severity": "critical"}}}, "critical"),
        ({"display_value": "1 - Critical", "value": "1"}, "critical"),
        ({"text": "High", "color": "red"}, "error"),
        ({"value": 2, "display": "Warning"}, "warning"),
        (["warning", "critical"], "critical"),
        ([{"name": "low"}, {"name": "High"}], "error"),
        (["odd", "info"], "info"),
        (5, "5"),
        (True, "true"),
        ({"name": "odd"}, "odd"),
        (["odd"], "odd"),
        *((empty, None) for empty in (None, "", " ", [], {}, [None], {"name": ""}, {"other": 1})),
    ],
)
@pytest.mark.parametrize("kind", ["generic", "opsgenie", "datadog", "sentry"])
def test_a_severity_may_have_any_form(kind: str, value: object, severity: str | None) -> None:
    bodies: dict[str, object] = {
        "generic": {"id": "1", "severity": value},
        "opsgenie": {"action": "Create", "alert": {"alias": "a", "priority": value}},
        "datadog": {"monitor_id": "1", "alert_transition": "Triggered", "severity": value},
        "sentry": {"action": "triggered", "data": {"event": {"issue_id": "1", "level": value}}},
    }
    alert = only(read(source(kind), bodies[kind], sentry_hook_resource="event_alert"))
    assert alert.severity == severity
    listed = severity in (None, "critical", "error") or severity not in ("warning", "info")
    assert (reason_not_to_start(alert, source(kind).section) is None) == listed


@given(
    st.recursive(
        st.none() | st.booleans() | st.text() | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["name", "data", "x"]), inner),
    )
)
def test_any_value_is_a_severity_or_none(value: object) -> None:
    text = severity_text(value)
    assert normalize(normalize(text)) == normalize(text)


def test_severities() -> None:
    assert [normalize(word) for word in ("CRIT", "page", "Sev2", "P3", "notice", " Odd  one ")] == [
        *("critical", "critical", "error", "warning", "info", "odd one"),
    ]
    assert len(normalize("x" * 500)) == 50
    assert worst_severity("P3", "error") == "error"
    assert worst_severity("odd", "info") == "odd"
    assert worst_severity("odd", "error") == "error"
    assert worst_severity("odd", None) == "odd"
    assert worst_severity(None, "") is None
