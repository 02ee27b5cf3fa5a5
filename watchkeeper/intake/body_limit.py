"""Read each request body completely before the app runs, within limits of size, time and memory."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from typing import TypeAlias

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeeper.alerts.source import MAX_BODY_BYTES
from watchkeeper.intake.body_room import BodyRoom, IncompleteBody, UnprovenBodies
from watchkeeper.intake.discarded_body import DISCARDED_BYTES, discard_body
from watchkeeper.intake.error_responses import error_response, retry_response

BODY_SECONDS = 10.0
"""Time limit for a body."""

ROOM_SECONDS = 3.0
"""How long a large body waits for room. Senders whose writes have a time limit often set five seconds."""

SMALL_BYTES = 256 * 2**10
"""Largest body that is read without waiting for room, and the largest one of requests that hold no alerts."""

_ALERTS = "/alerts/"

RefusedBody: TypeAlias = Callable[[str, str], Awaitable[None]]
TakeRoom: TypeAlias = Callable[[int], Awaitable[None]]


class _TooLarge(Exception):
    """A body exceeds its limit."""


class _NoRoom(Exception):
    """Other bodies take all the room."""


class BodyLimitMiddleware:
    """Reads the body of each request before it calls the app. Answers 413, 408 and 503 itself."""

    def __init__(
        self,
        app: ASGIApp,
        seconds: float = BODY_SECONDS,
        sources: Collection[str] = (),
        room: BodyRoom | None = None,
        refused: RefusedBody | None = None,
        is_proven: Callable[[str], bool] = lambda path: True,
        unproven: UnprovenBodies | None = None,
    ) -> None:
        """Create the middleware.

        Args:
            app: The app behind it.
            seconds: Time limit for a body.
            sources: Names of the alert sources, whose bodies may have ``MAX_BODY_BYTES``.
            room: Memory for bodies larger than ``SMALL_BYTES``.
            refused: Called with the name of the source and the problem, if a body of alerts is too large.
            is_proven: Returns whether the sender of a path has been verified before the body.
            unproven: Memory for the incomplete bodies of other senders.
        """
        self._app = app
        self._seconds = seconds
        self._paths = frozenset(f"{_ALERTS}{name}" for name in sources)
        self._room = room or BodyRoom()
        self._refused = refused
        self._is_proven = is_proven
        self._unproven = unproven or UnprovenBodies()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        limit = MAX_BODY_BYTES if scope["path"] in self._paths else SMALL_BYTES
        async with AsyncExitStack() as held:
            try:
                body = await self._read(scope, receive, limit, held)
            except ClientDisconnect:
                return
            except TimeoutError:
                problem = f"the body was not complete within {self._seconds:g} s"
                response = error_response(408, problem, {"connection": "close"})
            except _NoRoom:
                await discard_body(scope, receive, is_begun=True)
                response = retry_response("too many large bodies at once; send it again")
                response.headers["connection"] = "close"
            except _TooLarge:
                problem = f"the body is too large; the limit is {limit:,} bytes"
                if self._refused is not None and scope["path"] in self._paths:
                    await self._refused(scope["path"].removeprefix(_ALERTS), problem)
                response = error_response(413, problem, {"connection": "close"})
            else:
                await self._app(scope, _replay(body, receive), send)
                return
            await response(scope, receive, send)

    async def _read(self, scope: Scope, receive: Receive, limit: int, held: AsyncExitStack) -> bytes:
        """Return the body. Raises _TooLarge, _NoRoom, ClientDisconnect and TimeoutError.

        ``held`` gets the room of a large body: before it is read, or if nothing proves its sender, once it is complete.
        """
        headers = Headers(scope=scope)
        async with asyncio.timeout(self._seconds) as time_limit:
            body = IncompleteBody(time_limit)
            if self._is_proven(scope["path"]):
                await self._receive(headers, receive, limit, body, lambda size: self._take_room(size, held))
                return body.content
            try:
                with self._unproven.reading(body):
                    await self._receive(headers, receive, limit, body)
                    if body.size > SMALL_BYTES:
                        await self._take_room(body.size, held)
            except asyncio.CancelledError:
                if body.is_dropped and time_limit.expired():
                    raise _NoRoom from None
                raise
            return body.content

    async def _receive(
        self, headers: Headers, receive: Receive, limit: int, body: IncompleteBody, take_room: TakeRoom | None = None
    ) -> None:
        """Read a body. Raises _TooLarge, _NoRoom and ClientDisconnect.

        A sender that waits for ``100 Continue`` is refused at once.
        """
        announced = headers.get("content-length", "")
        expected = int(announced) if announced.isdigit() and len(announced) < 20 else None
        large = expected is not None and expected > limit
        if large and headers.get("expect", "").lower() == "100-continue":
            raise _TooLarge
        size, more = 0, True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise ClientDisconnect
            chunk, more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            large = large or size > limit
            if large:
                body.clear()
                if size > DISCARDED_BYTES:
                    raise _TooLarge
                continue
            if take_room is not None and size > SMALL_BYTES:
                await take_room(limit if expected is None else max(expected, size))
                take_room = None
            body.add(chunk)
            self._unproven.count(body)
            if body.is_dropped:
                raise _NoRoom
        if large:
            raise _TooLarge

    async def _take_room(self, size: int, held: AsyncExitStack) -> None:
        """Wait for room, and leave most of the time for the body. Raises _NoRoom."""
        try:
            async with asyncio.timeout(min(ROOM_SECONDS, self._seconds / 2)):
                await held.enter_async_context(self._room.take(size))
        except TimeoutError:
            raise _NoRoom from None


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
