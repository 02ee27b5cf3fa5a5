"""Says why a followed run makes no progress: no worker, a failing workflow task, a repeated attempt."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from temporalio.client import Client
from temporalio.service import RPCError

from watchkeeper.run_view.pending_work import PendingWork
from watchkeeper.run_view.projection import RunProjection
from watchkeeper.runs.client import NoSuchRun, describe_run
from watchkeeper.temporal.task_queue import has_worker
from watchkeeper.text import duration, excerpt

QUIET_SECONDS = 3.0
"""Seconds without an event before a missing worker is reported."""

_TICK = 0.5
_MIN_INTERVAL, _MAX_INTERVAL = 1.0, 5.0
"""Seconds without an event before the first look at the run, and most seconds between two looks."""

_REASON_BYTES = 300

Notice = Callable[[str], None]
"""Takes one sentence for the person who follows the run."""


async def monitor_stalls(
    client: Client, workflow_id: str, projection: RunProjection, pending: PendingWork, notice: Notice
) -> None:
    """Keep ``pending`` up to date and report each reason for a stall once. Runs until it is cancelled."""
    monitor, loop = _StallMonitor(client, workflow_id, projection, pending, notice), asyncio.get_running_loop()
    events, changed_at, checked_at = projection.event_count, loop.time(), 0.0
    while True:
        await asyncio.sleep(_TICK)
        now = loop.time()
        if projection.event_count != events:
            events, changed_at = projection.event_count, now
        quiet = now - changed_at
        if quiet < _MIN_INTERVAL or now - checked_at < min(_MAX_INTERVAL, max(_MIN_INTERVAL, quiet / 10)):
            continue
        checked_at = now
        try:
            await monitor.check(now, long=quiet >= QUIET_SECONDS)
        except (RPCError, NoSuchRun):  # the follower reports that Temporal is unreachable
            continue


class _StallMonitor:
    def __init__(
        self, client: Client, workflow_id: str, projection: RunProjection, pending: PendingWork, notice: Notice
    ) -> None:
        self._client, self._workflow_id = client, workflow_id
        self._projection, self._pending, self._notice = projection, pending, notice
        self._reported: set[str] = set()

    async def check(self, now: float, *, long: bool) -> None:
        """Look at the run once. ``long``: it has been quiet long enough to look for a missing worker."""
        description = await describe_run(self._client, self._workflow_id)
        for sentence in self._pending.update(description, now):
            self._notice(sentence)
        if not long:
            return
        if failure := self._projection.task_failure:
            reason = excerpt(failure, _REASON_BYTES)
            self._report_once(f"the workflow task fails; Temporal retries it until the cause is fixed: {reason}")
        queue = description.execution_config.task_queue.name
        self._pending.polled = await has_worker(self._client, queue)
        if not self._pending.needs_worker(now) or self._pending.reported_at is not None:
            return
        self._pending.reported_at = now
        if self._pending.polled:
            waited = duration(self._pending.seconds_untaken(now))
            self._notice(f"no worker has taken it up for {waited}; the run waits for one: `watchkeeper worker`")
        else:
            self._notice(
                f"no worker polls the task queue {queue!r}; the run waits for one: start it with `watchkeeper worker`"
            )

    def _report_once(self, text: str) -> None:
        if text not in self._reported:
            self._reported.add(text)
            self._notice(text)
