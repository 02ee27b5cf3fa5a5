"""How many requests wait for Temporal at once: a storm is answered in time, by 503 if need be, and never hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

PLACES = 64
"""Enough for a thousand alerts a second at the latency of a server far away."""


class Gate:
    """Places before Temporal."""

    def __init__(self, places: int = PLACES) -> None:
        self._places = asyncio.Semaphore(places)

    @asynccontextmanager
    async def place(self, patience: float) -> AsyncIterator[None]:
        """Wait for a place for at most half of the patience (seconds).

        Whoever got one later would be told to try again all the same, in the midst of its work: where more comes than
        Temporal takes, nothing at all would be done. Raises TimeoutError.
        """
        async with asyncio.timeout(patience / 2):
            await self._places.acquire()
        try:
            yield
        finally:
            self._places.release()
