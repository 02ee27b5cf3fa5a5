"""What the status of a JSON sender means: ends in any of the common phrases, and nothing else is an end."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.alert_requests import only, read, source
from watchkeeper.alerts.payload import MalformedPayload
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


WELL = ["OK", "up", "normal", "healthy", "resolved", "closed"]
BAD = ["ALARM", "down", "critical", "firing", "failed", "open"]
CHANGES = [
    *("{} -> {}", "{}->{}", "{} => {}", "{} --> {}", "{} → {}", "{} ➡️ {}", "from {} to {}", "changed from {} to {}"),
    *("went from {} to {}", "State transitioned from {} to {}"),
]


@pytest.mark.parametrize("shape", CHANGES)
def test_of_a_change_the_new_state_counts(shape: str) -> None:
    pairs = list(product(WELL, BAD))
    assert [pair for pair in pairs if status_meaning(shape.format(*pair)) != "firing"] == []
    ended = [(bad, well) for well, bad in pairs]
    assert [pair for pair in ended if status_meaning(shape.format(*pair)) != "resolved"] == []


@pytest.mark.parametrize("shape", ["{} (was {})", "{}, was {}", "{} (previously {})", "{} - formerly {}"])
def test_an_earlier_state_does_not_count(shape: str) -> None:
    for well, bad in product(WELL, [word for word in BAD if word != "ALARM"]):
        assert status_meaning(shape.format(well, bad)) == "resolved", shape.format(well, bad)
        assert status_meaning(shape.format(bad, well)) == "firing", shape.format(bad, well)


@pytest.mark.parametrize(
    ("status", "meaning"),
    [
        *((word, "resolved") for word in ("OK to alarm to ok", "returned to normal", "state changed to OK")),
        *((word, "resolved") for word in ("autoresolved", "AutoClosed", "autoresolve", "normalised")),
        *((word, "resolved") for word in ("alert.v1.closed", "incident_resolved_v2", "No Data Recovered")),
        *((word, "resolved") for word in ("[RESOLVED] High load", "Resolved: disk full", "[OK] High load")),
        *((word, "resolved") for word in ("Closed (false positive)",)),
        *((word, "resolved") for word in ("Problem has been resolved in 5m 30s at 12:00", "no longer firing")),
        *((word, "firing") for word in ("OK to ALARM", "retriggered", "triggered after being resolved")),
        *((word, "firing") for word in ("Resolved - reopened", "healthy: failed", "failed to clear")),
        *(
            (word, None)
            for word in ("healthy: false", "was ok", "was healthy", "couldn't be resolved", "soon resolved")
        ),
        *((word, "resolved") for word in ("New state: OK", "high to normal", "amber to green", "No longer down")),
        *((word, "firing") for word in ("online - degraded", "up - down", "Completed with errors", "Ended: error")),
        *((word, "firing") for word in ("Normal | warning", "Healthy: 2, unhealthy: 3", "normal to high")),
        *((word, None) for word in ("healthy in 1 of 3 zones", "OK - but slow", "Done: 3 of 5", "no longer healthy")),
        *((word, None) for word in ("->", " => → ", "-> ALARM", "v2", "no data", "(was ok)", ", was ok", "to")),
        *((word, None) for word in ("back end", "front-end", "needs to be closed", "queue cleared too often")),
        *((word, None) for word in ("Resolved hosts decreased", "Auto-resolved alerts spike", "resolved: no")),
    ],
)
def test_what_an_end_is_said_of(status: str, meaning: str | None) -> None:
    assert status_meaning(status) == meaning


@given(st.text(max_size=600))
def test_any_text_has_a_meaning_or_none(status: str) -> None:
    assert status_meaning(status) in ("firing", "resolved", None)
    is_neutral(status)


OBJECTS = [("new", "old"), ("current", "previous"), ("to", "from"), ("state", "last_state")]
STATE_NAMES = [
    *("new_state", "newState", "new_status", "current_status", "currentState", "alert_status", "alertStatus"),
    *("alert_state", "alertState", "incident_status", "monitor_status", "event_action", "notification_type"),
]
HEALTH = ["success", "OK", "up", "healthy"]
BEGUN = ["alert.triggered", "incident_created", "Incident opened", "alert fired", "monitor.reopened", "issue.raised"]
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
        ({"event": {"title": "Auto-resolved"}}, "firing"),
        ({"event": {"summary": "[RESOLVED] flood", "type": "alert.created"}}, "firing"),
        *(({"state": {new: "OK", old: "ALARM"}}, "resolved") for new, old in OBJECTS),
        *(({"state": {old: "OK", new: "ALARM"}}, "firing") for new, old in OBJECTS),
        *(({"state": {old: "OK", new: "down"}}, "firing") for new, old in OBJECTS),
        *(({name: "Resolved"}, "resolved") for name in STATE_NAMES),
        *(({"alert": {name: "Resolved"}}, "resolved") for name in STATE_NAMES),
        *(({name: "Triggered"}, "firing") for name in STATE_NAMES),
        *(({name: True}, "resolved") for name in ("resolved", "is_resolved", "isResolved", "healthy", "is_up")),
        *(({name: False}, "firing") for name in ("resolved", "is_resolved", "isResolved", "healthy", "is_up")),
        *(({"incident": {name: False}}, "resolved") for name in ("firing", "active", "is_active", "isActive")),
        *(({name: True}, "firing") for name in ("firing", "active", "is_active", "isActive")),
        *(({"active": False, "status": word}, "firing") for word in ("open", "triggered")),
        # The request succeeded, and the alert fires.
        *(({"status": health, "type": begun}, "firing") for health, begun in product(HEALTH, BEGUN)),
        *(({"status": end, "type": begun}, "resolved") for end, begun in product(["resolved", "closed"], BEGUN)),
        *(({"status": health, "type": "incident.resolved"}, "resolved") for health in HEALTH),
        *(({"status": health, "type": "critical"}, "resolved") for health in HEALTH),
        ({"active": True, "resolved": True}, "firing"),
        ({"resolved": "true"}, "firing"),
        ({"status": True}, "firing"),
        ({"recovered_at": PAST}, "resolved"),
        ({"cleared_at": FUTURE}, "firing"),
        ({"end_time": PAST}, "firing"),
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


def test_a_body_without_a_status_is_refused_with_the_names_that_were_looked_at() -> None:
    with pytest.raises(MalformedPayload) as refused:
        read(source("generic", firing=["bad*"]), {"id": "1"})
    assert "looked at status, state, " in str(refused.value)
    assert len(str(refused.value)) < 1_000


def test_a_path_of_the_settings_is_named_wherever_it_leads() -> None:
    with pytest.raises(MalformedPayload, match=r"looked at data\.health$"):
        read(source("generic", firing=["bad*"], fields={"status": "data.health"}), {"id": "1"})
