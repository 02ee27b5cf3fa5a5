"""The event loop of the long-running processes."""

from __future__ import annotations

import asyncio

import uvloop


def new_loop() -> asyncio.AbstractEventLoop:
    """Return a uvloop event loop, which is faster than Python's."""
    return uvloop.new_event_loop()
