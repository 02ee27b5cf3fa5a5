"""Read each request body completely before the app runs, within limits of size and time."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeeper.alerts.source import MAX_BODY_BYTES
from watchkeeper.intake.error_responses import error_response

BODY_SECONDS = 10.0
"""Time limit for a body."""

_DISCARDED_BYTES = 16 * MAX_BODY_BYTES
"""How much of a too large body is read and discarded. A sender that is cut off earlier may not see the response."""


class _TooLarge(Exception):
    """A body exceeds ``MAX_BODY_BYTES``."""


class BodyLimitMiddleware:
    """Reads the body of each request before it calls the app. Answers 413 and 408 itself."""

    def __init__(self, app: ASGIApp, seconds: float = BODY_SECONDS) -> None:
        self._app = app
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        try:
            async with asyncio.timeout(self._seconds):
                body = await _read(Headers(scope=scope), receive)
        except ClientDisconnect:
            return
        except TimeoutError:
            status, problem = 408, f"the body was not complete within {self._seconds:g} s"
        except _TooLarge:
            status, problem = 413, f"the body is too large; the limit is {MAX_BODY_BYTES:,} bytes"
        else:
            await self._app(scope, _replay(body, receive), send)
            return
        await error_response(status, problem, {"connection": "close"})(scope, receive, send)


async def _read(headers: Headers, receive: Receive) -> bytes:
    """Return the body. Raises _TooLarge, at once for a sender that waits for ``100 Continue``, and ClientDisconnect."""
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


def _replay(body: bytes, receive: Receive) -> Receive:
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replay() -> Message:
        return messages.pop() if messages else await receive()

    return replay
