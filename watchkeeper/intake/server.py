"""Serve the intake with uvicorn. It answers running requests before it stops."""

from __future__ import annotations

import asyncio
import resource
import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

import h11
import uvicorn
from starlette.applications import Starlette
from uvicorn.protocols.http.h11_impl import H11Protocol

GRACE = 5
"""Seconds in which running requests are answered during a shutdown."""

KEEP_ALIVE = 75
"""Seconds. Longer than the keep-alive of common senders, so that they do not reuse a connection that closes here."""

REQUEST_SECONDS = 20.0
"""Seconds in which the head of a request must be complete: from the start of the connection or, for a further request,
from its first byte."""

_BACKLOG = 2_048
_HEADER_BYTES = 64 * 2**10


class ListenError(Exception):
    """The process cannot listen. The message says where, why, and what to do."""


@asynccontextmanager
async def serve(
    app: Starlette,
    host: str,
    port: int,
    keys: str = "intake.host and intake.port",
    *,
    head_seconds: float = REQUEST_SECONDS,
    idle_seconds: int = KEEP_ALIVE,
) -> AsyncIterator[str]:
    """Serve an app and yield its address. Port 0 means a free port. ``keys``: the settings that an error names.

    ``head_seconds`` and ``idle_seconds`` are the time limits for the head of a request, and between two requests.

    Raises ListenError.
    """
    listener = _listen(host, port, keys)
    _raise_open_files()
    config = uvicorn.Config(
        app,
        http=type("_TimedConnection", (_Connection,), {"head_seconds": head_seconds}),
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,  # queries and headers may hold secrets
        server_header=False,
        proxy_headers=False,
        h11_max_incomplete_event_size=_HEADER_BYTES,
        backlog=_BACKLOG,
        timeout_keep_alive=idle_seconds,
        timeout_graceful_shutdown=GRACE,
    )
    server = _Server(config)
    task = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not task.done():  # noqa: ASYNC110 - uvicorn offers no event for it
            await asyncio.sleep(0.01)
        if task.done():
            await task
        yield address(host, listener.getsockname()[1])
    finally:
        server.should_exit = True
        await task


def address(host: str, port: int) -> str:
    """Return the base URL of a server."""
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _listen(host: str, port: int, keys: str) -> socket.socket:
    try:
        (family, _, _, _, endpoint), *_ = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
        listener = socket.create_server(endpoint[:2], family=family, backlog=_BACKLOG)
    except OSError as error:
        raise ListenError(
            f"cannot listen on {host} port {port}: {(error.strerror or str(error)).partition(' (while')[0]}; "
            f"choose another one with the command's options or with {keys}"
        ) from error
    listener.setblocking(False)
    return listener


def _raise_open_files() -> None:
    """Raise the limit of open files to the maximum. The usual 1,024 are too few for a storm of connections."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


class _Server(uvicorn.Server):
    """A server that installs no signal handlers; its process does."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


class _Connection(H11Protocol):
    """A connection that closes if the head of a request is not complete in time.

    uvicorn limits only the time from a response to the first byte of the next request. A client that sends a byte now
    and then would keep the connection forever.
    """

    head_seconds: float = REQUEST_SECONDS
    _deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._watch_head()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_watch()
        super().connection_lost(exc)

    def _watch_head(self) -> None:
        """Start the time limit while the head of a request is awaited, which further bytes do not extend."""
        if self.conn.their_state is not h11.IDLE:
            self._stop_watch()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(self.head_seconds, self._close_if_incomplete)

    def _stop_watch(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _close_if_incomplete(self) -> None:
        self._deadline = None
        if self.conn.their_state is h11.IDLE:
            self.transport.close()
