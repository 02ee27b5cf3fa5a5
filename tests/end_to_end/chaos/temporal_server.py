"""A Temporal server that can be killed and restarted on the same database."""

from __future__ import annotations

import os
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from temporalio.client import Client

from watchkeeper.temporal.dev_server import DevServer, dev_server
from watchkeeper.temporal.ports import HOST, free_port

CONTINUE_AFTER = 45
"""Events after which the server suggests continue-as-new: in the middle of the longer incident."""


class TemporalServer:
    """The embedded server on a database file, at the same address each time."""

    client: Client
    """Stays usable after a restart of the server."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._ports = free_port(), free_port()
        self._stack = AsyncExitStack()
        self._server: DevServer | None = None
        self.address = f"{HOST}:{self._ports[0]}"

    async def start(self) -> None:
        """Start the server and wait until it serves."""
        suggestion = f"limit.historyCount.suggestContinueAsNew={CONTINUE_AFTER}"
        self._server = await self._stack.enter_async_context(
            dev_server(
                port=self._ports[0],
                ui_port=self._ports[1],
                database=self._database,
                dynamic_config=[suggestion],
            )
        )

    async def kill(self) -> None:
        """Kill the server."""
        assert self._server
        os.kill(self._server.pid, signal.SIGKILL)
        await self._stack.aclose()

    async def end(self) -> None:
        """Stop the server cleanly."""
        await self._stack.aclose()


@asynccontextmanager
async def run_server() -> AsyncIterator[TemporalServer]:
    """Run a server until the context ends."""
    with TemporaryDirectory() as directory:
        server = TemporalServer(Path(directory) / "temporal.db")
        await server.start()
        assert server._server
        server.client = server._server.client
        try:
            yield server
        finally:
            await server.end()
