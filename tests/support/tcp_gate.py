"""A TCP proxy that goes away in the middle of an exchange, and comes back."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from watchkeeper.temporal.ports import HOST, free_port

CHUNK = 65_536


class TcpGate:
    """Forwards connections. Once, after some chunks from the clients, it cuts all of them and refuses new ones."""

    def __init__(self, target: str, cut_after: int, away: float) -> None:
        self.port = free_port()
        self.returned = asyncio.Event()
        """Set when it accepts connections again."""
        self._target = target.split(":")
        self._left = cut_after
        self._away = away
        self._writers = set[asyncio.StreamWriter]()
        self._cutting: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Accept connections."""
        self._server = await asyncio.start_server(self._connected, HOST, self.port)

    async def close(self) -> None:
        """Refuse new connections and cut the others."""
        self._server.close()
        while self._writers:
            self._writers.pop().transport.abort()
        await asyncio.sleep(0)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = self._target
        server_reader, server_writer = await asyncio.open_connection(host, int(port))
        self._writers |= {writer, server_writer}
        await asyncio.gather(
            self._forward(reader, server_writer, counted=True), self._forward(server_reader, writer, counted=False)
        )

    async def _forward(self, source: asyncio.StreamReader, target: asyncio.StreamWriter, *, counted: bool) -> None:
        with suppress(ConnectionError):
            while chunk := await source.read(CHUNK):
                if counted:
                    self._left -= 1
                    if self._left == 0:
                        self._cutting = asyncio.create_task(self._go_away())
                        return
                target.write(chunk)
                await target.drain()
        target.close()

    async def _go_away(self) -> None:
        await self.close()
        await asyncio.sleep(self._away)
        await self.open()
        self.returned.set()


@asynccontextmanager
async def tcp_gate(target: str, cut_after: int, away: float) -> AsyncIterator[TcpGate]:
    """Run a gate in front of ``target`` (host:port). It goes away for ``away`` seconds after ``cut_after`` chunks."""
    gate = TcpGate(target, cut_after, away)
    await gate.open()
    try:
        yield gate
    finally:
        await gate.close()
