"""Select the alerts of a body that are kept: all of them up to a bound, then the firing and the worst ones."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from watchkeeper.alerts.payload import PayloadTooLarge
from watchkeeper.alerts.severity import temporal_priority
from watchkeeper.alerts.start_filter import reason_not_to_start
from watchkeeper.config.alert_source import SourceSection
from watchkeeper.contracts import Alert

MAX_ALERTS = 5_000
"""How many alerts of one body are kept, and how many groups a body may have."""

_STARTS_NO_RUN = 10
_RESOLVED = 20
_Group: TypeAlias = tuple[str, ...]


@dataclass(frozen=True)
class _Entry:
    alert: Alert
    rank: int
    number: int
    """Position in the body."""


class AlertSelection:
    """Takes the alerts of a body one by one. It holds at most twice ``limit``, and the worst alert of each group."""

    def __init__(self, section: SourceSection, limit: int = MAX_ALERTS) -> None:
        self._section = section
        self._limit = limit
        self._entries: list[_Entry] = []
        self._count = 0
        self.left_out = Counter[str]()
        """By group: how many alerts are left out."""
        self.left_out_firing = Counter[str]()
        """How many of these fire."""

    def add(self, alert: Alert) -> None:
        """Take an alert. Raises PayloadTooLarge if the body has too many groups."""
        self._entries.append(_Entry(alert, _rank(alert, self._section), self._count))
        self._count += 1
        if len(self._entries) >= 2 * self._limit:
            self._prune()

    def finish(self) -> list[Alert]:
        """Return the selected alerts in the order of the body. Raises PayloadTooLarge."""
        if len(self._entries) > self._limit:
            self._prune()
        return [entry.alert for entry in sorted(self._entries, key=lambda entry: entry.number)]

    def _prune(self) -> None:
        ordered = _in_order(self._entries)
        first = {self._group(entry.alert): entry for entry in reversed(ordered)}
        if len(first) > self._limit:
            raise PayloadTooLarge(f"the body holds more than {self._limit:,} groups of alerts; send fewer at once")
        heads = {id(entry) for entry in first.values()}
        kept, room = list[_Entry](), self._limit - len(first)
        for entry in ordered:
            if id(entry) in heads:
                kept.append(entry)
            elif room > 0:
                room -= 1
                kept.append(entry)
            else:
                self.left_out[entry.alert.group] += 1
                self.left_out_firing[entry.alert.group] += entry.alert.status == "firing"
        self._entries = kept

    def _group(self, alert: Alert) -> _Group:
        return (alert.group, *(alert.labels.get(label, "") for label in self._section.split_by))


def worst_first(alerts: Iterable[Alert], section: SourceSection) -> list[Alert]:
    """Return alerts in this order: alerts that start a run, other firing alerts, resolved ones; the worst first."""
    entries = [_Entry(alert, _rank(alert, section), number) for number, alert in enumerate(alerts)]
    return [entry.alert for entry in _in_order(entries)]


def _rank(alert: Alert, section: SourceSection) -> int:
    if alert.status == "resolved":
        return _RESOLVED
    return temporal_priority(alert.severity) + (_STARTS_NO_RUN if reason_not_to_start(alert, section) else 0)


def _in_order(entries: Sequence[_Entry]) -> list[_Entry]:
    """Return entries by rank. Those about the same alert stay together and in order: the last one may decide."""
    best: dict[tuple[str, str], tuple[int, int]] = {}
    for entry in entries:
        key = (entry.alert.group, entry.alert.fingerprint)
        rank, number = best.get(key, (entry.rank, entry.number))
        best[key] = (min(rank, entry.rank), min(number, entry.number))
    return sorted(entries, key=lambda entry: (*best[entry.alert.group, entry.alert.fingerprint], entry.number))
