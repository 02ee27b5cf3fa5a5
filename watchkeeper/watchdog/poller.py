"""Poll Temporal: is it reachable, does a worker poll, and which incidents have a report."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from temporalio.client import Client
from temporalio.service import RPCError

from watchkeeper.config.settings import Settings
from watchkeeper.incident.queue_state import QUEUE_PREFIX
from watchkeeper.temporal.task_queue import has_worker
from watchkeeper.text import error_text, excerpt
from watchkeeper.watchdog.failing_tasks import FailingTask, find_failing_task, list_failing
from watchkeeper.watchdog.models import WatchedIncident
from watchkeeper.watchdog.run_status import report_status
from watchkeeper.watchdog.unreported_runs import UnreportedRun, adopt, list_unreported
from watchkeeper.watchdog.waiting_runs import count_waiting_for_approval

ANSWER_SECONDS = 10.0
"""Seconds without an answer after which Temporal counts as unreachable."""

MAX_RUNS_PER_POLL = 200
"""Runs that are described one by one in one poll. The others follow in the next polls."""

AT_ONCE = 10

LOOKS_PER_POLL = 20
"""Waiting runs whose pending workflow task is looked at in one poll, in turn. The server may report failing runs late,
or, an older one, not at all."""

STUCK_SECONDS = 10.0
"""Seconds for which a run must be failing before it counts as stuck. A task that failed once is repeated sooner."""

_OVERDUE = "its deadline has passed"

logger = logging.getLogger(__name__)


class _NotConnected(Exception):
    """The client has not connected since the process started."""


@dataclass
class PollResult:
    """The result of one poll. Incidents are named by their keys."""

    outage: str | None = None
    """Why no run can make progress, as the beginning of "... for 5 min"; None if a worker polls."""
    unreachable: bool = False
    """Temporal did not answer, so the fields below are empty."""
    settled: list[WatchedIncident] = field(default_factory=list)
    """Incidents that have a report, and refused groups that Temporal has accepted since."""
    adopted: list[WatchedIncident] = field(default_factory=list)
    """Runs without a report that this watchdog did not know."""
    waiting: dict[str, str] = field(default_factory=dict)
    """Incidents that may still get a report, and the reason for a page after their deadline."""
    failing: dict[str, FailingTask] = field(default_factory=dict)
    """Incidents whose runs make no progress, among the runs that this poll looked at."""
    stuck: int = 0
    """Open runs, of any kind, that have made no progress for ``STUCK_SECONDS``."""
    approvals: int | None = None
    """Runs that wait for a person's approval; None if Temporal cannot count them at the moment."""
    ended: dict[str, str] = field(default_factory=dict)
    """Incidents that will get no report, and why."""


class TemporalPoller:
    """Polls Temporal for the status of incidents, a limited number of runs at a time."""

    def __init__(self, client: Client, settings: Settings, report_timeout: float) -> None:
        """Create a poller.

        Args:
            client: Temporal client.
            settings: Settings of the operator.
            report_timeout: Seconds until the deadline of an adopted run.
        """
        self._client = client
        self._task_queue = settings.worker.task_queue
        self._report_timeout = report_timeout
        self._examined: set[str] = set()
        self._last_described: dict[str, int] = {}
        self._last_looked: dict[str, int] = {}
        self._failing_since: dict[str, float] = {}
        self._polls = 0

    async def poll(self, incidents: Sequence[WatchedIncident]) -> PollResult:
        """Return the status of open incidents."""
        self._polls += 1
        result = PollResult()
        try:
            if not await self._has_worker():
                result.outage = f"no worker has polled the task queue {self._task_queue!r}"
            result.approvals = await self._count_approvals()
            unreported = await self._list_unreported()
            await self._check(incidents, unreported, result)
            await self._adopt(incidents, unreported, result)
            await self._find_failing(incidents, unreported, result)
        except (RPCError, TimeoutError, _NotConnected) as error:
            reason = "no answer in time" if isinstance(error, TimeoutError) else excerpt(str(error), 200)
            return PollResult(outage=f"Temporal has been out of reach ({reason})", unreachable=True)
        return result

    async def _has_worker(self) -> bool:
        async with asyncio.timeout(ANSWER_SECONDS):
            try:
                return await has_worker(self._client, self._task_queue, retry=False)
            except RuntimeError as error:  # the SDK raises it until a lazy client has connected
                raise _NotConnected("no connection since this process started") from error

    async def _count_approvals(self) -> int | None:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await count_waiting_for_approval(self._client, self._task_queue)
        except (RPCError, TimeoutError) as error:
            logger.debug("Temporal does not count the runs that wait for approval (%s)", error_text(error))
            return None

    async def _list_unreported(self) -> dict[str, UnreportedRun]:
        """Return the runs without a report by workflow id. Empty if Temporal cannot list them at the moment."""
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return {run.workflow_id: run async for run in list_unreported(self._client, self._task_queue)}
        except (RPCError, TimeoutError) as error:
            # The first worker registers the search attributes of a new namespace.
            is_new = isinstance(error, RPCError) and "invalid search attribute" in str(error)
            level = logging.DEBUG if is_new else logging.WARNING
            logger.log(level, "Temporal lists no runs (%s); describing each run instead", error_text(error))
            return {}

    async def _check(
        self, incidents: Sequence[WatchedIncident], unreported: Mapping[str, UnreportedRun], result: PollResult
    ) -> None:
        unclear = []
        for incident in incidents:
            run = unreported.get(incident.workflow_id)
            if run is not None and run.execution == incident.execution:
                result.waiting[incident.key] = _OVERDUE
            else:
                unclear.append(incident)
        # Begin with the runs whose last description is the oldest.
        self._last_described = {incident.key: self._last_described.get(incident.key, 0) for incident in unclear}
        batch = sorted(unclear, key=lambda incident: self._last_described[incident.key])[:MAX_RUNS_PER_POLL]
        for start in range(0, len(batch), AT_ONCE):
            await asyncio.gather(*(self._describe(incident, result) for incident in batch[start : start + AT_ONCE]))

    async def _find_failing(
        self, incidents: Sequence[WatchedIncident], unreported: Mapping[str, UnreportedRun], result: PollResult
    ) -> None:
        """Find the runs that make no progress: look at the runs that the server reports, and at some others in turn."""
        reported = await self._list_failing()
        waiting = [incident for incident in incidents if incident.run_id and incident.key in result.waiting]
        known = [incident for incident in waiting if incident.execution in reported]
        others = [incident for incident in waiting if incident.execution not in reported]
        self._last_looked = {incident.key: self._last_looked.get(incident.key, 0) for incident in waiting}
        others.sort(key=lambda incident: self._last_looked[incident.key])
        looked_at = [*known[:MAX_RUNS_PER_POLL], *others[:LOOKS_PER_POLL]]
        for start in range(0, len(looked_at), AT_ONCE):
            await asyncio.gather(*(self._look(incident, result) for incident in looked_at[start : start + AT_ONCE]))
        await self._find_failing_queues(reported, waiting, unreported, result)
        executions = {incident.execution for incident in waiting if incident.key in result.failing}
        now = asyncio.get_running_loop().time()
        self._failing_since = {run: self._failing_since.get(run, now) for run in executions | reported.keys()}
        result.stuck = sum(now - since >= STUCK_SECONDS for since in self._failing_since.values())

    async def _list_failing(self) -> Mapping[str, str]:
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                return await list_failing(self._client, self._task_queue) or {}
        except (RPCError, TimeoutError) as error:
            logger.debug("Temporal does not list the runs that fail (%s)", error_text(error))
            return {}

    async def _look(self, incident: WatchedIncident, result: PollResult) -> None:
        self._last_looked[incident.key] = self._polls
        async with asyncio.timeout(ANSWER_SECONDS):
            failing = await find_failing_task(self._client, incident.workflow_id, incident.execution)
        if failing is not None:
            result.failing[incident.key] = failing

    async def _find_failing_queues(
        self,
        reported: Mapping[str, str],
        waiting: Sequence[WatchedIncident],
        unreported: Mapping[str, UnreportedRun],
        result: PollResult,
    ) -> None:
        """A run that waits for its turn makes no progress while its queue makes none."""
        queued = [
            incident
            for incident in waiting
            if (run := unreported.get(incident.workflow_id)) is not None and run.phase == "queued"
        ]
        queues = [(run_id, name) for run_id, name in reported.items() if name.startswith(QUEUE_PREFIX)]
        for run_id, name in queues[:AT_ONCE] if queued else ():
            async with asyncio.timeout(ANSWER_SECONDS):
                failing = await find_failing_task(self._client, name, run_id)
            if failing is not None:
                reason = f"of the queue {name}: {failing.reason}"
                result.failing.update({incident.key: FailingTask(failing.since, reason) for incident in queued})

    async def _describe(self, incident: WatchedIncident, result: PollResult) -> None:
        async with asyncio.timeout(ANSWER_SECONDS):
            status = await report_status(self._client, incident)
        self._last_described[incident.key] = self._polls
        match status:
            case "reported" | "accepted":
                result.settled.append(incident)
            case "waiting":
                result.waiting[incident.key] = _OVERDUE
            case "reporting":
                result.waiting[incident.key] = "its report is written, but a destination has not accepted it yet"
            case "undelivered":
                result.ended[incident.key] = "its report is written, but no destination accepted it"
            case "joined":
                result.waiting[incident.key] = "its deadline has passed, and people have no follow-up about it"
            case "unanswered":
                result.ended[incident.key] = "its run ended, and people have no follow-up about it"
            case "ended":
                result.ended[incident.key] = "its run ended without a report"
            case "unknown":
                result.ended[incident.key] = "Temporal no longer knows its run"

    async def _adopt(
        self, incidents: Sequence[WatchedIncident], unreported: Mapping[str, UnreportedRun], result: PollResult
    ) -> None:
        """Find runs that this watchdog does not know: another intake accepted them, or the journal was lost."""
        known = {incident.execution for incident in incidents}
        self._examined &= {run.execution for run in unreported.values()}
        unknown = [run for run in unreported.values() if run.execution not in known | self._examined]
        for run in unknown[:MAX_RUNS_PER_POLL]:
            async with asyncio.timeout(ANSWER_SECONDS):
                incident = await adopt(self._client, run, self._report_timeout)
            self._examined.add(run.execution)
            if incident is not None:
                result.adopted.append(incident)
