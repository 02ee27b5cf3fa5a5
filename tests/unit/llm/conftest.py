"""What hosts do to a client is tried on the loop that a worker runs on."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping

from watchkeeper.cli.event_loop import new_loop


def pytest_asyncio_loop_factories() -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    """Say so to pytest-asyncio."""
    return {"worker": new_loop}
