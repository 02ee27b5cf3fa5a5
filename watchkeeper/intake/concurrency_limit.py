"""Limits on concurrent alert requests, so that in a storm every request is answered in time, if need be with 503."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

MAX_DISPATCHES = 32
"""Requests that dispatch alerts to Temporal at once. More would make each slower and the total no faster."""

MAX_ALERT_REQUESTS = 128
"""Verified requests of alert sources at once, including requests that wait for a slot. Further ones get 503 at once."""


class TooManyRequests(Exception):
    """``MAX_ALERT_REQUESTS`` are being handled."""


class NoTurn(Exception):
    """A request has waited too long. The message says for what; it completes "it waited for"."""


class DispatchSlots:
    """Slots for requests that dispatch alerts to Temporal. Only a verified request may take one."""

    def __init__(self, slots: int = MAX_DISPATCHES, limit: int = MAX_ALERT_REQUESTS) -> None:
        self._slots = asyncio.Semaphore(slots)
        self._limit = limit
        self._requests = 0

    @asynccontextmanager
    async def acquire(self, timeout: float) -> AsyncIterator[None]:
        """Hold a slot. Waits for one for at most half of the timeout (seconds) of the request.

        A request that got its slot later would reach its timeout during the dispatch. Under steady overload all work
        would be lost that way. Raises NoTurn, and TooManyRequests.
        """
        if self._requests >= self._limit:
            raise TooManyRequests
        self._requests += 1
        try:
            try:
                async with asyncio.timeout(timeout / 2):
                    await self._slots.acquire()
            except TimeoutError:
                raise NoTurn("other alerts, which Temporal has not accepted yet") from None
            try:
                yield
            finally:
                self._slots.release()
        finally:
            self._requests -= 1
