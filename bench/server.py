"""The Temporal server of the benchmark: its own, on loopback, gone when it is over."""

from __future__ import annotations

import os
import tempfile
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

from temporalio.testing import WorkflowEnvironment

from watchkeeper.devserver import TUNING, find_binary


@asynccontextmanager
async def serving() -> AsyncIterator[str]:
    """Run a server with its database in a file, and give its address. Raises DevServerError without a program."""
    with tempfile.TemporaryDirectory() as directory:
        with _silenced():
            environment = await WorkflowEnvironment.start_local(
                dev_server_existing_path=str(find_binary()),
                dev_server_database_filename=str(Path(directory) / "bench.db"),
                dev_server_extra_args=TUNING,
                dev_server_log_level="error",
            )
        async with environment:
            yield environment.client.service_client.config.target_host


@contextmanager
def _silenced() -> Iterator[None]:
    """Keep what a child says to itself: the server greets on the output that the table goes to."""
    output = os.dup(1)
    with Path(os.devnull).open("w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
    try:
        yield
    finally:
        os.dup2(output, 1)
        os.close(output)
