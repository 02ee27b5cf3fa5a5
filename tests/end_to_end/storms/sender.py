"""A sender that behaves as Alertmanager does: it posts a notification until it is answered 2xx."""

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

FIRST_PAUSE = 0.1
LONGEST_PAUSE = 2.0
"""Alertmanager's own pauses grow by the same factor, to a minute."""

_GROWTH = 1.5
_ANSWER_SECONDS = 20.0


class Sender:
    """Posts to one intake over so many connections; keeps account of how it was answered."""

    def __init__(self, http: AsyncClient, at_once: int) -> None:
        self._http = http
        self._places = asyncio.Semaphore(at_once)
        self.statuses = Counter[int]()
        """Each answer by its status; 0: there was none."""
        self.seconds: list[float] = []
        """Until each answer."""
        self.refusals = Counter[str]()

    async def tell(self, group: Group, status: Literal["firing", "resolved"] = "firing") -> None:
        """Post a notification until it is taken."""
        body, pause = group.notification(status), FIRST_PAUSE
        while not await self.post(group, body):
            await asyncio.sleep(pause * random.uniform(0.5, 1.5))
            pause = min(pause * _GROWTH, LONGEST_PAUSE)
        group.taken += 1
        group.resolved = status == "resolved"

    async def post(self, group: Group, body: bytes) -> bool:
        """Post a notification once and tell whether it was taken."""
        async with self._places:
            began = time.perf_counter()
            try:
                answer = await self._http.post(f"/alerts/{SOURCE}", content=body)
            except HTTPError:
                self.statuses[0] += 1
                return False
            self.seconds.append(time.perf_counter() - began)
        self.statuses[answer.status_code] += 1
        if answer.status_code >= 500:
            self.refusals[answer.json()["error"]] += 1
            return False
        assert answer.is_success, f"Alertmanager would give up: {answer.status_code} {answer.text}"
        for run in answer.json().get("runs", ()):
            group.workflow_id = run["run"]
            group.executions.add(run["run_id"])
        return True

    async def live(self, group: Group, pause: float, reported: Callable[[Group], Awaitable[None]] | None) -> None:
        """Tell of a group as it fires, again and again, and when it is over.

        ``pause``: at most so many seconds pass between two notifications. ``reported``: waits for its report, where the
        group is to be over only after that.
        """
        await self.tell(group)
        for _ in range(random.randint(1, 2)):
            await asyncio.sleep(random.uniform(0, pause))
            await self.tell(group)
        if reported is not None:
            await reported(group)
        await asyncio.sleep(random.uniform(0, pause))
        await self.tell(group, "resolved")

    def tell_how_it_went(self, beside: object) -> None:
        """Write how it was answered, for people who run this with ``pytest -s``."""
        seconds = sorted(self.seconds)
        middle, late = (seconds[int(len(seconds) * share)] * 1000 for share in (0.5, 0.99))
        answers = ", ".join(f"{count} x {status or 'none'}" for status, count in sorted(self.statuses.items()))
        times = f"p50 {middle:.0f} ms, p99 {late:.0f} ms, at worst {seconds[-1] * 1000:.0f} ms"
        sys.stdout.write(f"\nanswers: {answers}; {times}; {beside}\n")


@asynccontextmanager
async def sending(url: str, at_once: int) -> AsyncIterator[Sender]:
    """Make a sender, whose connections last as long as the context."""
    limits = Limits(max_connections=at_once, max_keepalive_connections=at_once)
    async with AsyncClient(base_url=url, timeout=_ANSWER_SECONDS, limits=limits, trust_env=False) as http:
        yield Sender(http, at_once)
