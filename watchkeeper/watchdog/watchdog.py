"""Watching from outside the workers that every accepted alert ends in a report, and paging people where none comes."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import NoReturn

from httpx2 import AsyncClient
from temporalio.client import Client

from watchkeeper.config.settings import Settings
from watchkeeper.watchdog.journal import Journal
from watchkeeper.watchdog.models import AcceptedAlerts, RefusedGroup, WatchdogCounts, WatchedIncident
from watchkeeper.watchdog.page_text import DuePage, format_duration
from watchkeeper.watchdog.pager import WatchdogPager
from watchkeeper.watchdog.poller import PollResult, TemporalPoller
from watchkeeper.watchdog.watch_list import RETENTION, WatchList

POLL_INTERVAL = 5.0
"""Seconds from one look to the next."""

MARGIN = 900.0
"""Seconds beyond what the limits of runs allow: for the briefing, the last round and the delivery of the report."""

_HOUR = 3_600.0

_AT_TEMPORAL = "See that Temporal is up and that this intake reaches it (TEMPORAL_ADDRESS)"
_AT_WORKERS = "See why no `watchkeeper worker` runs"

logger = logging.getLogger(__name__)


class Watchdog:
    """Pages the team of an incident that was accepted and has no report, once each.

    That is: its run ended without one, its deadline is over, or there has been no worker or no Temporal for
    ``watchdog.outage`` seconds. The page has the key of the run's own hand-off, so both open one incident in PagerDuty.
    """

    def __init__(self, client: Client, settings: Settings, http: AsyncClient, *, every: float = POLL_INTERVAL) -> None:
        """Open the journal, and take up what it holds.

        Args:
            client: The connection to Temporal, which need not be up.
            settings: The operator's.
            http: Times out, follows no redirects.
            every: Seconds from one look to the next.

        Raises SettingsError when the journal cannot be used.
        """
        self.counts = WatchdogCounts()
        self._settings = settings
        self._every = every
        self._journal = Journal(settings.watchdog.journal)
        self._book = WatchList(self._journal, self.counts)
        self._looking = TemporalPoller(client, settings, self.patience)
        self._waking = WatchdogPager(settings, http, self._book, self.counts)

    @property
    def patience(self) -> float:
        """Seconds from an alert to the deadline of its report."""
        settings = self._settings
        allowed = settings.limits.duration + settings.episodes.queue + MARGIN
        return settings.watchdog.deadline or allowed

    async def accepted(self, admitted: AcceptedAlerts) -> None:
        """Watch what Temporal took, and let go of the refusal of its group. Returns once the journal holds it.

        What joins a run after its report is watched until a worker has taken it: the run looks into it from then on.
        """
        if admitted.workflow_id is None:
            return
        if (refusal := self._book.refusal(admitted.workflow_id)) is not None:
            await self._book.drop(refusal)
        if admitted.outcome == "ignored" or not admitted.run_id:
            return
        known = self._book.find(admitted.run_id)
        if known is not None and (admitted.outcome != "joined" or known.reported_at is None):
            return
        now = time.time()
        watched = WatchedIncident(
            key=admitted.run_id,
            workflow_id=admitted.workflow_id,
            run_id=admitted.run_id,
            title=admitted.title,
            service=admitted.service,
            team=admitted.team,
            severity=admitted.severity,
            accepted_at=now,
            deadline=now + self.patience,
        )
        await self._book.put(watched)

    async def refused(self, refusal: RefusedGroup) -> None:
        """Watch a firing group that Temporal could not take, until a later delivery of it is accepted."""
        if self._book.refusal(refusal.workflow_id) is not None:
            return
        now = time.time()
        watched = WatchedIncident(
            key=f"refused/{refusal.workflow_id}/{now:.3f}",
            workflow_id=refusal.workflow_id,
            run_id=None,
            title=refusal.title,
            service=refusal.service,
            team=refusal.team,
            severity=refusal.severity,
            accepted_at=now,
            deadline=now + self._settings.watchdog.outage,
        )
        await self._book.put(watched)

    async def watching(self) -> NoReturn:
        """Look again and again. What it raises is a bug, with which the process that it guards should end."""
        while True:
            await self.look()
            await asyncio.sleep(self._every)

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    async def look(self) -> None:
        """Look once: at Temporal, at every incident without a report; page for those that are due."""
        seen = await self._looking.look(self._book.open)
        now = time.time()
        await self._keep(seen, now)
        await self._outage(seen.trouble, now)
        if dues := [due for watched in self._book.open if (due := self._due(watched, seen, now)) is not None]:
            outage = self._book.outage
            await self._waking.wake(dues, now - now % _HOUR if outage is None else outage, now)
        for watched in self._book.open:
            if self._waking.hopeless(watched) and watched.deadline < now - RETENTION:
                await self._book.drop(watched)
        await self._book.prune(now)

    async def _keep(self, seen: PollResult, now: float) -> None:
        for adopted in seen.adopted:
            if self._book.find(adopted.key) is None:
                await self._book.put(adopted)
        for settled in seen.settled:
            if settled.run_id is None:
                await self._book.drop(settled)
            else:
                settled.reported_at = now
                await self._book.put(settled)

    async def _outage(self, trouble: str | None, now: float) -> None:
        if trouble is None and self._book.outage is not None:
            logger.warning("Temporal and a worker are there again, after %s", format_duration(now - self._book.outage))
            await self._book.end_outage()
        elif trouble is not None and self._book.outage is None:
            logger.error("%s", trouble)
            await self._book.begin_outage(now)

    def _due(self, watched: WatchedIncident, seen: PollResult, now: float) -> DuePage | None:
        at_run = f"See `watchkeeper show {watched.workflow_id}`"
        if (why := seen.ended.get(watched.key)) is not None:
            return DuePage(watched, why, at_run)
        if not seen.lost and watched.key not in seen.waiting:
            return None  # nobody is woken for what this look did not reach
        if watched.run_id is None:
            waited = format_duration(now - watched.accepted_at)
            why = f"Temporal could not take it, and it did not come again for {waited}"
            return DuePage(watched, why, _AT_TEMPORAL) if watched.deadline <= now else None
        since = max(self._book.outage or now, watched.accepted_at)
        if seen.trouble is not None and now - since >= self._settings.watchdog.outage:
            return DuePage(
                watched,
                f"{seen.trouble} for {format_duration(now - since)}",
                _AT_TEMPORAL if seen.lost else _AT_WORKERS,
            )
        if watched.deadline <= now and not seen.lost:
            return DuePage(watched, seen.waiting[watched.key], at_run)
        return None
