"""Page people for every accepted alert that has no report in time. The watchdog does not depend on the workers."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import NoReturn

from httpx2 import AsyncClient
from temporalio.client import Client

from watchkeeper.config.settings import Settings
from watchkeeper.runs.dispatch import DispatchResult
from watchkeeper.text import count, rough_duration
from watchkeeper.watchdog.journal import Journal
from watchkeeper.watchdog.models import RefusedGroup, WatchdogCounts, WatchedIncident
from watchkeeper.watchdog.page_text import DuePage, format_time
from watchkeeper.watchdog.pager import WatchdogPager
from watchkeeper.watchdog.poller import PollResult, TemporalPoller
from watchkeeper.watchdog.watch_list import RETENTION, WatchList

POLL_INTERVAL = 5.0
"""Seconds from the end of one poll to the next."""

MARGIN = 900.0
"""Seconds that a run may take beyond its limits: for the briefing, the last round and the delivery of the report."""

REFUSED_BODY = "refused-body/"
"""Beginning of the keys of refused bodies."""

_HOUR = 3_600.0

FIRST_START = 20.0
"""Seconds after its start in which the watchdog logs no missing worker: where all parts start together, it is often
first."""

_CHECK_TEMPORAL = "Check that Temporal runs and that this intake reaches it (TEMPORAL_ADDRESS)"
_NOT_ACCEPTED = ("Temporal could not accept it", _CHECK_TEMPORAL)
_CHECK_SENDER = "Look at the sender's alerts, and let it send fewer in one request (group_by, max_alerts)"
_CHECK_WORKERS = "Check why no `watchkeeper worker` runs"
_CHECK_DEPLOY = "Check the last deploy of the workers: their code may not fit the open runs"

logger = logging.getLogger(__name__)


class Watchdog:
    """Pages the team of each accepted incident that has no report, once per incident.

    It pages if the run ended without a report, if its deadline has passed, or if for ``watchdog.outage`` seconds no
    worker or no Temporal has been there, or every workflow task of the run has failed. The page has the same key as the
    run's own hand-off, so both belong to one incident in PagerDuty.
    """

    def __init__(
        self,
        client: Client,
        settings: Settings,
        http: AsyncClient,
        *,
        interval: float = POLL_INTERVAL,
        first_start: float = FIRST_START,
    ) -> None:
        """Open the journal and read the incidents in it.

        Args:
            client: Temporal client; Temporal need not be reachable.
            settings: Settings of the operator.
            http: Client for PagerDuty, with a timeout and without redirects.
            interval: Seconds from one poll to the next.
            first_start: Seconds from now in which no missing worker is logged.

        Raises SettingsError if the journal cannot be used.
        """
        self.counts = WatchdogCounts()
        self._settings = settings
        self._interval = interval
        self._logs_from = time.time() + first_start
        self._is_outage_logged = False
        self._journal = Journal(settings.watchdog.journal)
        self._watch_list = WatchList(self._journal, self.counts)
        self._poller = TemporalPoller(client, settings, self.report_timeout)
        self._pager = WatchdogPager(settings, http, self._watch_list, self.counts)

    @property
    def report_timeout(self) -> float:
        """Seconds from an alert to the deadline of its report."""
        settings = self._settings
        allowed = settings.limits.duration + settings.episodes.queue + MARGIN
        return settings.watchdog.deadline or allowed

    async def record_accepted(self, accepted: DispatchResult) -> None:
        """Watch a run that Temporal accepted, and drop the refusal of its group. Returns after the journal is written.

        Alerts that join a run after its report are watched until people have an answer or a page about them.
        """
        if accepted.workflow_id is None:
            return
        if (refusal := self._watch_list.refusal(accepted.workflow_id)) is not None:
            await self._watch_list.drop(refusal)
        if accepted.outcome == "ignored" or not accepted.run_id:
            return
        known = self._watch_list.find(accepted.run_id)
        if known is not None and (accepted.outcome != "joined" or not known.is_closed):
            return
        now = time.time()
        incident = WatchedIncident(
            key=accepted.run_id,
            workflow_id=accepted.workflow_id,
            run_id=accepted.run_id,
            title=accepted.title,
            service=accepted.service,
            team=accepted.team,
            severity=accepted.severity,
            accepted_at=now,
            deadline=now + self.report_timeout,
            joined=known is not None and (known.joined or known.reported_at is not None),
        )
        await self._watch_list.put(incident)

    async def record_refused(self, group: RefusedGroup) -> None:
        """Watch a firing group that was not accepted, until an attempt of its sender is. The last reason counts."""
        if (known := self._watch_list.refusal(group.workflow_id)) is not None:
            if known.closing != group.closing:
                known.closing = group.closing
                await self._watch_list.put(known)
            return
        now = time.time()
        incident = WatchedIncident(
            key=f"refused/{group.workflow_id}/{now:.3f}",
            workflow_id=group.workflow_id,
            run_id=None,
            title=group.title,
            service=group.service,
            team=group.team,
            severity=group.severity,
            accepted_at=now,
            deadline=now + self._settings.watchdog.outage,
            closing=group.closing,
        )
        await self._watch_list.put(incident)

    async def record_refused_body(self, source: str, problem: str) -> None:
        """Page for a body of alerts that was refused and will not be sent again; at most once an hour and source."""
        now, run = time.time(), f"refused-body-{source}"
        if (known := self._watch_list.refusal(run)) is not None:
            if known.accepted_at > now - _HOUR:
                return
            await self._watch_list.drop(known)
        incident = WatchedIncident(
            key=f"{REFUSED_BODY}{source}/{now:.3f}",
            workflow_id=run,
            run_id=None,
            title=f"Alerts of the source {source!r}: {problem}",
            service=None,
            team=None,
            severity="critical",
            accepted_at=now,
            deadline=now,
        )
        await self._watch_list.put(incident)

    async def poll_forever(self) -> NoReturn:
        """Poll without end. Any exception is a bug and should end the process."""
        while True:
            await self.poll()
            await asyncio.sleep(self._interval)

    def close(self) -> None:
        """Close the journal."""
        self._journal.close()

    async def poll(self) -> None:
        """Ask Temporal for the status of every open incident, and page for each that is due."""
        result = await self._poller.poll(self._watch_list.open)
        if result.approvals is not None:
            self.counts.approvals = result.approvals
        now = time.time()
        await self._update_watch_list(result, now)
        await self._update_outage(result, now)
        self._update_stuck(result)
        due = [
            page for incident in self._watch_list.open if (page := self._due_page(incident, result, now)) is not None
        ]
        if due:
            outage = self._watch_list.outage
            await self._pager.page(due, now - now % _HOUR if outage is None else outage, now)
        for incident in self._watch_list.open:
            if self._pager.is_unpageable(incident) and incident.deadline < now - RETENTION:
                await self._watch_list.drop(incident)
        await self._watch_list.prune(now)

    async def _update_watch_list(self, result: PollResult, now: float) -> None:
        for adopted in result.adopted:
            if self._watch_list.find(adopted.key) is None:
                await self._watch_list.put(adopted)
        for settled in result.settled:
            if settled.run_id is None:
                await self._watch_list.drop(settled)
            else:
                settled.reported_at = now
                await self._watch_list.put(settled)
        for incident in self._watch_list.open:
            if incident.waiting_since is not None and not incident.joined:
                # Its report is delivered. From now on it is about the alerts that joined, with their own deadline.
                incident.joined, incident.accepted_at = True, incident.waiting_since
                incident.deadline = incident.waiting_since + self.report_timeout
                await self._watch_list.put(incident)

    async def _update_outage(self, result: PollResult, now: float) -> None:
        outage = result.outage
        if outage is None and self._watch_list.outage is not None:
            if self._is_outage_logged:
                duration = rough_duration(now - self._watch_list.outage)
                logger.warning("Temporal and a worker are available again, after %s", duration)
            self._is_outage_logged = False
            await self._watch_list.end_outage()
            return
        if outage is None:
            return
        if self._watch_list.outage is None:
            await self._watch_list.begin_outage(now)
        if not self._is_outage_logged and (result.unreachable or now > self._logs_from):
            logger.error("%s", outage)
            self._is_outage_logged = True

    def _update_stuck(self, result: PollResult) -> None:
        if result.unreachable:
            return  # it is not known
        before, self.counts.stuck = self.counts.stuck, result.stuck
        if result.stuck and not before:
            reasons = "; ".join({failing.reason for failing in result.failing.values()})
            logger.error("%s", f"{count(result.stuck, 'run')} make no progress: their workflow tasks fail ({reasons})")
        elif before and not result.stuck:
            logger.warning("all runs make progress again")

    def _due_page(self, incident: WatchedIncident, result: PollResult, now: float) -> DuePage | None:
        if incident.key.startswith(REFUSED_BODY):
            return DuePage(incident, "its sender will not send it again", _CHECK_SENDER)
        see_run = f"See `watchkeeper show {incident.workflow_id}`"
        if (reason := result.ended.get(incident.key)) is not None:
            return DuePage(incident, reason, see_run)
        if not result.unreachable and incident.key not in result.waiting:
            return None  # this poll did not get as far as this incident
        if incident.run_id is None:
            waited = rough_duration(now - incident.accepted_at)
            why, remedy = ("the last run of its group had not closed", see_run) if incident.closing else _NOT_ACCEPTED
            reason = f"{why}, and no run has taken it for {waited}"
            return DuePage(incident, reason, remedy) if incident.deadline <= now else None
        outage_seconds = now - max(self._watch_list.outage or now, incident.accepted_at)
        if result.outage is not None and outage_seconds >= self._settings.watchdog.outage:
            remedy = _CHECK_TEMPORAL if result.unreachable else _CHECK_WORKERS
            return DuePage(incident, f"{result.outage} for {rough_duration(outage_seconds)}", remedy)
        failing = result.failing.get(incident.key)
        if failing is not None and now - failing.since >= self._settings.watchdog.outage:
            since = f"its workflow tasks have failed since {format_time(failing.since)}"
            return DuePage(incident, f"{since} ({failing.reason})", f"{_CHECK_DEPLOY}. {see_run}")
        if incident.deadline <= now and not result.unreachable:
            return DuePage(incident, result.waiting[incident.key], see_run)
        return None
