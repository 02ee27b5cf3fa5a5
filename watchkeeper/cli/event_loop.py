"""The event loop of the processes that work."""

from __future__ import annotations

import asyncio

import uvloop


def new_loop() -> asyncio.AbstractEventLoop:
    """Make a loop that does what Python's own does in less time."""
    return uvloop.new_event_loop()
