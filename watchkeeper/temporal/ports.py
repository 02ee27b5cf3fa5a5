"""Ports of the loopback interface: find a free one, and claim one until a server listens on it."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"


def free_port(host: str = HOST) -> int:
    """Return a port of a loopback address that is free now, and that Linux gives to no other program for a minute.

    Otherwise an outgoing connection of any program may take it before a server listens on it. A connection that its
    server closes first keeps its port in the state TIME_WAIT, in which only a program that names the port gets it. The
    server of ``temporal server start-dev`` reserves its inner ports in the same way.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, 0))
        listener.listen()
        port: int = listener.getsockname()[1]
        with socket.create_connection((host, port)) as client:
            server, _ = listener.accept()
            server.close()
            client.recv(1)  # the server's end comes first
        return port


def is_free(port: int) -> bool:
    """Return whether a server can listen on a loopback port."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


@contextmanager
def claim_port(port: int) -> Iterator[bool]:
    """Claim a port for a server that starts soon, while the context is open. Yields whether the claim succeeded.

    Without it, two programs that start at the same time on the same port would share one server.
    """
    path = Path(tempfile.gettempdir()) / f"watchkeeper-{os.getuid()}-{port}.lock"
    with path.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
            return
        try:
            yield is_free(port)
        finally:
            path.unlink(missing_ok=True)
