"""Turns: while one contender runs a round, the others wait in their model call.

Rounds with the same number are therefore run shortly after each other, so other load on the machine affects all
contenders in the same way.
"""

from __future__ import annotations

import asyncio
import random

REST_SECONDS = 0.01
"""Pause before each turn, in which the server finishes the work of the turn before."""


class TurnOrder:
    """Gives the contenders their turns, in a random order that changes each time."""

    def __init__(self) -> None:
        self._contenders: set[str] = set()
        self._waiting: dict[str, asyncio.Event] = {}
        self._holder: str | None = None
        self._order: list[str] = []
        self._random = random.Random(0)

    def join(self, names: list[str]) -> None:
        """Start interleaved runs. The first turn begins when all contenders wait."""
        self._contenders = set(names)
        self._order, self._holder = [], None

    def leave(self, name: str) -> None:
        """Remove a contender; the others continue."""
        self._contenders.discard(name)
        if self._holder == name:
            self._holder = None
        self._start_next()

    def is_waiting(self, name: str) -> bool:
        """Return whether a contender waits for its turn."""
        return name in self._waiting

    async def wait_turn(self, name: str) -> None:
        """End the current turn and wait for the next one. A contender that has not joined does not wait."""
        if name not in self._contenders:
            return
        event = self._waiting[name] = asyncio.Event()
        if self._holder == name:
            self._holder = None
        self._start_next()
        await event.wait()
        await asyncio.sleep(REST_SECONDS)

    def _start_next(self) -> None:
        if self._holder is not None or not self._contenders or self._contenders - self._waiting.keys():
            return
        self._order = [name for name in self._order if name in self._contenders]
        if not self._order:
            self._order = sorted(self._contenders)
            self._random.shuffle(self._order)
        self._holder = self._order.pop()
        self._waiting.pop(self._holder).set()
