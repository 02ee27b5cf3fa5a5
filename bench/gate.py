"""A gate that lets so many requests of a contender pass and then holds all others: runs that stay open."""

from __future__ import annotations

import asyncio
from collections import defaultdict


class RequestGate:
    """Open for everyone until it is shut."""

    def __init__(self) -> None:
        self._left: dict[str, int] = {}
        self._opened: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._held: dict[str, int] = defaultdict(int)

    def shut(self, name: str, after: int) -> None:
        """Let so many requests pass, then none."""
        self._left[name] = after
        self._opened[name].clear()

    def open(self, name: str) -> None:
        """Let all pass."""
        self._left.pop(name, None)
        self._opened[name].set()

    def held(self, name: str) -> int:
        """Tell how many are held."""
        return self._held[name]

    async def passing(self, name: str) -> None:
        """Pass, or wait until the gate is opened."""
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
