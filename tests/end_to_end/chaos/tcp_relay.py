"""The network between a worker and the Temporal server: bytes both ways, until it is cut."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from watchkeeper.testing.asgi_server import HOST


class Relay:
    """Forwards connections to an address; while it is cut, it forwards nothing and takes nobody."""

    def __init__(self, target: str, delay: float) -> None:
        self._delay = delay
        self._host, _, port = target.partition(":")
        self._port = int(port)
        self._whole = asyncio.Event()
        self._whole.set()
        self._open: set[asyncio.StreamWriter] = set()
        self.address = ""

    def cut(self, *, silently: bool) -> None:
        """Stop forwarding; ``silently`` leaves both ends waiting, else their connections are reset."""
        self._whole.clear()
        if not silently:
            for writer in self._open:
                writer.transport.abort()

    def mend(self) -> None:
        """Forward again."""
        self._whole.set()

    async def connect(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection."""
        if not self._whole.is_set():
            writer.transport.abort()
            return
        there, back = await asyncio.open_connection(self._host, self._port)
        self._open |= {writer, back}
        await asyncio.gather(self._forward(reader, back, 0.0), self._forward(there, writer, self._delay))
        self._open -= {writer, back}

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: float) -> None:
        with suppress(ConnectionError):
            while chunk := await reader.read(65_536):
                await asyncio.sleep(delay)
                await self._whole.wait()
                writer.write(chunk)
                await writer.drain()
        writer.close()


@asynccontextmanager
async def relaying(target: str, *, delay: float = 0.0) -> AsyncIterator[Relay]:
    """Relay to an address for as long as the context lasts; ``delay``: seconds that what it answers is under way."""
    relay = Relay(target, delay)
    connections: set[asyncio.Task[None]] = set()

    def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(task := asyncio.create_task(relay.connect(reader, writer)))
        task.add_done_callback(connections.discard)

    server = await asyncio.start_server(take, HOST, 0)
    relay.address = f"{HOST}:{server.sockets[0].getsockname()[1]}"
    try:
        yield relay
    finally:
        server.close()
        relay.cut(silently=False)
        relay.mend()
        await asyncio.gather(*connections, return_exceptions=True)
