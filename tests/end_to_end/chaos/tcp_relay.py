"""A TCP relay between a client and the Temporal server that a test can cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from watchkeeper.testing.asgi_server import HOST


class Relay:
    """Forwards connections to an address. While it is cut, it forwards nothing and accepts no connection."""

    def __init__(self, target: str, delay: float) -> None:
        self._delay = delay
        self._host, _, port = target.partition(":")
        self._port = int(port)
        self._connected = asyncio.Event()
        self._connected.set()
        self._open: set[asyncio.StreamWriter] = set()
        self.address = ""

    def cut(self, *, silently: bool) -> None:
        """Stop forwarding; ``silently`` leaves both ends waiting; otherwise their connections are reset."""
        self._connected.clear()
        if not silently:
            for writer in self._open:
                writer.transport.abort()

    def restore(self) -> None:
        """Forward again."""
        self._connected.set()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Handle one connection."""
        if not self._connected.is_set():
            writer.transport.abort()
            return
        target_reader, target_writer = await asyncio.open_connection(self._host, self._port)
        self._open |= {writer, target_writer}
        await asyncio.gather(
            self._forward(reader, target_writer, 0.0), self._forward(target_reader, writer, self._delay)
        )
        self._open -= {writer, target_writer}

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(65_536):
                await asyncio.sleep(delay)
                await self._connected.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def run_relay(target: str, *, delay: float = 0.0) -> AsyncIterator[Relay]:
    """Relay to an address until the context ends; ``delay``: seconds by which answers are delayed."""
    relay = Relay(target, delay)
    connections: set[asyncio.Task[None]] = set()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(task := asyncio.create_task(relay.connect(reader, writer)))
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(accept, HOST, 0)
    relay.address = f"{HOST}:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
        relay.cut(silently=False)
        relay.restore()
        await asyncio.gather(*connections, return_exceptions=True)
