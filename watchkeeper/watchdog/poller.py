"""One look at Temporal: is it there, is a worker there, and which incidents have a report by now."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from temporalio.client import Client
from temporalio.service import RPCError

from watchkeeper.config.settings import Settings
from watchkeeper.temporal.task_queue import has_worker
from watchkeeper.text import error_text, excerpt
from watchkeeper.watchdog.models import WatchedIncident
from watchkeeper.watchdog.run_status import report_status
from watchkeeper.watchdog.unreported_runs import UnreportedRun, adopt, list_unreported

ANSWER_SECONDS = 10.0
"""How long Temporal may take to answer, until it is out of reach."""

MAX_RUNS_PER_POLL = 200
"""Runs that are looked at singly in one look; the others follow in the next."""

AT_ONCE = 10

_OVERDUE = "its deadline is over"

logger = logging.getLogger(__name__)


class _NeverReached(Exception):
    """Temporal was away when this process started, and is still."""


@dataclass
class PollResult:
    """What one look found; the incidents by their keys."""

    trouble: str | None = None
    """Why nobody can be at work, said of the time for which it lasts; None: a worker is there."""
    lost: bool = False
    """Temporal did not answer, so that nothing else was found."""
    settled: list[WatchedIncident] = field(default_factory=list)
    """Those that have their report, and refusals of groups that Temporal has taken since."""
    adopted: list[WatchedIncident] = field(default_factory=list)
    """Runs without a report that nobody told of."""
    waiting: dict[str, str] = field(default_factory=dict)
    """Those that have no report yet, and what is the matter once their deadline is over."""
    ended: dict[str, str] = field(default_factory=dict)
    """Those that will have none, and why."""


class TemporalPoller:
    """Looks at Temporal, some runs at a time."""

    def __init__(self, client: Client, settings: Settings, patience: float) -> None:
        """Prepare to look.

        Args:
            client: The connection to Temporal.
            settings: The operator's.
            patience: Seconds until the deadline of a run that is adopted.
        """
        self._client = client
        self._task_queue = settings.worker.task_queue
        self._patience = patience
        self._examined: set[str] = set()
        self._looked: dict[str, int] = {}
        self._looks = 0

    async def look(self, watched: Sequence[WatchedIncident]) -> PollResult:
        """Look at incidents that people do not know of yet."""
        self._looks += 1
        seen = PollResult()
        try:
            if not await self._has_worker():
                seen.trouble = f"no worker has polled the task queue {self._task_queue!r}"
            listed = await self._listed()
            await self._look_at(watched, listed, seen)
            await self._adopt(watched, listed, seen)
        except (RPCError, TimeoutError, _NeverReached) as error:
            why = "no answer in time" if isinstance(error, TimeoutError) else excerpt(str(error), 200)
            return PollResult(trouble=f"Temporal has been out of reach ({why})", lost=True)
        return seen

    async def _has_worker(self) -> bool:
        async with asyncio.timeout(ANSWER_SECONDS):
            try:
                return await has_worker(self._client, self._task_queue, retry=False)
            except RuntimeError as error:  # so the SDK says that a client has yet to make its first connection
                raise _NeverReached("no connection since this process started") from error

    async def _listed(self) -> dict[str, UnreportedRun]:
        """List the runs that have no report by workflow id; none where Temporal keeps no list just now."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return {listed.workflow_id: listed async for listed in list_unreported(self._client, self._task_queue)}
        except (RPCError, TimeoutError) as error:
            logger.warning("Temporal lists no runs (%s); looking at each by itself", error_text(error))
            return {}

    async def _look_at(
        self, watched: Sequence[WatchedIncident], listed: Mapping[str, UnreportedRun], seen: PollResult
    ) -> None:
        unsure = []
        for incident in watched:
            known = listed.get(incident.workflow_id)
            if known is not None and known.execution == incident.execution:
                seen.waiting[incident.key] = _OVERDUE
            else:
                unsure.append(incident)
        # Those that were looked at longest ago go first.
        self._looked = {incident.key: self._looked.get(incident.key, 0) for incident in unsure}
        few = sorted(unsure, key=lambda incident: self._looked[incident.key])[:MAX_RUNS_PER_POLL]
        for start in range(0, len(few), AT_ONCE):
            await asyncio.gather(*(self._note(incident, seen) for incident in few[start : start + AT_ONCE]))

    async def _note(self, incident: WatchedIncident, seen: PollResult) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            stands = await report_status(self._client, incident)
        self._looked[incident.key] = self._looks
        match stands:
            case "reported" | "taken":
                seen.settled.append(incident)
            case "waited for":
                seen.waiting[incident.key] = _OVERDUE
            case "reporting":
                seen.waiting[incident.key] = "its report is written, but a place that it should go to has not taken it"
            case "undelivered":
                seen.ended[incident.key] = "its report is written, but no place that it should go to took it"
            case "ended":
                seen.ended[incident.key] = "its run ended without one"
            case "unknown":
                seen.ended[incident.key] = "Temporal knows its run no more"

    async def _adopt(
        self, watched: Sequence[WatchedIncident], listed: Mapping[str, UnreportedRun], seen: PollResult
    ) -> None:
        """Find runs that nobody told of: another intake accepted them, or the journal was lost."""
        known = {incident.execution for incident in watched}
        self._examined &= {run.execution for run in listed.values()}
        strangers = [run for run in listed.values() if run.execution not in known | self._examined]
        for run in strangers[:MAX_RUNS_PER_POLL]:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await adopt(self._client, run, self._patience)
            self._examined.add(run.execution)
            if found is not None:
                seen.adopted.append(found)
