"""Paging for incidents without a report: each once, and in a storm not each by itself."""

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
"""Pages that one team is sent singly in one outage, or in one hour without any; the others are one page."""

MAX_PAUSE = 60.0
"""Seconds between two attempts to page a team."""

_FIRST_PAUSE = 1.0
_LONGEST_NAME = 100
_WORST_FIRST = ("critical", "error", "warning", "info")

logger = logging.getLogger(__name__)


class WatchdogPager:
    """Pages teams, and keeps that they were paged once PagerDuty has taken it."""

    def __init__(self, settings: Settings, http: AsyncClient, book: WatchList, counts: WatchdogCounts) -> None:
        self._settings = settings
        self._http = http
        self._book = book
        self._counts = counts
        self._unpageable: set[str] = set()
        self._pauses: dict[str, float] = {}
        self._not_before: dict[str, float] = {}
        self._many_at: dict[str, float] = {}

    async def wake(self, dues: Sequence[DuePage], occasion: float, now: float) -> None:
        """Page the teams of incidents that are due.

        A page that fails is tried again in a later call.

        Args:
            dues: All of them that nobody was paged for.
            occasion: When the outage began, else the hour; Unix seconds. The same after a restart.
            now: Likewise.
        """
        teams: defaultdict[str, list[DuePage]] = defaultdict(list)
        for due in sorted(dues, key=_urgency):
            if (team := self._team(due.watched)) is None:
                self._despair(due)
            else:
                teams[team].append(due)
        ready = [(team, mine) for team, mine in teams.items() if self._not_before.get(team, 0.0) <= now]
        await asyncio.gather(*(self._wake(team, mine, occasion, now) for team, mine in ready))

    def hopeless(self, watched: WatchedIncident) -> bool:
        """Tell whether it was said that nobody can be paged for an incident."""
        return watched.key in self._unpageable

    async def _wake(self, team: str, dues: Sequence[DuePage], occasion: float, now: float) -> None:
        paged = (watched for watched in self._book.all if (watched.paged_at or 0.0) >= occasion)
        singly = max(0, MAX_SINGLE_PAGES - sum(self._team(watched) == team for watched in paged))
        for due in dues[:singly]:
            if not await self._page(team, page_text.summary(due), _key(team, due.watched), page_text.details(due), now):
                return
            await self._paged(due, now)
        rest = dues[singly:]
        if not rest or self._many_at.get(team, 0.0) + self._settings.watchdog.outage > now:
            return
        key = f"watchdog/{_name(team)}/{occasion:.0f}"
        if await self._page(team, page_text.summary_of_many(rest), key, page_text.details_of_many(rest), now):
            self._many_at[team] = now
            await asyncio.gather(*(self._paged(due, now) for due in rest))

    async def _page(self, team: str, summary: str, key: str, details: Mapping[str, str], now: float) -> bool:
        """Page a team, unless PagerDuty does not take it; then all its pages pause."""
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
            asked = error.delay.total_seconds() if isinstance(error, ToolUnavailable) and error.delay else 0.0
            pause = min(max(asked, self._pauses.get(team, _FIRST_PAUSE)), MAX_PAUSE)
            self._pauses[team], self._not_before[team] = min(2 * pause, MAX_PAUSE), now + pause
            self._counts.failed += 1
            said = self._settings.redactor.text(str(error))
            logger.error("team %s could not be paged (%s): %s; trying again in %.0f s", team, summary, said, pause)
            return False
        self._pauses.pop(team, None)
        self._counts.pages += 1
        logger.warning("paged team %s: %s", team, summary)
        return True

    async def _paged(self, due: DuePage, now: float) -> None:
        if self._book.find(due.watched.key) is due.watched:  # else it was a refusal, and is accepted meanwhile
            due.watched.paged_at = now
            await self._book.put(due.watched)

    def _team(self, watched: WatchedIncident) -> str | None:
        return self._settings.on_call(watched.service, watched.team)

    def _despair(self, due: DuePage) -> None:
        """Say once that nobody can be paged for an incident."""
        watched = due.watched
        if watched.key in self._unpageable:
            return
        self._unpageable.add(watched.key)
        self._counts.unpageable += 1
        logger.error(
            "nobody can be paged for %s (%s): set pagerduty.routing_key (%s), or a routing_key for the team that owns "
            "its service",
            watched.workflow_id,
            page_text.summary(due),
            env_variable("pagerduty", "routing_key"),
        )


def _urgency(due: DuePage) -> tuple[int, float]:
    severity = due.watched.severity or "critical"
    rank = _WORST_FIRST.index(severity) if severity in _WORST_FIRST else len(_WORST_FIRST)
    return rank, due.watched.accepted_at


def _key(team: str, watched: WatchedIncident) -> str:
    return watched.key if watched.run_id is None else page_key(watched.run_id, team)


def _name(team: str) -> str:
    name = quote(team, safe="")
    return name if len(name) <= _LONGEST_NAME else digest_of(name.encode())
