"""Memory for the request bodies that the intake holds at once."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager

from watchkeeper.alerts.source import MAX_BODY_BYTES

ROOM_BYTES = 4 * MAX_BODY_BYTES
"""Memory for all large bodies at once, until they are answered."""

UNPROVEN_BYTES = 2 * MAX_BODY_BYTES
"""Memory for all bodies that are not complete and whose sender nothing has proved: they sign the body."""


class BodyRoom:
    """Memory for large bodies. Who waits first is served first."""

    def __init__(self, size: int = ROOM_BYTES) -> None:
        self._left = size
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @asynccontextmanager
    async def take(self, size: int) -> AsyncIterator[None]:
        """Hold room for a body of this size."""
        if self._waiting or size > self._left:
            turn = asyncio.get_running_loop().create_future()
            self._waiting.append((size, turn))
            try:
                await turn
            except asyncio.CancelledError:
                if turn.done() and not turn.cancelled():
                    self._left += size
                else:
                    self._waiting.remove((size, turn))
                self._serve()
                raise
        else:
            self._left -= size
        try:
            yield
        finally:
            self._left += size
            self._serve()

    def _serve(self) -> None:
        while self._waiting and self._waiting[0][0] <= self._left:
            size, turn = self._waiting.popleft()
            self._left -= size
            turn.set_result(None)


class IncompleteBody:
    """What has been read of a body, in a time limit."""

    def __init__(self, time_limit: asyncio.Timeout) -> None:
        self._time_limit = time_limit
        self._chunks: list[bytes] = []
        self.size = 0
        """Bytes that have been kept."""
        self.is_dropped = False

    @property
    def content(self) -> bytes:
        """What has been kept."""
        return b"".join(self._chunks)

    def add(self, chunk: bytes) -> None:
        """Keep a chunk."""
        self._chunks.append(chunk)
        self.size += len(chunk)

    def clear(self) -> None:
        """Forget what has been kept."""
        self._chunks.clear()
        self.size = 0

    def drop(self) -> None:
        """Forget what has been kept, and end the time limit now."""
        self.is_dropped = True
        self.clear()
        self._time_limit.reschedule(asyncio.get_running_loop().time())


class UnprovenBodies:
    """The incomplete bodies of unproven senders. If they take too much memory, the oldest are dropped.

    A body of a real sender comes at once, so the bodies that strangers keep incomplete are the oldest ones.
    """

    def __init__(self, size: int = UNPROVEN_BYTES) -> None:
        self._size = size
        self._held = 0
        self._bodies: dict[IncompleteBody, int] = {}
        """Bytes of each body, the oldest first."""

    @contextmanager
    def reading(self, body: IncompleteBody) -> Iterator[None]:
        """Hold a body until it is complete."""
        self._bodies[body] = 0
        try:
            yield
        finally:
            self._forget(body)

    def count(self, body: IncompleteBody) -> None:
        """Account for the size of a body, and drop the oldest bodies beyond the limit; maybe this one."""
        if body not in self._bodies:
            return
        self._held += body.size - self._bodies[body]
        self._bodies[body] = body.size
        while self._held > self._size:
            oldest = next(iter(self._bodies))
            self._forget(oldest)
            oldest.drop()

    def _forget(self, body: IncompleteBody) -> None:
        self._held -= self._bodies.pop(body, 0)
