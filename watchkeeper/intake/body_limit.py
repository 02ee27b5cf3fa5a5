"""Reading bodies: whole, before anything looks at them, and never more or longer than is worth it."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeeper.alerts.source import MAX_BODY_BYTES
from watchkeeper.intake.error_responses import error_response

BODY_SECONDS = 10.0
"""For a body to come whole; whoever sends it more slowly only holds a connection."""

_DISCARDED_BYTES = 16 * MAX_BODY_BYTES
"""So much of a body that is too large is read all the same: a sender that is cut off may not see why."""


class _TooLarge(Exception):
    """A body is larger than any vendor's."""


class BodyLimitMiddleware:
    """Reads the body of each request before the app is asked; answers 413 and 408 itself."""

    def __init__(self, app: ASGIApp, seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Take one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds):
                body = await _read(Headers(scope=scope), receive)
        except ClientDisconnect:
            return
        except TimeoutError:
            answer = error_response(
                408, f"the body did not come whole within {self._seconds:g} s", {"connection": "close"}
            )
        except _TooLarge:
            most = f"the body is too large; at most {MAX_BODY_BYTES:,} bytes are read"
            answer = error_response(413, most, {"connection": "close"})
        else:
            await self._app(scope, _again(body, receive), send)
            return
        await answer(scope, receive, send)


async def _read(headers: Headers, receive: Receive) -> bytes:
    """Return a body. Raises _TooLarge once it is over, or known to be for a sender that waits to be asked for it."""
    announced = headers.get("content-length", "")
    large = announced.isdigit() and int(announced) > MAX_BODY_BYTES
    if large and headers.get("expect", "").lower() == "100-continue":
        raise _TooLarge
    chunks, size, more = list[bytes](), 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunk, more = message.get("body", b""), message.get("more_body", False)
        size += len(chunk)
        large = large or size > MAX_BODY_BYTES
        if large:
            chunks.clear()
            if size > _DISCARDED_BYTES:
                raise _TooLarge
        else:
            chunks.append(chunk)
    if large:
        raise _TooLarge
    return b"".join(chunks)


def _again(body: bytes, receive: Receive) -> Receive:
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return waiting.pop() if waiting else await receive()

    return replay
