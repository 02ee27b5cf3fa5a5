"""The Temporal server of the benchmark: on loopback, tuned as for ``watchkeeper dev``, deleted at the end."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from watchkeeper.temporal.dev_server import DevServer, dev_server
from watchkeeper.temporal.ports import free_port


@asynccontextmanager
async def bench_server() -> AsyncIterator[DevServer]:
    """Run a server with its database in a file. Raises DevServerError if none is installed."""
    with tempfile.TemporaryDirectory() as directory:
        database = Path(directory) / "bench.db"
        async with dev_server(port=free_port(), ui_port=free_port(), database=database) as server:
            yield server
