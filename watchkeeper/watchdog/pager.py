"""Send the watchdog's pages: one per incident, and in a storm one for all further incidents of a team."""

from __future__ import annotations

import asyncio
import logging
from collections import defaultdict
from collections.abc import Mapping, Sequence
from urllib.parse import quote

from httpx2 import AsyncClient

from watchkeeper.config.settings import Settings, env_variable
from watchkeeper.contracts import digest_of
from watchkeeper.paging import page, page_key
from watchkeeper.tool import ToolError, ToolUnavailable
from watchkeeper.watchdog import page_text
from watchkeeper.watchdog.models import WatchdogCounts, WatchedIncident
from watchkeeper.watchdog.page_text import DuePage
from watchkeeper.watchdog.watch_list import WatchList

MAX_SINGLE_PAGES = 5
"""Pages for single incidents that a team gets per outage, or per hour without an outage. The rest share one page."""

MAX_PAUSE = 60.0
"""Longest pause in seconds between two attempts to page a team."""

_FIRST_PAUSE = 1.0
_MAX_NAME = 100
_WORST_FIRST = ("critical", "error", "warning", "info")

logger = logging.getLogger(__name__)


class WatchdogPager:
    """Pages teams, and marks an incident as paged once PagerDuty has accepted the page."""

    def __init__(self, settings: Settings, http: AsyncClient, watch_list: WatchList, counts: WatchdogCounts) -> None:
        self._settings = settings
        self._http = http
        self._watch_list = watch_list
        self._counts = counts
        self._unpageable: set[str] = set()
        self._pauses: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._many_at: dict[str, float] = {}

    async def page(self, due: Sequence[DuePage], period: float, now: float) -> None:
        """Page the teams of incidents. A failed page is tried again in a later call.

        Args:
            due: Incidents for which no one was paged yet.
            period: Start of the outage, or of the hour if there is no outage, in Unix seconds. It must be the same
                after a restart, because it is part of the dedup key of a page for many incidents.
            now: Unix seconds.
        """
        teams: defaultdict[str, list[DuePage]] = defaultdict(list)
        for one in sorted(due, key=_urgency):
            if (team := self._team(one.incident)) is None:
                self._log_unpageable(one)
            else:
                teams[team].append(one)
        ready = [(team, pages) for team, pages in teams.items() if self._not_before.get(team, 0.0) <= now]
        await asyncio.gather(*(self._page_team(team, pages, period, now) for team, pages in ready))

    def is_unpageable(self, incident: WatchedIncident) -> bool:
        """Return whether an earlier call found no team with a routing key for an incident."""
        return incident.key in self._unpageable

    async def _page_team(self, team: str, pages: Sequence[DuePage], period: float, now: float) -> None:
        paged = (incident for incident in self._watch_list.all if (incident.paged_at or 0.0) >= period)
        singles = max(0, MAX_SINGLE_PAGES - sum(self._team(incident) == team for incident in paged))
        for one in pages[:singles]:
            key = _dedup_key(team, one.incident)
            if not await self._send(team, page_text.summary(one), key, page_text.details(one), now):
                return
            await self._mark_paged(one, now)
        rest = pages[singles:]
        if not rest or self._many_at.get(team, 0.0) + self._settings.watchdog.outage > now:
            return
        key = f"watchdog/{_short_name(team)}/{period:.0f}"
        if await self._send(team, page_text.summary_of_many(rest), key, page_text.details_of_many(rest), now):
            self._many_at[team] = now
            await asyncio.gather(*(self._mark_paged(one, now) for one in rest))

    async def _send(self, team: str, summary: str, key: str, details: Mapping[str, str], now: float) -> bool:
        """Send a page. Returns False if PagerDuty did not accept it; then all pages to the team pause."""
        try:
            await page(
                self._http,
                self._settings,
                team,
                summary=summary,
                severity="critical",
                dedup_key=key,
                details=details,
            )
        except (ToolError, ToolUnavailable) as error:
            requested = error.delay.total_seconds() if isinstance(error, ToolUnavailable) and error.delay else 0.0
            pause = min(max(requested, self._pauses.get(team, _FIRST_PAUSE)), MAX_PAUSE)
            self._pauses[team], self._not_before[team] = min(2 * pause, MAX_PAUSE), now + pause
            self._counts.failed += 1
            cause = self._settings.redactor.text(str(error))
            logger.error("team %s could not be paged (%s): %s; trying again in %.0f s", team, summary, cause, pause)
            return False
        self._pauses.pop(team, None)
        self._counts.pages += 1
        logger.warning("paged team %s: %s", team, summary)
        return True

    async def _mark_paged(self, due: DuePage, now: float) -> None:
        if self._watch_list.find(due.incident.key) is due.incident:  # a refused group may have been accepted meanwhile
            due.incident.paged_at = now
            await self._watch_list.put(due.incident)

    def _team(self, incident: WatchedIncident) -> str | None:
        return self._settings.on_call(incident.service, incident.team)

    def _log_unpageable(self, due: DuePage) -> None:
        """Log, once per incident, that no team can be paged for it."""
        incident = due.incident
        if incident.key in self._unpageable:
            return
        self._unpageable.add(incident.key)
        self._counts.unpageable += 1
        logger.error(
            "no one can be paged for %s (%s): set pagerduty.routing_key (%s), or a routing_key for the team that owns "
            "its service",
            incident.workflow_id,
            page_text.summary(due),
            env_variable("pagerduty", "routing_key"),
        )


def _urgency(due: DuePage) -> tuple[int, float]:
    severity = due.incident.severity or "critical"
    rank = _WORST_FIRST.index(severity) if severity in _WORST_FIRST else len(_WORST_FIRST)
    return rank, due.incident.accepted_at


def _dedup_key(team: str, incident: WatchedIncident) -> str:
    if incident.run_id is None:
        return incident.key
    # Alerts that joined after the report: with the key of the run, no one would be woken while its page is open.
    joined = f"/joined-{incident.accepted_at:.0f}" if incident.joined else ""
    return page_key(f"{incident.run_id}{joined}", team)


def _short_name(team: str) -> str:
    name = quote(team, safe="")
    return name if len(name) <= _MAX_NAME else digest_of(name.encode())
