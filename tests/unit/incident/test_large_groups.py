"""Alerts of a large group are listed compactly, and are applied as if they were listed with all details."""

from __future__ import annotations

import random
import time

import pytest

from watchkeeper.contracts import Alert, AlertNotification, CompactAlert
from watchkeeper.incident.compact_alerts import MAX_TITLED_ALERTS
from watchkeeper.incident.episode import MAX_TRACKED_ALERTS, Episode, without_details

BEGAN = 1_795_345_800.0


def make_alert(number: int, firing: int = 0, over: float | None = None, severity: str = "critical") -> Alert:
    starts_at = BEGAN + firing * 1_000
    fields = {
        "source": "prod",
        "group": "g",
        "fingerprint": f"{number:016x}",
        "title": "PodCrashes: checkout",
        "status": "firing" if over is None else "resolved",
        "episode": f"{starts_at}",
        "starts_at": starts_at,
        "ends_at": over,
        "as_of": starts_at if over is None else over,
        "late_for": 120.0,
        "severity": severity,
    }
    return Alert.model_validate({name: value for name, value in fields.items() if value is not None})


def detailed(alerts: list[Alert], at: float) -> AlertNotification:
    return AlertNotification(alerts=alerts, at=at, tracked=MAX_TRACKED_ALERTS)


def listed(alerts: list[Alert], at: float) -> AlertNotification:
    """List all but the first alert compactly."""
    rows = [
        CompactAlert(one.fingerprint, one.status, 0, one.severity, one.starts_at, one.ends_at, one.episode)
        for one in alerts[1:]
    ]
    first = without_details(alerts[0])
    return AlertNotification(alerts=[first], at=at, tracked=MAX_TRACKED_ALERTS, more=rows, titles=[first.title])


@pytest.mark.parametrize("seed", range(12))
@pytest.mark.parametrize("known", [40, MAX_TITLED_ALERTS + 60], ids=["titled", "compact"])
def test_both_forms_of_a_notification_have_the_same_effect(seed: int, known: int) -> None:
    chosen = random.Random(seed)
    with_details, compact = Episode(), Episode()
    for turn in range(8):
        at = BEGAN + 1_000 * turn
        alerts = [
            make_alert(
                chosen.randrange(known) if turn else number,
                chosen.choice([0, 0, 0, turn // 2]),
                chosen.choice([None, None, BEGAN + chosen.randrange(8) * 900.0]),
                chosen.choice(["critical", "critical", "warning"]),
            )
            for number in range(known)
        ]
        with_details.apply(detailed(alerts, at))
        compact.apply(listed(alerts, at))
        assert compact.states == with_details.states
        assert (compact.firing, compact.refired) == (with_details.firing, with_details.refired)
        assert (compact.recovered_at, compact.joined) == (with_details.recovered_at, with_details.joined)


def test_a_repetition_of_a_large_group_takes_little_time() -> None:
    """A worker has two seconds for a workflow task, and a replay applies every notification of the history."""
    alerts = [make_alert(number) for number in range(MAX_TRACKED_ALERTS)]
    over = [make_alert(number, over=BEGAN + 500) for number in range(MAX_TRACKED_ALERTS)]
    episode = Episode()
    for notification in (listed(alerts, BEGAN), listed(over, BEGAN + 500)):
        began = time.process_time()
        episode.apply(notification)
        first = time.process_time() - began
        repeats = []
        for _ in range(3):
            began = time.process_time()
            assert not episode.apply(notification)
            repeats.append(time.process_time() - began)
        assert min(repeats) < first / 2
    assert episode.firing == 0
