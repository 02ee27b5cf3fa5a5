from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.alert_requests import only, read, source
from watchkeeper.alerts.registry import source_kinds
from watchkeeper.alerts.timestamps import PROBLEM, parse_timestamp

TOPIC = "arn:aws:sns:eu-west-1:123456789012:alarms"
MICROS = 1_795_345_829_745_123


@pytest.mark.parametrize(
    ("written", "micros"),
    [
        ("2026-11-22T11:10:29.745123Z", MICROS),
        ("2026-11-22T11:10:29.745123987Z", MICROS),
        ("2026-11-22T12:10:29.745123+01:00", MICROS),
        ("2026-11-22T11:10:29.745123", MICROS),
        (" 2026-11-22 11:10:29.745123 ", MICROS),
        ("2019-02-15T23:53:45.093+0000", 1_550_274_825_093_000),
        ("1795345829", MICROS // 10**6 * 10**6),
        (1795345829, MICROS // 10**6 * 10**6),
        (1795345829745, MICROS // 1_000 * 1_000),
        (1795345829745123, MICROS),
        (1795345829745123000, MICROS),
        ("0001-01-01T00:00:00Z", None),
        ("1970-01-01T00:00:00Z", None),
        (0, None),
        (-1, None),
        ("", None),
        ("  ", None),
        (None, None),
        ("20261122", 1_795_305_600_000_000),
        (20261122, 1_795_305_600_000_000),
        ("202611221110", 1_795_345_800_000_000),
    ],
)
def test_valid_timestamps(written: object, micros: int | None) -> None:
    assert parse_timestamp(written) == micros


@pytest.mark.parametrize(
    "written",
    [
        *("noon", "never", "N/A", "-", "yesterday", "11:10:29", "2026-11-22 25:10:29", "2026-11-22 11:10:29 CET"),
        *("2026-11-22 11:10:29 (CET)", "2026-11-22T11:10:29[Europe/Berlin]", "20269922", "Nov 22 11:10:29"),
        *("03/04/2026 11:10", "99/99/2026", "Nov 2026", "22 Foo 2026 11:10:29", "13:10 pm 22 Nov 2026", "x" * 10_000),
        *(True, [], {}, [2026, 11, 22], "nan", float("nan"), float("inf"), "1e300", 10**400, "٣", "²"),
    ],
)
def test_invalid_timestamps(written: object) -> None:
    try:
        read = parse_timestamp(written)
    except ValueError as error:
        assert str(error) == PROBLEM
    else:
        assert written == "٣"
        assert read == 3_000_000


SECOND = MICROS // 10**6 * 10**6


@pytest.mark.parametrize(
    "written",
    [
        "Sun, 22 Nov 2026 11:10:29 +0000",
        "Sun, 22 Nov 2026 11:10:29 GMT",
        "22 Nov 2026 06:10:29 EST",
        "2026-11-22 11:10:29 +0000 UTC",
        "2026-11-22 11:10:29.000000001 +0000 UTC m=+0.004",
        "2026-11-22 12:10:29 +0100 CET",
        "2026-11-22 08:10:29 -0300 -03",
        "2026-11-22 11:10:29 UTC",
        "2026/11/22 11:10:29",
        "2026.11.22 11:10:29",
        "22.11.2026 11:10:29",
        "11/22/2026 11:10:29 AM",
        "22/11/2026 11:10:29",
        "11-22-2026, 11:10:29 a.m.",
        "Sun Nov 22 11:10:29 UTC 2026",
        "Sun Nov 22 11:10:29 2026",
        "Sun Nov 22 2026 12:10:29 GMT+0100 (Central European Standard Time)",
        "22/Nov/2026:11:10:29 +0000",
        "November 22, 2026 at 11:10:29 AM UTC",
        "Sunday, November 22nd, 2026 11:10:29",
        "20261122111029",
        "20261122T111029Z",
        "/Date(1795345829000)/",
        "Sunday, 22-Nov-26 11:10:29 GMT",
        "Sun, 22 Nov 26 11:10:29 +0000",
        "22. November 2026 11:10:29",
        "2026/11/22-11:10:29",
        "2026.11.22-11:10:29",
        "2026-11-22 13:10:29 GMT+2",
        "2026-11-22 10:10:29 UTC-1",
        "2026-11-22T12:10:29+01:00[Europe/Berlin]",
        "2026-11-22T11:10:29Z[UTC]",
        "2026-11-22 11:10:29 (UTC)",
        "11:10:29 UTC, 22 November 2026",
    ],
)
def test_common_forms(written: str) -> None:
    assert parse_timestamp(written) == SECOND


@given(st.text() | st.floats() | st.integers() | st.dates().map(str) | st.datetimes().map(str))
def test_any_value_is_a_timestamp_or_a_value_error(written: object) -> None:
    try:
        read = parse_timestamp(written)
    except ValueError:
        return
    assert read is None or 0 < read < 2**63


UNREADABLE = ["never", "n/a", "soon", "03/04/2026 10:00", [2026, 11, 22], {"seconds": 1}, True, 10**30]


def _posted(kind: str, at: object) -> tuple[object, dict[str, str]]:
    """Return a body of a source whose every time is ``at``, and its headers."""
    alertmanager = {
        "groupKey": "g",
        "alerts": [{"status": "firing", "labels": {"a": "b"}, "startsAt": at, "endsAt": at}],
    }
    incident = {"id": "Q1", "status": "triggered", "title": "t", "created_at": at}
    alarm = {"AlarmName": "a", "NewStateValue": "ALARM", "StateChangeTime": at}
    envelope = {"Type": "Notification", "MessageId": "m", "TopicArn": TOPIC, "Message": json.dumps(alarm)}
    envelope |= {"Timestamp": "", "SignatureVersion": "2", "Signature": "", "SigningCertURL": ""}
    metric = {"action": "critical", "data": {"metric_alert": {"id": "1", "title": "t", "date_started": at}}}
    bodies: dict[str, object] = {
        "alertmanager": alertmanager,
        "grafana": alertmanager,
        "pagerduty": {"event": {"event_type": "incident.triggered", "occurred_at": at, "data": incident}},
        "cloudwatch": envelope,
        "opsgenie": {"action": "Create", "alert": {"alias": "a", "createdAt": at, "updatedAt": at}},
        "sentry": metric,
        "datadog": {"monitor_id": "1", "alert_transition": "Triggered", "date": at},
        "generic": {"id": "1", "startsAt": at, "endsAt": at},
        "standard_webhooks": {"id": "1", "startsAt": at, "endsAt": at},
    }
    return bodies[kind], {"sentry_hook_resource": "metric_alert"}


@pytest.mark.parametrize("at", UNREADABLE, ids=str)
@pytest.mark.parametrize("kind", source_kinds())
def test_an_unreadable_time_is_a_missing_time_with_a_note(kind: str, at: object) -> None:
    body, headers = _posted(kind, at)
    parsed = read(source(kind, **({"topics": [TOPIC]} if kind == "cloudwatch" else {})), body, **headers)
    assert (only(parsed).status, only(parsed).starts_at, only(parsed).ends_at) == ("firing", None, None)
    assert any("is no time that can be read" in note for note in parsed.notes), parsed.notes


def test_many_unreadable_times_are_one_note() -> None:
    alerts = [{"labels": {"a": f"{n}"}, "startsAt": "never"} for n in range(50)]
    parsed = read(source("alertmanager"), {"groupKey": "g", "alerts": alerts})
    (note,) = parsed.notes
    assert note == 'startsAt: "never" is no time that can be read, so it counts as missing (49 more like it)'
