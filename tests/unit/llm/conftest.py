"""These tests run on the event loop of the worker (uvloop)."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from watchkeeper.cli.event_loop import new_loop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Return the loop for pytest-asyncio."""
    return {"worker": new_loop}
