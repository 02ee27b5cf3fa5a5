"""Holds the requests of a contender after a number of them, so that its runs stay open."""

from __future__ import annotations

import asyncio
from collections import defaultdict


class RequestGate:
    """Lets all requests pass until it is closed for a contender."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}
        self._opened: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._held: dict[str, int] = defaultdict(int)

    def close(self, name: str, after: int) -> None:
        """Let ``after`` more requests pass, then hold the others."""
        self._left[name] = after
        self._opened[name].clear()

    def open(self, name: str) -> None:
        """Let all requests pass."""
        self._left.pop(name, None)
        self._opened[name].set()

    def held_count(self, name: str) -> int:
        """Return the number of held requests."""
        return self._held[name]

    async def wait_until_open(self, name: str) -> None:
        """Return at once, or when the gate is opened."""
        if name not in self._left:
            return
        self._left[name] -= 1
        if self._left[name] >= 0:
            return
        self._held[name] += 1
        try:
            await self._opened[name].wait()
        finally:
            self._held[name] -= 1
