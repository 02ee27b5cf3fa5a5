"""Read the rest of a refused request, before the answer that closes its connection.

A body that arrives at a closed connection resets it, and the sender loses the answer.
"""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.types import Receive, Scope

from watchkeeper.alerts.source import MAX_BODY_BYTES

DISCARDED_BYTES = 2 * MAX_BODY_BYTES
DISCARD_SECONDS = 3.0
"""Limits of what is read and discarded."""


async def discard_body(scope: Scope, receive: Receive, *, is_begun: bool = False) -> None:
    """Read and discard a body, or with ``is_begun`` the rest of it, up to a size and a time."""
    if not is_begun and "expect" in Headers(scope=scope):
        return  # the sender waits for the answer before it sends the body
    size, more = 0, True
    try:
        async with asyncio.timeout(DISCARD_SECONDS):
            while more and size <= DISCARDED_BYTES:
                message = await receive()
                size += len(message.get("body", b""))
                more = message.get("more_body", False)
    except TimeoutError:
        return
