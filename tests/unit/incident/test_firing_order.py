"""The table "In any order" of ``docs/alerts.md`` is the reference: every ordering of every source agrees with it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import replace

import pytest

from tests.support.alert_requests import NOW
from tests.support.alert_vendors import (
    ENDED,
    FIRST,
    REPEATED,
    SECOND,
    SECOND_ENDED,
    VENDORS,
    Message,
    Vendor,
)
from tests.support.paths import DOCS
from watchkeeper.alerts.registry import source_kinds
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.contracts import Alert, AlertNotification, EpisodeMemo
from watchkeeper.incident.alert_text import for_people
from watchkeeper.incident.compact_alerts import firing_ids
from watchkeeper.incident.episode import Episode
from watchkeeper.incident.handled_firings import are_handled, remembered_alerts

WARNED = replace(FIRST, severity="warning")
RAISED = replace(REPEATED, severity="critical")
LOWERED = replace(REPEATED, severity="warning")


def table() -> dict[str, dict[str, str]]:
    """Read the table of the documentation: for each source and ordering, what happens."""
    section = (DOCS / "alerts.md").read_text().partition("\n## In any order\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    start = next(number for number, row in enumerate(rows) if row[0] == "source")
    return {row[0]: dict(zip(rows[start][1:], row[1:], strict=True)) for row in rows[start + 1 :]}


def arrive(episode: Episode, *alerts: Alert, at: float = NOW) -> bool:
    """Apply alerts, a second after each other. Returns whether the last one changed anything."""
    changed = False
    for number, alert in enumerate(alerts):
        changed = episode.apply(AlertNotification(alerts=[alert], at=at + number))
    return changed


def play(vendor: Vendor, *messages: Message) -> tuple[Episode, bool]:
    """Return the episode of an open run after the messages, and whether the last one changed anything."""
    episode = Episode()
    arrive(episode, *map(vendor.alert, messages[:-1]))
    episode.take_unread()
    return episode, arrive(episode, vendor.alert(messages[-1]), at=NOW + len(messages))


def handled(vendor: Vendor, before: Sequence[Message], then: Message) -> bool:
    """Return whether a firing is repeated that a closed run has handled; if not, it starts the next run."""
    episode, _ = play(vendor, *before)
    memo = EpisodeMemo(status="concluded", summary="s", began=[NOW], marks=firing_ids(episode.states))
    kept = {"alerts": remembered_alerts(episode.states), "messages": episode.messages}
    memo = EpisodeMemo.model_validate_json(memo.model_copy(update=kept).model_dump_json())
    return are_handled([vendor.alert(then)], memo, NOW + len(before) + 1)


def firing(vendor: Vendor) -> str:
    """F1."""
    episode, changed = play(vendor, FIRST)
    assert (changed, episode.firing, episode.joined) == (True, 1, 1)
    return "starts" if reason_not_to_start(vendor.alert(FIRST), vendor.source().section) is None else "nothing"


def repeat(vendor: Vendor) -> str:
    """F1 F1."""
    for again in (FIRST, REPEATED):
        episode, changed = play(vendor, FIRST, again)
        assert (episode.firing, episode.refired) == (1, 0)
        assert not changed
    return "nothing"


def late_end(vendor: Vendor) -> str:
    """F1 F2 R1."""
    episode, _ = play(vendor, FIRST, SECOND, ENDED)
    if not episode.firing:
        return "ends"
    assert [alert.status for alert in episode.older_ends] == ["resolved"]
    assert "1 end of earlier firings ignored" in for_people(episode.states)[0]
    return "ignored"


def late_firing(vendor: Vendor) -> str:
    """F1 R1 F1."""
    episode, _ = play(vendor, FIRST, ENDED, FIRST)
    assert handled(vendor, [FIRST, ENDED], FIRST) == (not episode.firing)
    return "fires" if episode.firing else "ignored"


def reopened(vendor: Vendor) -> str:
    """F1 R1 F2."""
    episode, changed = play(vendor, FIRST, ENDED, SECOND)
    assert (changed, episode.firing, episode.joined, episode.refired) == (True, 1, 1, 1)
    assert not handled(vendor, [FIRST, ENDED], SECOND)
    return "fires"


def raised(vendor: Vendor) -> str:
    """F1 as a warning, F1 as critical."""
    episode, changed = play(vendor, WARNED, RAISED)
    if len(episode.states) > 1:
        return "another alert"
    if vendor.alert(RAISED).severity is None:
        return "no severity"
    section = vendor.source().section
    assert reason_not_to_start(vendor.alert(WARNED), section) == "its severity starts no run"
    assert reason_not_to_start(vendor.alert(RAISED), section) is None
    assert not handled(vendor, [WARNED], RAISED)
    assert (changed, episode.joined, episode.states[0].severity) == (True, 1, "critical")
    arrive(episode, vendor.alert(LOWERED), vendor.alert(RAISED))
    episode.take_unread()
    assert episode.joined == 0, "a severity that goes up and down counts once"
    return "raised"


def lowered(vendor: Vendor) -> str:
    """F1 as critical, F1 as a warning."""
    episode, changed = play(vendor, FIRST, LOWERED)
    if len(episode.states) > 1:
        return "another alert"
    if vendor.alert(LOWERED).severity is None:
        return "no severity"
    assert (changed, episode.firing, episode.joined, episode.states[0].severity) == (True, 1, 0, "warning")
    return "lowered"


def resolved(vendor: Vendor) -> str:
    """F1 R1."""
    episode, changed = play(vendor, FIRST, ENDED)
    assert changed
    return "recovers" if episode.recovered_at else "nothing"


def replayed_end(vendor: Vendor) -> str:
    """F1 R1 F2 R1."""
    episode, _ = play(vendor, FIRST, ENDED, SECOND, ENDED)
    assert not episode.firing or episode.older_ends
    later, _ = play(vendor, FIRST, ENDED, SECOND, ENDED, SECOND_ENDED)
    assert not later.firing, "the end of the second firing still counts"
    return "ignored" if episode.firing else "ends"


def repeat_after_the_run(vendor: Vendor) -> str:
    """F1, the run ends while the alert fires, F1."""
    return "nothing" if handled(vendor, [FIRST], REPEATED) else "starts"


def any_order(vendor: Vendor) -> str:
    """F1 F1 R1 F2 R2 in every order, each once more at the end in another."""
    ended = [vendor.alert(message) for message in (FIRST, REPEATED, ENDED, SECOND, SECOND_ENDED)]
    for alerts, expected in ((ended[:-1], 1), (ended, 0)):
        for order in itertools.permutations(alerts):
            episode = Episode()
            arrive(episode, *order, *reversed(order[:2]))
            if episode.firing != expected:
                return "arrival"
    return "same"


ORDERINGS: dict[str, Callable[[Vendor], str]] = {
    "firing": firing,
    "repeat": repeat,
    "late end": late_end,
    "late firing": late_firing,
    "reopened": reopened,
    "raised": raised,
    "lowered": lowered,
    "resolved": resolved,
    "replayed end": replayed_end,
    "repeat after the run": repeat_after_the_run,
    "any order": any_order,
}


def test_the_table_has_a_row_for_every_source_and_a_column_for_every_ordering() -> None:
    assert list(table()) == list(VENDORS)
    assert all(list(row) == list(ORDERINGS) for row in table().values())
    assert {vendor.kind for vendor in VENDORS.values()} == set(source_kinds())
    assert {re.split(r"[ ,]", name)[0] for name in VENDORS} == set(source_kinds())


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("name", VENDORS)
def test_every_ordering_agrees_with_the_table(name: str, ordering: str) -> None:
    assert ORDERINGS[ordering](VENDORS[name]) == table()[name][ordering]


PAGERDUTY, DATADOG = VENDORS["pagerduty"], VENDORS["datadog"]


@pytest.mark.parametrize("name", [name for name, row in table().items() if row["any order"] == "same"])
def test_a_late_message_does_not_lower_a_severity(name: str) -> None:
    vendor = VENDORS[name]
    if table()[name]["raised"] == "raised" and vendor.alert(RAISED).as_of != vendor.alert(WARNED).as_of:
        episode, changed = play(vendor, RAISED, WARNED)
        assert (changed, episode.states[0].severity) == (False, "critical")


@pytest.mark.parametrize(
    ("messages", "firing"),
    [((FIRST, ENDED, SECOND), 0), ((FIRST, SECOND, ENDED), 0), ((FIRST, ENDED, FIRST), 0), ((FIRST, ENDED), 0)],
)
def test_a_run_that_began_before_these_rules_keeps_its_own(messages: Sequence[Message], firing: int) -> None:
    """Its history was recorded with them: a reopened PagerDuty incident was lost, and any end ended it."""
    episode = Episode()
    for message in messages:
        recorded = PAGERDUTY.alert(message).model_copy(
            update={"as_of": None, "starts_at": PAGERDUTY.alert(FIRST).starts_at}
        )
        episode.apply(AlertNotification(alerts=[recorded], at=NOW), in_order=False)
    assert episode.firing == firing


def test_a_firing_whose_start_was_lost_and_whose_end_came_is_over() -> None:
    episode, changed = play(DATADOG, FIRST, SECOND_ENDED)
    assert (changed, episode.firing) == (True, 0)
    arrive(episode, DATADOG.alert(SECOND), DATADOG.alert(ENDED))
    assert (episode.firing, episode.older_ends) == (0, [])


def test_alertmanager_continues_a_firing_that_it_took_for_resolved() -> None:
    """Prometheus was cut off from Alertmanager: the alert resolves, and then fires with the same ``startsAt``."""
    vendor = VENDORS["alertmanager"]
    episode, _ = play(vendor, FIRST, ENDED)
    arrive(episode, vendor.alert(FIRST), at=NOW + 60)
    assert episode.firing == 0, "a late notification of another instance"
    arrive(episode, vendor.alert(FIRST), at=NOW + 300)
    assert episode.firing == 1
    arrive(episode, vendor.alert(ENDED), at=NOW + 301)
    assert episode.firing == 1, "the first end, sent again"
    arrive(episode, vendor.alert(replace(ENDED, at=400)), at=NOW + 400)
    assert episode.firing == 0
