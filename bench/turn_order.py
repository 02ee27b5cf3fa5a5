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
    """Gives the racing contenders their turns, in a random order that changes each time."""

    def __init__(self) -> None:
        self._racing: set[str] = set()
        self._waiting: dict[str, asyncio.Event] = {}
        self._holder: str | None = None
        self._order: list[str] = []
        self._chance = random.Random(0)

    def join(self, names: list[str]) -> None:
        """Start a race. The first turn begins when all contenders wait."""
        self._racing = set(names)
        self._order, self._holder = [], None

    def leave(self, name: str) -> None:
        """End the race for one contender."""
        self._racing.discard(name)
        if self._holder == name:
            self._holder = None
        self._pass()

    def waits(self, name: str) -> bool:
        """Return whether a contender waits for its turn."""
        return name in self._waiting

    async def turn(self, name: str) -> None:
        """End the current turn and wait for the next one. A contender that does not race does not wait."""
        if name not in self._racing:
            return
        event = self._waiting[name] = asyncio.Event()
        if self._holder == name:
            self._holder = None
        self._pass()
        await event.wait()
        await asyncio.sleep(REST_SECONDS)

    def _pass(self) -> None:
        if self._holder is not None or not self._racing or self._racing - self._waiting.keys():
            return
        self._order = [name for name in self._order if name in self._racing]
        if not self._order:
            self._order = sorted(self._racing)
            self._chance.shuffle(self._order)
        self._holder = self._order.pop()
        self._waiting.pop(self._holder).set()
