"""Limits on concurrent alert requests, so that in a storm every request is answered in time, if need be with 503."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.intake.error_responses import retry_response

MAX_DISPATCHES = 32
"""Requests that dispatch alerts to Temporal at once. More would make each slower and the total no faster."""

MAX_ALERT_REQUESTS = 128
"""Requests of alert sources at once, including requests that wait for a slot. Further ones get 503 before any work."""

_ALERTS = "/alerts/"


class DispatchSlots:
    """Slots for requests that dispatch alerts to Temporal."""

    def __init__(self, slots: int = MAX_DISPATCHES) -> None:
        self._slots = asyncio.Semaphore(slots)

    @asynccontextmanager
    async def acquire(self, timeout: float) -> AsyncIterator[None]:
        """Hold a slot. Waits for one for at most half of the timeout (seconds) of the request.

        A request that got its slot later would reach its timeout during the dispatch. Under steady overload all work
        would be lost that way. Raises TimeoutError.
        """
        async with asyncio.timeout(timeout / 2):
            await self._slots.acquire()
        try:
            yield
        finally:
            self._slots.release()


class AlertLimitMiddleware:
    """Answers 503 to alert requests beyond a limit. It runs after the body was read."""

    def __init__(self, app: ASGIApp, limit: int = MAX_ALERT_REQUESTS) -> None:
        self._app = app
        self._limit = limit
        self._running = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http" or not scope["path"].startswith(_ALERTS):
            await self._app(scope, receive, send)
        elif self._running >= self._limit:
            await retry_response("too many alert requests at once; send it again")(scope, receive, send)
        else:
            self._running += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._running -= 1
