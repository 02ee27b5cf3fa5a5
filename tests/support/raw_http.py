"""Raw HTTP bytes, for requests that no HTTP client would send."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from httpx2 import AsyncClient


@asynccontextmanager
async def connection(http: AsyncClient) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    """Open a connection to the server of a client."""
    reader, writer = await asyncio.open_connection(http.base_url.host, http.base_url.port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def head(reader: asyncio.StreamReader) -> str:
    """Read the status line and the headers of a response."""
    return (await reader.readuntil(b"\r\n\r\n")).decode()


def request(path: str, *headers: str, body: bytes = b"") -> bytes:
    lines = [f"POST {path} HTTP/1.1", "Host: 127.0.0.1", *headers]
    return "\r\n".join([*lines, "", ""]).encode() + body


async def exchange(http: AsyncClient, sent: bytes) -> str:
    """Send bytes on a new connection and return the head of the response."""
    async with connection(http) as (reader, writer):
        writer.write(sent)
        return await head(reader)
