"""Serves an ASGI app inside the caller's event loop, on loopback by default."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, cast

import uvicorn
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

HOST = "127.0.0.1"
_TRANSPORT = "watchkeeper.transport"


@asynccontextmanager
async def serve(app: ASGIApp, port: int = 0, host: str = HOST) -> AsyncIterator[str]:
    """Serve an app and yield its base URL, such as ``http://127.0.0.1:40123``.

    Port 0 takes a free port. The server listens before the body starts. When the body ends, every connection is closed
    and every unfinished request is cancelled. No signal handler is installed and no access log is written.

    Raises:
        OSError: The port is in use.
    """
    # uvicorn.Server would capture signals, log each start and stop, and poll its connections until they close.
    # Only uvicorn's HTTP protocol class is used.
    config = uvicorn.Config(app, ws="none", lifespan="off", log_config=None, proxy_headers=False)
    config.timeout_keep_alive = 75
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        lambda: _Connection(config, state, {}), host, port, backlog=1024
    )
    try:
        yield f"http://{host}:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()
        await _close(state)
        await server.wait_closed()


def transport_of(scope: Scope) -> asyncio.Transport:
    """Return the connection of a request, for an app that must break it."""
    transport: asyncio.Transport = scope["extensions"][_TRANSPORT]
    return transport


async def _close(state: ServerState) -> None:
    connections = [cast(_Connection, connection) for connection in state.connections]
    for connection in connections:
        connection.transport.abort()
    await asyncio.gather(*(connection.lost.wait() for connection in connections))
    unfinished = list(state.tasks)
    for task in unfinished:
        task.cancel()
    await asyncio.gather(*unfinished, return_exceptions=True)


class _Connection(H11Protocol):
    """A connection whose app can reach the transport, and whose requests are cancelled quietly with the server."""

    def __init__(self, config: uvicorn.Config, state: ServerState, app_state: dict[str, Any]) -> None:
        super().__init__(config, state, app_state)
        self.access_log = False
        self.lost = asyncio.Event()
        app = cast(ASGIApp, self.app)

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            scope["extensions"] = {_TRANSPORT: self.transport}
            with suppress(asyncio.CancelledError):
                await app(scope, receive, send)

        self.app = cast(Any, answer)

    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self.lost.set()
