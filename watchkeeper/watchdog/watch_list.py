"""The incidents that the watchdog watches, in memory and in its journal."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Any

from watchkeeper.watchdog.journal import Journal, JournalError
from watchkeeper.watchdog.models import WatchdogCounts, WatchedIncident

RETENTION = 86_400.0
"""Seconds for which a closed incident is kept, so that alerts which join it late are not watched again."""

MAX_CLOSED = 10_000
"""Closed incidents to keep. In a storm the oldest are removed earlier."""

logger = logging.getLogger(__name__)


class WatchList:
    """Holds the incidents. If the journal cannot be written, it holds them until this process ends."""

    def __init__(self, journal: Journal, counts: WatchdogCounts) -> None:
        self._journal = journal
        self._counts = counts
        self._incidents: dict[str, WatchedIncident] = {}
        self._open: dict[str, WatchedIncident] = {}
        self._refusals: dict[str, WatchedIncident] = {}
        self._open_refusals = set[str]()
        for incident in journal.incidents():
            self._add(incident)
        self.outage = journal.outage()
        """When the current outage began, in Unix seconds; None if there is no outage."""
        counts.outage = self.outage is not None

    @property
    def all(self) -> list[WatchedIncident]:
        """Every incident, including the closed ones."""
        return list(self._incidents.values())

    @property
    def open(self) -> list[WatchedIncident]:
        """Incidents without a report or a page."""
        return list(self._open.values())

    def find(self, key: str) -> WatchedIncident | None:
        """Return an incident by its key."""
        return self._incidents.get(key)

    def refusal(self, workflow_id: str) -> WatchedIncident | None:
        """Return the refused incident of a group."""
        return self._refusals.get(workflow_id)

    async def put(self, incident: WatchedIncident) -> None:
        """Add an incident, or save its changed state."""
        self._add(incident)
        await self._write(self._journal.put(incident))

    async def drop(self, incident: WatchedIncident) -> None:
        """Remove an incident."""
        self._incidents.pop(incident.key, None)
        self._open.pop(incident.key, None)
        if incident.run_id is None:
            self._refusals.pop(incident.workflow_id, None)
            self._open_refusals.discard(incident.workflow_id)
        self._update_counts()
        await self._write(self._journal.drop(incident.key))

    async def begin_outage(self, since: float) -> None:
        """Save when an outage began, in Unix seconds."""
        self.outage, self._counts.outage = since, True
        await self._write(self._journal.begin_outage(since))

    async def end_outage(self) -> None:
        """Remove the outage."""
        self.outage, self._counts.outage = None, False
        await self._write(self._journal.end_outage())

    async def prune(self, now: float) -> None:
        """Remove closed incidents beyond their retention or their number."""
        closed = [(_closed_at(incident), incident.key) for incident in self._incidents.values() if incident.is_closed]
        closed.sort()
        for number, (at, key) in enumerate(closed):
            if at > now - RETENTION and number >= len(closed) - MAX_CLOSED:
                return
            await self.drop(self._incidents[key])

    def _add(self, incident: WatchedIncident) -> None:
        self._incidents[incident.key] = incident
        if incident.run_id is None:
            self._refusals[incident.workflow_id] = incident
            if incident.is_closed:
                self._open_refusals.discard(incident.workflow_id)
            else:
                self._open_refusals.add(incident.workflow_id)
        if incident.is_closed:
            self._open.pop(incident.key, None)
        else:
            self._open[incident.key] = incident
        self._update_counts()

    def _update_counts(self) -> None:
        self._counts.watched = len(self._open)
        self._counts.refused = len(self._open_refusals)

    async def _write(self, write: Coroutine[Any, Any, None]) -> None:
        try:
            await write
        except JournalError as error:
            self._counts.unjournaled += 1
            logger.error("%s; the incident is watched only until this process ends", error)


def _closed_at(incident: WatchedIncident) -> float:
    return max(incident.reported_at or 0.0, incident.paged_at or 0.0)
