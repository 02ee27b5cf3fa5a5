"""A Temporal server that can be killed and started again on what it had recorded."""

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
"""Events after which it suggests to continue as new: in the middle of the longer incident."""


class Server:
    """The embedded server on a database file, at the same address each time."""

    client: Client
    """Stays good over its deaths."""

    def __init__(self, database: Path) -> None:
        self._database = database
        self._ports = free_port(), free_port()
        self._life = AsyncExitStack()
        self._server: DevServer | None = None
        self.address = f"{HOST}:{self._ports[0]}"

    async def start(self) -> None:
        """Start it and wait until it serves."""
        suggestion = f"limit.historyCount.suggestContinueAsNew={CONTINUE_AFTER}"
        self._server = await self._life.enter_async_context(
            dev_server(
                port=self._ports[0],
                ui_port=self._ports[1],
                database=self._database,
                dynamic_config=[suggestion],
            )
        )

    async def kill(self) -> None:
        """Kill it."""
        assert self._server
        os.kill(self._server.pid, signal.SIGKILL)
        await self._life.aclose()

    async def end(self) -> None:
        """End it cleanly."""
        await self._life.aclose()


@asynccontextmanager
async def server() -> AsyncIterator[Server]:
    """Run one for as long as the context lasts."""
    with TemporaryDirectory() as directory:
        running = Server(Path(directory) / "temporal.db")
        await running.start()
        assert running._server
        running.client = running._server.client
        try:
            yield running
        finally:
            await running.end()
