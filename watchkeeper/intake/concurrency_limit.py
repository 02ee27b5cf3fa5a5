"""How many alerts are taken at once: a storm is answered in time, by 503 if need be, and never hangs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.types import ASGIApp, Receive, Scope, Send

from watchkeeper.intake.error_responses import retry_response

MAX_DISPATCHES = 32
"""Requests before Temporal at once. More would not be taken any faster, and each would wait for longer."""

MAX_ALERT_REQUESTS = 128
"""Requests of alert sources at once, those that wait for a place included. What comes beyond them is turned away
before any work is done for it, for that work would take the time in which the others can be taken."""

_ALERTS = "/alerts/"


class DispatchSlots:
    """Places before Temporal."""

    def __init__(self, places: int = MAX_DISPATCHES) -> None:
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


class AlertLimitMiddleware:
    """Turns away what comes while too many alerts are being taken; their bodies must have been read before."""

    def __init__(self, app: ASGIApp, most: int = MAX_ALERT_REQUESTS) -> None:
        self._app = app
        self._most = most
        self._inside = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        if scope["type"] != "http" or not scope["path"].startswith(_ALERTS):
            await self._app(scope, receive, send)
        elif self._inside >= self._most:
            await retry_response("too many alerts come at once; send it again")(scope, receive, send)
        else:
            self._inside += 1
            try:
                await self._app(scope, receive, send)
            finally:
                self._inside -= 1
