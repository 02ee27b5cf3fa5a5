"""Ports of loopback: which are free, and claiming one, as a server listens on its own only after a while."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HOST = "127.0.0.1"


def free_port() -> int:
    """Return a port of loopback that is free right now."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def is_free(port: int) -> bool:
    """Tell whether a port of loopback can be listened on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError:
            return False
        return True


@contextmanager
def claim_port(port: int) -> Iterator[bool]:
    """Claim a port for a server to come, for as long as the context lasts; tell whether it is ours.

    Of two programs of one person that start at once, the slower one would else find the other's server, and use it.
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
