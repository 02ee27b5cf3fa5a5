"""What the watchdog knows, in memory and in its journal."""

from __future__ import annotations

import logging
from collections.abc import Coroutine
from typing import Any

from watchkeeper.watchdog.journal import Journal, JournalError
from watchkeeper.watchdog.models import WatchdogCounts, WatchedIncident

RETENTION = 86_400.0
"""Seconds for which an incident is kept that is over, so that alerts which join it late do not have it watched anew."""

MAX_CLOSED = 10_000
"""Incidents that are over and kept; in a storm the oldest go sooner."""

logger = logging.getLogger(__name__)


class WatchList:
    """Holds what is watched. What cannot be written is watched all the same, for as long as this process lives."""

    def __init__(self, journal: Journal, counts: WatchdogCounts) -> None:
        self._journal = journal
        self._counts = counts
        self._watched: dict[str, WatchedIncident] = {}
        self._open: dict[str, WatchedIncident] = {}
        self._refusals: dict[str, WatchedIncident] = {}
        for watched in journal.watched():
            self._note(watched)
        self.outage = journal.outage()
        """When the outage began that lasts, in Unix seconds."""
        counts.outage = self.outage is not None

    @property
    def all(self) -> list[WatchedIncident]:
        """Everything that is kept, what is over too."""
        return list(self._watched.values())

    @property
    def open(self) -> list[WatchedIncident]:
        """What people do not know of yet."""
        return list(self._open.values())

    def find(self, key: str) -> WatchedIncident | None:
        """Return an incident that is kept."""
        return self._watched.get(key)

    def refusal(self, workflow_id: str) -> WatchedIncident | None:
        """Return the refusal of a group that is kept."""
        return self._refusals.get(workflow_id)

    async def put(self, watched: WatchedIncident) -> None:
        """Watch an incident, or keep how it stands now."""
        self._note(watched)
        await self._kept(self._journal.put(watched))

    async def drop(self, watched: WatchedIncident) -> None:
        """Watch an incident no more."""
        self._watched.pop(watched.key, None)
        self._open.pop(watched.key, None)
        if watched.run_id is None:
            self._refusals.pop(watched.workflow_id, None)
        self._tally()
        await self._kept(self._journal.drop(watched.key))

    async def begin_outage(self, since: float) -> None:
        """Keep when an outage began."""
        self.outage, self._counts.outage = since, True
        await self._kept(self._journal.begin_outage(since))

    async def end_outage(self) -> None:
        """Forget the outage."""
        self.outage, self._counts.outage = None, False
        await self._kept(self._journal.end_outage())

    async def prune(self, now: float) -> None:
        """Let go of what has been over for long."""
        over = [(_over_at(watched), watched.key) for watched in self._watched.values() if watched.over]
        over.sort()
        for number, (at, key) in enumerate(over):
            if at > now - RETENTION and number >= len(over) - MAX_CLOSED:
                return
            await self.drop(self._watched[key])

    def _note(self, watched: WatchedIncident) -> None:
        self._watched[watched.key] = watched
        if watched.run_id is None:
            self._refusals[watched.workflow_id] = watched
        if watched.over:
            self._open.pop(watched.key, None)
        else:
            self._open[watched.key] = watched
        self._tally()

    def _tally(self) -> None:
        self._counts.watched = len(self._open)
        self._counts.refused = sum(not refusal.over for refusal in self._refusals.values())

    async def _kept(self, writing: Coroutine[Any, Any, None]) -> None:
        try:
            await writing
        except JournalError as error:
            self._counts.unjournaled += 1
            logger.error("%s; what it should hold is watched until this process ends", error)


def _over_at(watched: WatchedIncident) -> float:
    return max(watched.reported_at or 0.0, watched.paged_at or 0.0)
