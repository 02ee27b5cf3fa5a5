"""A host that answers every HTTP request with one body, over TLS too, and keeps the heads of the requests."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

from watchkeeper.temporal.ports import HOST

SAID = b'{"choices":[{"message":{"role":"assistant","content":"Fine."}}]}'

Respond = Callable[[str], tuple[int, bytes]]
"""Returns the status and the body for the head of a request."""


@dataclass
class RawHost:
    """A running host."""

    port: int
    heads: list[str] = field(default_factory=list)

    def line(self, request: int = -1) -> str:
        """Return the first line of a request."""
        return self.heads[request].split("\r\n")[0]

    def headers(self, request: int = -1) -> dict[str, str]:
        """Return the headers of a request, with names in lower case."""
        lines = self.heads[request].split("\r\n")[1:]
        return {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if name}


@asynccontextmanager
async def raw_host(
    respond: Respond = lambda head: (200, SAID), tls: ssl.SSLContext | None = None
) -> AsyncIterator[RawHost]:
    """Serve on loopback."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
                host.heads.append(head)
                await reader.readexactly(int(host.headers().get("content-length", "0")))
                status, body = respond(head)
                length = f"content-type: application/json\r\ncontent-length: {len(body)}"
                writer.write(f"HTTP/1.1 {status} Said\r\n{length}\r\n\r\n".encode() + body)
                await writer.drain()
        except (asyncio.IncompleteReadError, OSError):
            writer.close()

    server = await asyncio.start_server(answer, HOST, 0, ssl=tls)
    host = RawHost(server.sockets[0].getsockname()[1])
    try:
        yield host
    finally:
        server.close()
