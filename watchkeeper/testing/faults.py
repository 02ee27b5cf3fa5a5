"""Faults: what a failing host does to one request.

A fault is ASGI middleware. It gets the app that normally answers, and may answer instead of it, before it or after it.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeAlias

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from watchkeeper.contracts import JsonObject
from watchkeeper.testing.asgi_server import transport_of

Fault: TypeAlias = Callable[[ASGIApp], ASGIApp]
Body: TypeAlias = str | bytes | JsonObject

_CLOSE_BY_RESET = struct.pack("ii", 1, 0)


def fault(status: int = 503, body: Body = "", headers: Mapping[str, str] | None = None) -> Fault:
    """Answer with a status; a mapping as body is sent as JSON."""
    if isinstance(body, dict):
        return raw_body(json.dumps(body).encode(), "application/json", status, headers)
    return raw_body(body.encode() if isinstance(body, str) else body, "text/plain", status, headers)


def raw_body(body: bytes, content_type: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Fault:
    """Answer with exactly these bytes, even if they do not match the content type."""
    return lambda app: Response(body, status, {"content-type": content_type, **(headers or {})})


def redirect(url: str, status: int = 301) -> Fault:
    """Redirect the caller to another URL."""
    return lambda app: Response(status_code=status, headers={"location": url})


def delay(seconds: float) -> Fault:
    """Delay the normal answer."""

    def delayed(app: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await asyncio.sleep(seconds)
            await app(scope, receive, send)

        return answer

    return delayed


def hang(seconds: float) -> Fault:
    """Send nothing for some seconds, then close the connection."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await asyncio.sleep(seconds)
        await _break(scope, receive)

    return lambda app: answer


def drip(body: bytes, seconds_per_byte: float = 1.0, content_type: str = "application/json") -> Fault:
    """Answer 200 at once and send the body byte by byte, so that no read ever times out."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for at in range(len(body)):
            await asyncio.sleep(seconds_per_byte)
            await send({"type": "http.response.body", "body": body[at : at + 1], "more_body": True})
        await send({"type": "http.response.body"})

    return lambda app: answer


def raw_response(response: bytes) -> Fault:
    """Write these bytes, status line included, to the connection and close it. For responses that break HTTP."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        transport = transport_of(scope)
        transport.write(response)
        transport.close()
        await _disconnected(receive)

    return lambda app: answer


def truncated(body: bytes, missing: int = 100) -> Fault:
    """Announce more bytes of a JSON body than are sent."""
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {len(body) + missing}\r\n\r\n"
    return raw_response(head.encode() + body)


def drop_connection() -> Fault:
    """Reset the connection without an answer. The request has no effect."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await _break(scope, receive)

    return lambda app: answer


def reset_midway(body: bytes, content_type: str = "application/json") -> Fault:
    """Begin to send a body, then reset the connection."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        headers = [(b"content-type", content_type.encode()), (b"content-length", str(2 * len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body, "more_body": True})
        await _break(scope, receive)

    return lambda app: answer


def lose_reply() -> Fault:
    """Process the request, then reset the connection. The caller cannot know whether the request took effect."""

    def lossy(app: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            await app(scope, receive, _discard)
            await _break(scope, receive)

        return answer

    return lossy


def cut_stream(after: int = 2, *, reset: bool = False) -> Fault:
    """End a streamed answer after some of its events, as if it were complete, or by resetting the connection."""

    async def cut(scope: Scope, receive: Receive, send: Send, message: Message) -> None:
        if reset:
            await _break(scope, receive)
        else:
            await send({"type": "http.response.body"})
        raise _Cut

    return _in_stream(after, cut)


def pause_stream(after: int = 2, seconds: float = 30.0) -> Fault:
    """Send nothing for some seconds in the middle of a streamed answer."""

    async def pause(scope: Scope, receive: Receive, send: Send, message: Message) -> None:
        await asyncio.sleep(seconds)
        await send(message)

    return _in_stream(after, pause)


def garble_stream(after: int = 2, event: bytes = b'data: {"choices":[{"delta":{"conte\n\n') -> Fault:
    """Send something else instead of one event of a streamed answer."""

    async def garble(scope: Scope, receive: Receive, send: Send, message: Message) -> None:
        await send({**message, "body": event})

    return _in_stream(after, garble)


class _Cut(Exception):
    """The rest of an answer is not sent."""


def _in_stream(after: int, act: Callable[[Scope, Receive, Send, Message], Awaitable[None]]) -> Fault:
    """Pass an answer on, and handle its part number ``after``, counted from 0, in another way."""

    def faulty(app: ASGIApp) -> ASGIApp:
        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            parts = 0

            async def forward(message: Message) -> None:
                nonlocal parts
                is_part = message["type"] == "http.response.body" and bool(message.get("body"))
                parts += is_part
                if is_part and parts == after + 1:
                    await act(scope, receive, send, message)
                else:
                    await send(message)

            try:
                await app(scope, receive, forward)
            except* _Cut:
                pass

        return answer

    return faulty


async def _discard(message: Message) -> None:
    pass


async def _break(scope: Scope, receive: Receive) -> None:
    transport = transport_of(scope)
    connection: socket.socket = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _CLOSE_BY_RESET)
    transport.abort()
    await _disconnected(receive)


async def _disconnected(receive: Receive) -> None:
    # Returning earlier would make the server answer 500 for an app that did not answer.
    while (await receive())["type"] != "http.disconnect":
        pass
