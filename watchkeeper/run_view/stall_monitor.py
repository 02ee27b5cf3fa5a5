"""Looking at a run while its history is quiet, to say why nothing happens and when it goes on."""

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
"""Seconds without an event until people are told that no worker is there."""

_TICK = 0.5
_FIRST, _LONGEST = 1.0, 5.0
"""Seconds without an event until the run is looked at, and between looks once it has been quiet for long."""

Notice = Callable[[str], None]


async def monitor_stalls(
    client: Client, workflow_id: str, projection: RunProjection, outlook: PendingWork, notice: Notice
) -> None:
    """Keep an outlook on a run for as long as this is not cancelled; say once each what holds the run up."""
    looking, loop = _StallMonitor(client, workflow_id, projection, outlook, notice), asyncio.get_running_loop()
    events, changed_at, looked_at = projection.event_count, loop.time(), 0.0
    while True:
        await asyncio.sleep(_TICK)
        now = loop.time()
        if projection.event_count != events:
            events, changed_at = projection.event_count, now
        quiet = now - changed_at
        if quiet < _FIRST or now - looked_at < min(_LONGEST, max(_FIRST, quiet / 10)):
            continue
        looked_at = now
        try:
            await looking.look(now, long=quiet >= QUIET_SECONDS)
        except (RPCError, NoSuchRun):  # following says that Temporal is out of reach
            continue


class _StallMonitor:
    """What was said already."""

    def __init__(
        self, client: Client, workflow_id: str, projection: RunProjection, outlook: PendingWork, notice: Notice
    ) -> None:
        self._client, self._workflow_id = client, workflow_id
        self._projection, self._outlook, self._notice = projection, outlook, notice
        self._said: set[str] = set()

    async def look(self, now: float, *, long: bool) -> None:
        """Look once; ``long``: it has been quiet for so long that a worker may be missing."""
        description = await describe_run(self._client, self._workflow_id)
        for news in self._outlook.see(description, now):
            self._notice(news)
        if not long:
            return
        if failing := self._projection.task_failure:
            why = excerpt(failing, 300)
            self._once(f"no worker can carry it on; it is tried again, and goes on when this is mended: {why}")
        queue = description.execution_config.task_queue.name
        self._outlook.polled = await has_worker(self._client, queue)
        if not self._outlook.unattended(now):
            return
        if self._outlook.told_at is not None:
            return
        self._outlook.told_at = now
        if self._outlook.polled:
            waited = duration(self._outlook.untaken(now))
            self._notice(f"no worker has taken it up for {waited}; the run waits for one: `watchkeeper worker`")
        else:
            self._notice(
                f"no worker polls the task queue {queue!r}; the run waits for one: start it with `watchkeeper worker`"
            )

    def _once(self, text: str) -> None:
        if text not in self._said:
            self._said.add(text)
            self._notice(text)
