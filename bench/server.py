"""The Temporal server of the benchmark: its own, on loopback, tuned as ``watchkeeper dev`` is, gone when it is over."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from watchkeeper.temporal.dev_server import DevServer, dev_server
from watchkeeper.temporal.ports import free_port


@asynccontextmanager
async def serving() -> AsyncIterator[DevServer]:
    """Run a server with its database in a file. Raises DevServerError without a program."""
    with tempfile.TemporaryDirectory() as directory:
        database = Path(directory) / "bench.db"
        async with dev_server(port=free_port(), ui_port=free_port(), database=database) as server:
            yield server
