"""Serving the intake: it listens when it says so, and answers what it has taken before it ends."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

GRACE = 5
"""Seconds to answer what was taken, once it is told to end."""

KEEP_ALIVE = 75
"""Seconds; shorter than the sender's own, it would be the one that meets a connection just closed."""

REQUEST_SECONDS = 20.0
"""For the first request of a connection to begin."""

_BACKLOG = 2_048
_HEADER_BYTES = 64 * 2**10


class ListenError(Exception):
    """A process cannot listen; the text says where, why, and the way out."""


@asynccontextmanager
async def serve(app: Starlette, host: str, port: int, keys: str = "intake.host and intake.port") -> AsyncIterator[str]:
    """Serve an app and give its address; port 0 takes a free one. Raises CannotListen, naming the settings' keys."""
    listener = _listen(host, port, keys)
    _raise_open_files()
    config = uvicorn.Config(
        app,
        http=_Connection,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # queries and headers may hold secrets
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        backlog=_BACKLOG,
        timeout_keep_alive=KEEP_ALIVE,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn tells it in no other way
            await asyncio.sleep(0.01)
        if task.done():
            await task
        yield address(host, listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task


def address(host: str, port: int) -> str:
    """Write the address of a server."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int, keys: str) -> socket.socket:
    try:
        (family, _, _, _, at), *_ = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        listener = socket.create_server(at[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ListenError(
            f"cannot listen on {host} port {port}: {(error.strerror or str(error)).partition(' (while')[0]}; "
            f"choose another by the command's options, or by {keys}"
        ) from error
    listener.setblocking(False)
    return listener


def _raise_open_files() -> None:
    """Allow as many connections as the system lets us: in a storm the usual 1,024 are few."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Server(uvicorn.Server):
    """A server that leaves signals to the process it is a part of."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Connection(H11Protocol):
    """A connection that is closed when no request begins on it: uvicorn counts time only behind the first one."""

    _opened: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._opened = self.loop.call_later(REQUEST_SECONDS, self._give_up)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._opened is not None:
            self._opened.cancel()
        super().connection_lost(exc)

    def _give_up(self) -> None:
        if self.cycle is None:
            self.transport.close()
