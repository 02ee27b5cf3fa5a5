"""Taking turns: while one contender goes through a round, the others wait in their model call.

Whatever else the machine is busy with then burdens all alike, for a round of one lies within a moment of the same
round of another.
"""

from __future__ import annotations

import asyncio
import random

REST_SECONDS = 0.01
"""Before each turn, so that what the last one left to the server to tidy up does not burden the next."""


class Baton:
    """Whose turn it is, among those that race; each turn of all is in another order."""

    def __init__(self) -> None:
        self._racing: set[str] = set()
        self._waiting: dict[str, asyncio.Event] = {}
        self._holder: str | None = None
        self._order: list[str] = []
        self._chance = random.Random(0)

    def join(self, names: list[str]) -> None:
        """Begin a race; the first turn comes when all wait for it."""
        self._racing = set(names)
        self._order, self._holder = [], None

    def leave(self, name: str) -> None:
        """End the race for one."""
        self._racing.discard(name)
        if self._holder == name:
            self._holder = None
        self._pass()

    def waits(self, name: str) -> bool:
        """Tell whether a contender waits for its turn."""
        return name in self._waiting

    async def turn(self, name: str) -> None:
        """Wait for a turn; the one before it is over. Who does not race never waits."""
        if name not in self._racing:
            return
        mine = self._waiting[name] = asyncio.Event()
        if self._holder == name:
            self._holder = None
        self._pass()
        await mine.wait()
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
