"""The table "In any order" of ``docs/senders.md``: every ordering of every ready-made sender agrees with it."""

from __future__ import annotations

import pytest

from tests.support.alert_vendors import ENDED, FIRST, SECOND
from tests.support.paths import DOCS
from tests.support.sender_vendors import SENDERS
from tests.unit.incident.test_firing_order import ORDERINGS, arrive, play
from watchkeeper.alerts.identity import workflow_id
from watchkeeper.alerts.sender_tables import sender_kinds
from watchkeeper.incident.episode import Episode

IDS_OF_FIRINGS = ["google_cloud_monitoring", "new_relic", "signalfx"]


def table() -> dict[str, dict[str, str]]:
    section = (DOCS / "senders.md").read_text().partition("\n## In any order\n")[2].partition("\n## ")[0]
    rows = [line.strip("| ").split(" | ") for line in section.splitlines() if line.startswith("| ")]
    return {row[0]: dict(zip(rows[0][1:], row[1:], strict=True)) for row in rows[1:]}


def test_every_sender_has_a_row_and_every_ordering_a_column() -> None:
    assert sorted([*table(), *IDS_OF_FIRINGS]) == sorted(SENDERS) == sender_kinds()
    assert all(list(row) == list(ORDERINGS) for row in table().values())


@pytest.mark.parametrize("ordering", ORDERINGS)
@pytest.mark.parametrize("kind", [kind for kind in SENDERS if kind not in IDS_OF_FIRINGS])
def test_every_ordering_agrees_with_the_table(kind: str, ordering: str) -> None:
    assert ORDERINGS[ordering](SENDERS[kind]) == table()[kind][ordering]


@pytest.mark.parametrize("kind", IDS_OF_FIRINGS)
def test_each_firing_with_an_id_of_its_own_is_an_incident_of_its_own(kind: str) -> None:
    sender = SENDERS[kind]
    first, second, over = map(sender.alert, (FIRST, SECOND, ENDED))
    assert workflow_id(first) == workflow_id(over) != workflow_id(second)
    for alerts in ([first, over], [over, first], [first, over, first], [first, over, over]):
        episode = Episode()
        arrive(episode, *alerts)
        assert episode.firing == 0
    assert play(sender, FIRST, FIRST)[0].firing == 1
