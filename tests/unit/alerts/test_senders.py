"""The ready-made tables of senders: firing, repeated, resolved, firing again, and tests.

The bodies follow the vendors' references, which each table names.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

import pytest

from tests.support.alert_requests import NOW, assert_fit, only, payload, posted, read, refused, source, verify
from tests.support.sender_vendors import Changes, body
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.payload import MalformedPayload
from watchkeeper.alerts.sender_tables import sender_kinds, sender_table
from watchkeeper.alerts.service_lookup import match_service
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.contracts import Alert, AlertNotification
from watchkeeper.incident.episode import Episode

STARTED = 1795345829


@dataclass(frozen=True)
class Sender:
    """The changes of the first body of a sender that make its other bodies, by path."""

    severity: str | None
    resolved: Changes
    again: Changes
    """The next firing."""
    ignored: list[Changes] = field(default_factory=list)
    ends: list[Changes] = field(default_factory=list)
    """Other ends."""
    repeat: Changes = field(default_factory=dict)
    test: Changes | None = None
    has_start: bool = True
    has_end: bool = True


LATER, NEXT = "2026-11-22T11:20:00Z", "2026-11-22T11:30:00Z"
SENDERS = {
    "better_stack": Sender(
        None,
        {"event": "resolved", "data.attributes.resolved_at": LATER, "data.attributes.status": "Resolved"},
        {"data.id": "26", "data.attributes.started_at": NEXT},
        [{"event": "created", "data.type": "monitor"}, {"event": "paused"}],
        [{"event": None, "data.attributes.status": "Resolved", "data.attributes.resolved_at": LATER}],
        {"event": "acknowledged", "data.attributes.acknowledged_at": LATER},
    ),
    "healthchecks": Sender(
        None, {"status": "up", "check.status": "up", "now": LATER}, {"now": NEXT}, [{"status": "paused"}]
    ),
    "signalfx": Sender(
        "critical",
        {"statusExtended": "ok", "status": "ok", "timestamp": LATER},
        {"incidentId": "D2", "timestamp": NEXT},
        ends=[
            {"statusExtended": "manually resolved", "status": "ok", "timestamp": LATER},
            {"statusExtended": "stopped", "status": "ok", "timestamp": LATER},
            {"statusExtended": "MANUALLY_RESOLVED", "status": "ok", "timestamp": LATER},
            {"statusExtended": "auto resolved", "status": "ok", "timestamp": LATER},
        ],
    ),
    "vrealize": Sender(
        "error",
        {"status": "CANCELED", "cancelDate": 1795346400000},
        {"alertId": "7", "startDate": 1795347000000, "cancelDate": 0},
        ends=[
            {"status": "CANCELLED", "cancelDate": 1795346400000},
            {"status": "INACTIVE", "cancelDate": 1795346400000},
        ],
        repeat={"status": "UPDATED", "updateDate": 1795346000000},
        test={
            "adapterKind": "sample-adapter-type",
            "alertId": "sample-alert-uuid",
            "resourceId": "sample-object-uuid",
            "resourceName": "sample-object-name",
            "startDate": 1369757346267,
        },
    ),
    "uptime_kuma": Sender(
        None,
        {"heartbeat.status": 1, "heartbeat.time": "2026-11-22 11:20:00.100", "heartbeat.msg": "200 - OK"},
        {"heartbeat.time": "2026-11-22 11:30:00.100"},
        [{"heartbeat.status": 2}, {"heartbeat.status": 3}],
        repeat={"heartbeat.time": "2026-11-22 11:15:00.100"},
        test={"heartbeat": None, "monitor": None, "msg": "Watchkeeper Testing"},
    ),
    "zabbix": Sender(
        "error",
        {"value": "0"},
        {"event_id": "4712"},
        [{"value": "2"}],
        test={"event_id": "{EVENT.ID}", "trigger_id": "{TRIGGER.ID}"},
        has_start=False,
        has_end=False,
    ),
    "icinga2": Sender(
        "critical",
        {"type": "RECOVERY", "state": "OK", "time": 1795346400.5},
        {"time": 1795347000.5},
        [{"type": "ACKNOWLEDGEMENT"}, {"type": "CUSTOM"}, {"type": "DOWNTIMESTART"}, {"type": "FLAPPINGEND"}],
        repeat={"time": 1795346000.5},
    ),
    "azure_monitor": Sender(
        "error",
        {"data.essentials.monitorCondition": "Resolved", "data.essentials.resolvedDateTime": LATER},
        {"data.essentials.alertId": "/alerts/a2", "data.essentials.firedDateTime": NEXT},
    ),
    "google_cloud_monitoring": Sender(
        "critical",
        {"incident.state": "closed", "incident.ended_at": 1795346400},
        {"incident.incident_id": "0.other", "incident.started_at": 1795347000},
        test={
            "version": "test",
            "incident.incident_id": "12345",
            "incident.state": "OPEN",
            "incident.started_at": 0,
            "incident.ended_at": 0,
            "incident.documentation": "Test documentation",
            "incident.policy_name": "projects/12345/alertPolicies/12345",
        },
    ),
    "new_relic": Sender(
        "critical",
        {"state": "CLOSED", "updatedAt": 1795346400000},
        {"id": "another", "createdAt": 1795347000000},
        repeat={"state": "ACTIVATED", "trigger": "INCIDENT_ADDED", "updatedAt": 1795346000000, "totalIncidents": 2},
        test={"current_state": "test", "id": None, "incident_id": 0, "state": None},
    ),
    "grafana_legacy": Sender(
        "critical",
        {"state": "ok"},
        {},
        [{"state": "paused"}, {"state": "pending"}],
        test={"ruleId": 0},
        has_start=False,
        has_end=False,
    ),
}
GROUPS_OF_THEIR_OWN = {"signalfx", "google_cloud_monitoring", "new_relic"}
"""Each firing of these is a group: nothing in a body names what is in trouble."""


def sent(kind: str, changes: Changes | None = None) -> Alert:
    return only(read(source(kind), body(kind, changes or {})))


def test_every_table_is_tested_and_cites_its_source() -> None:
    assert sender_kinds() == sorted(SENDERS)


@pytest.mark.parametrize("kind", SENDERS)
def test_a_firing_alert_starts_a_run_for_its_service(kind: str) -> None:
    fired, configured = sent(kind), source(kind)
    assert_fit(fired)
    assert fired.status == "firing"
    assert fired.severity == SENDERS[kind].severity
    assert match_service(fired, ["checkout"], configured.section.service_labels) == "checkout"
    assert (fired.starts_at is not None) is SENDERS[kind].has_start
    if fired.starts_at is not None:
        assert int(fired.starts_at) == STARTED
    assert reason_not_to_start(fired, configured.section) is None
    assert fired.title not in ("", "25", "(alert without a title)")


@pytest.mark.parametrize("kind", SENDERS)
def test_ends_end_the_firing_and_nothing_else_does(kind: str) -> None:
    sender = SENDERS[kind]
    for changes in [sender.resolved, *sender.ends]:
        episode, over = Episode(), sent(kind, changes)
        assert_fit(over)
        assert over.status == "resolved"
        assert workflow_id(over) == workflow_id(sent(kind))
        if sender.has_end:
            assert over.ends_at is not None
            assert int(over.ends_at) == 1795346400
        assert apply(episode, sent(kind), over)
        assert episode.firing == 0


@pytest.mark.parametrize("kind", SENDERS)
def test_a_repeated_notification_is_the_same_firing(kind: str) -> None:
    episode = Episode()
    assert apply(episode, sent(kind))
    assert not apply(episode, sent(kind), sent(kind, SENDERS[kind].repeat))
    assert (episode.firing, episode.refired) == (1, 0)


@pytest.mark.parametrize("kind", SENDERS)
def test_it_fires_again_after_its_end(kind: str) -> None:
    sender, episode = SENDERS[kind], Episode()
    again = sent(kind, sender.again)
    apply(episode, sent(kind), sent(kind, sender.resolved))
    assert apply(episode, again)
    assert episode.firing == 1
    assert (workflow_id(again) == workflow_id(sent(kind))) is (kind not in GROUPS_OF_THEIR_OWN)


@pytest.mark.parametrize(
    ("kind", "changes"), [(kind, one) for kind, sender in SENDERS.items() for one in sender.ignored]
)
def test_other_events_are_ignored_with_a_reason(kind: str, changes: Changes) -> None:
    parsed = read(source(kind), body(kind, changes or {}))
    assert (parsed.alerts, parsed.ignored) == ([], ["its status is neither firing nor resolved"])


@pytest.mark.parametrize("kind", [kind for kind, sender in SENDERS.items() if sender.test])
def test_a_test_starts_no_run(kind: str) -> None:
    tested, configured = sent(kind, SENDERS[kind].test), source(kind)
    assert tested.occasion == "test"
    assert reason_not_to_start(tested, configured.section) == "it is a test"


@pytest.mark.parametrize("kind", SENDERS)
@pytest.mark.parametrize("strange", [{}, {"hello": "world"}, {"alerts": []}, {"status": None}])
def test_a_body_of_another_format_is_malformed(kind: str, strange: dict[str, object]) -> None:
    with pytest.raises(MalformedPayload) as caught:
        read(source(kind), strange)
    assert "nothing says" in str(caught.value)


def apply(episode: Episode, *alerts: Alert) -> bool:
    return [episode.apply(AlertNotification(alerts=[alert], at=NOW)) for alert in alerts][-1]


# --- one sender each ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "path", "words"),
    [
        ("azure_monitor", "data.essentials.severity", {"Sev0": "critical", "Sev1": "error", "Sev2": "warning"}),
        ("azure_monitor", "data.essentials.severity", {"Sev3": "info", "Sev4": "info"}),
        ("zabbix", "severity", {"5": "critical", "4": "error", "3": "warning", "2": "warning", "1": "info", "0": None}),
        ("google_cloud_monitoring", "incident.severity", {"Error": "error", "Warning": "warning", "No severity": None}),
        ("icinga2", "state", {"DOWN": "critical", "CRITICAL": "critical", "UNKNOWN": "error", "WARNING": "warning"}),
        ("new_relic", "priority", {"HIGH": "error", "MEDIUM": "warning", "LOW": "info"}),
        ("signalfx", "severity", {"Major": "error", "Minor": "warning", "Warning": "warning", "Info": "info"}),
        ("vrealize", "criticality", {"ALERT_CRITICALITY_LEVEL_CRITICAL": "critical"}),
    ],
)
def test_severities_of_senders(kind: str, path: str, words: dict[str, str | None]) -> None:
    assert {word: sent(kind, {path: word}).severity for word in words} == words


def test_a_notification_of_uptime_kuma_about_a_certificate_fires() -> None:
    fired = sent("uptime_kuma", {"heartbeat": None, "monitor": None, "msg": "[checkout] Certificate expires in 3 days"})
    assert (fired.status, fired.occasion, fired.title) == ("firing", None, "[checkout] Certificate expires in 3 days")


def test_missing_data_in_legacy_grafana() -> None:
    assert sent("grafana_legacy", {"state": "no_data"}).occasion == "no_data"


async def test_signalfx_signs_with_its_shared_secret() -> None:
    raw = payload("signalfx")
    signature = base64.b64encode(hmac.new(b"shared", raw, hashlib.sha256).digest()).decode()
    configured = source("signalfx", secrets=["shared"])
    await verify(configured, posted(raw, x_sfx_signature=signature))
    await refused(configured, posted(raw + b" ", x_sfx_signature=signature))
    await refused(configured, posted(raw))


def test_the_settings_of_a_source_replace_those_of_the_table() -> None:
    configured = source("zabbix", severity_names={"4": "critical"}, fields={"service": "host"})
    alert = only(read(configured, body("zabbix", {})))
    assert (alert.severity, alert.service) == ("critical", "web-1")
    assert alert.episode == "4711"
    assert sender_table("zabbix")["firing"] == ["1"]
