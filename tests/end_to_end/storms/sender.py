"""A sender that behaves like Alertmanager: it posts a notification until the answer is 2xx."""

from __future__ import annotations

import asyncio
import random
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Literal

from httpx2 import AsyncClient, HTTPError, Limits

from tests.end_to_end.storms.groups import SOURCE, Group

FIRST_RETRY_SECONDS = 0.1
MAX_RETRY_SECONDS = 2.0
"""Alertmanager's retry pauses grow by the same factor, up to a minute."""

_RETRY_FACTOR = 1.5
_ANSWER_SECONDS = 20.0


class Sender:
    """Posts to one intake over a number of connections and counts the answers."""

    def __init__(self, http: AsyncClient, connections: int) -> None:
        self._http = http
        self._slots = asyncio.Semaphore(connections)
        self.statuses = Counter[int]()
        """Number of answers by HTTP status; 0: no answer."""
        self.seconds: list[float] = []
        """Response time of each answer."""
        self.refusals = Counter[str]()

    async def deliver(self, group: Group, status: Literal["firing", "resolved"] = "firing") -> None:
        """Post a notification until it is accepted."""
        body, pause = group.notification(status), FIRST_RETRY_SECONDS
        while not await self.post(group, body):
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * _RETRY_FACTOR, MAX_RETRY_SECONDS)
        group.accepted += 1
        group.resolved = status == "resolved"

    async def post(self, group: Group, body: bytes) -> bool:
        """Post a notification once; return whether it was accepted."""
        async with self._slots:
            started = time.perf_counter()
            try:
                answer = await self._http.post(f"/alerts/{SOURCE}", content=body)
            except HTTPError:
                self.statuses[0] += 1
                return False
            self.seconds.append(time.perf_counter() - started)
        self.statuses[answer.status_code] += 1
        if answer.status_code >= 500:
            self.refusals[answer.json()["error"]] += 1
            return False
        assert answer.is_success, f"Alertmanager would give up: {answer.status_code} {answer.text}"
        for run in answer.json().get("runs", ()):
            group.workflow_id = run["run"]
            group.executions.add(run["run_id"])
        return True

    async def send_lifecycle(
        self, group: Group, pause: float, wait_for_report: Callable[[Group], Awaitable[None]] | None
    ) -> None:
        """Send a group's notifications: firing, repeats, resolved.

        ``pause``: the longest time between two notifications, in seconds. ``wait_for_report``: if given, the group
        resolves only after its report.
        """
        await self.deliver(group)
        for _ in range(random.randint(1, 2)):
            await asyncio.sleep(random.uniform(0, pause))
            await self.deliver(group)
        if wait_for_report is not None:
            await wait_for_report(group)
        await asyncio.sleep(random.uniform(0, pause))
        await self.deliver(group, "resolved")

    def print_summary(self, details: object) -> None:
        """Print the answers, for people who run this with ``pytest -s``."""
        seconds = sorted(self.seconds)
        median, p99 = (seconds[int(len(seconds) * share)] * 1000 for share in (0.5, 0.99))
        answers = ", ".join(f"{count} x {status or 'none'}" for status, count in sorted(self.statuses.items()))
        times = f"p50 {median:.0f} ms, p99 {p99:.0f} ms, worst {seconds[-1] * 1000:.0f} ms"
        sys.stdout.write(f"\nanswers: {answers}; {times}; {details}\n")


@asynccontextmanager
async def alert_sender(url: str, connections: int) -> AsyncIterator[Sender]:
    """Make a sender; close its connections when the context ends."""
    limits = Limits(max_connections=connections, max_keepalive_connections=connections)
    async with AsyncClient(base_url=url, timeout=_ANSWER_SECONDS, limits=limits, trust_env=False) as http:
        yield Sender(http, connections)
