"""What the status of a JSON sender means: ends in any of the common phrases, and nothing else is an end."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.alert_requests import only, read, source
from watchkeeper.alerts.status_words import is_neutral, status_meaning

ENDS = ["up", "ok", "closed", "recovered", "resolved", "recovery", "normal", "healthy", "cleared", "fixed", "completed"]
SHAPES = [
    *("{}", " {} ", "is {}", "now {}", "Manually {}", "auto-{}", "{} again", "{}!", "✅ {}"),
    *("incident.{}", "alert_{}", "monitor {}", "incident:{}", "event/{}", "{} by Jane Doe", "{} after 5 minutes"),
    *("{} via api", "{} from error", "{} at 10:00", "fully {}"),
]
SPELLINGS = [str.lower, str.upper, str.title]


@pytest.mark.parametrize("word", ENDS)
def test_every_end_is_recognized_in_every_shape(word: str) -> None:
    phrases = [spelling(shape.format(word)) for shape, spelling in product(SHAPES, SPELLINGS)]
    assert [phrase for phrase in phrases if status_meaning(phrase) != "resolved"] == []


@pytest.mark.parametrize("word", ENDS)
@pytest.mark.parametrize(
    "shape",
    ["not {}", "never {}", "to be {}", "will be {}", "almost {}", "failed to be {}", "waiting until {}", "isn't {}"],
)
def test_an_end_that_has_not_come_is_no_end(word: str, shape: str) -> None:
    assert status_meaning(shape.format(word)) != "resolved"


@pytest.mark.parametrize(
    "status",
    [
        *("serviceUp", "incidentResolved", "MONITOR_UP", "back to normal", "back up", "resolvedByUser", "CANCELED"),
        *(
            "resolved (no data)",
            "closed as duplicate",
            "disk recovered",
            "High error rate resolved",
            "trigger_resolved",
        ),
    ],
)
def test_other_names_of_an_end(status: str) -> None:
    assert status_meaning(status) == "resolved"


@pytest.mark.parametrize(
    "status",
    [
        *(
            "down",
            "firing",
            "DOWN",
            "unresolved",
            "reopened",
            "incident.reopened",
            "Triggered",
            "alert.created",
            "failed",
        ),
        *(
            "🔴 Down",
            "service unavailable",
            "recovery failed",
            "resolve failed",
            "problem",
            "open",
            "started",
            "degraded",
        ),
    ],
)
def test_trouble(status: str) -> None:
    expected = None if status == "problem" else "firing"
    assert status_meaning(status) == expected


@pytest.mark.parametrize(
    "status",
    [
        *("", "25", "acknowledged", "connection closed", "process ended", "scale up", "traffic up", "setup", "uptime"),
        *("recovery in progress", "stopped", "状态", "backup", "startup", "closedown", "incident", "ALARM"),
    ],
)
def test_an_unknown_word_ends_nothing_and_fires(status: str) -> None:
    assert status_meaning(status) is None
    assert only(read(source("generic"), {"id": "1", "status": status})).status == "firing"


@given(st.text(max_size=600))
def test_any_text_has_a_meaning_or_none(status: str) -> None:
    assert status_meaning(status) in ("firing", "resolved", None)
    is_neutral(status)


PAST, FUTURE = "2026-11-22T12:00:00Z", "2026-11-22T12:30:00Z"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        ({"status": "up"}, "resolved"),
        ({"data": {"status": "Manually resolved"}}, "resolved"),
        ({"event": "resolved", "data": {"type": "incident", "attributes": {"resolved_at": PAST}}}, "resolved"),
        ({"data": {"type": "incident", "attributes": {"resolved_at": PAST}}}, "resolved"),
        ({"data": {"type": "incident", "attributes": {"resolved_at": None}}}, "firing"),
        ({"data": {"type": "incident", "attributes": {"resolved_at": FUTURE}}}, "firing"),
        ({"data": {"type": "incident", "attributes": {"status": "Resolved"}}}, "resolved"),
        ({"incident": {"state": "closed"}}, "resolved"),
        ({"alert": {"status": "recovered"}}, "resolved"),
        ({"type": "alert", "action": "resolve"}, "resolved"),
        ({"type": "alert", "ended_at": PAST}, "resolved"),
        ({"ends_at": PAST}, "resolved"),
        ({"status": "firing", "ends_at": PAST}, "firing"),
        ({"status": "burning", "ends_at": PAST}, "firing"),
        ({"status": "active", "event": "resolved"}, "firing"),
        ({"status": {"name": "Resolved", "id": 3}}, "resolved"),
        ({"state": ["ok"]}, "resolved"),
        ({"event": {"type": "incident.resolved"}}, "resolved"),
        ({"event": {"type": "incident.created"}}, "firing"),
        ({}, "firing"),
    ],
)
def test_where_a_body_says_that_it_has_ended(body: dict[str, object], status: str) -> None:
    assert only(read(source("generic"), {"id": "25", **body})).status == status


@pytest.mark.parametrize(
    ("table", "word", "status"),
    [
        ({"resolved": ["gone"]}, "gone", "resolved"),
        ({"resolved": ["gone"]}, "up", "firing"),
        ({"firing": ["bad*"]}, "bad news", "firing"),
        ({"firing": ["bad*"]}, "up", "resolved"),
        ({"firing": ["up"]}, "up", "firing"),
        ({"firing": ["bad*"]}, "odd", None),
        ({"firing": ["bad*"], "resolved": ["good"]}, "up", None),
    ],
)
def test_the_settings_come_first(table: dict[str, list[str]], word: str, status: str | None) -> None:
    parsed = read(source("generic", **table), {"id": "1", "status": word})
    assert [alert.status for alert in parsed.alerts] == ([status] if status else [])
