"""The workflow tasks that a worker runs at once: few that replay a run, and more of runs that it has in its cache."""

from __future__ import annotations

import asyncio
import threading
import weakref
from typing import NamedTuple

from temporalio.worker import (
    CustomSlotSupplier,
    SlotMarkUsedContext,
    SlotPermit,
    SlotReleaseContext,
    SlotReserveContext,
)


class _Permit(SlotPermit):
    """A slot in use. It is given back when the SDK releases the permit, or drops it unseen."""

    def __init__(self, slots: _Slots) -> None:
        self.give_back = weakref.finalize(self, slots.give_back)
        self.give_back.atexit = False


class _Slots:
    """A number of slots. They may be given back from any thread."""

    def __init__(self, count: int) -> None:
        self._free = count
        self._waiting = set[_Waiting]()
        # Reentrant: the garbage collector may give a slot back while the same thread holds the lock.
        self._lock = threading.RLock()

    def try_take(self) -> _Permit | None:
        """Take a slot if one is free."""
        with self._lock:
            if self._free == 0:
                return None
            self._free -= 1
        return _Permit(self)

    async def take(self) -> _Permit:
        """Take a slot; wait until one is free."""
        while (permit := self.try_take()) is None:
            waiting = _Waiting(asyncio.get_running_loop(), asyncio.Event())
            with self._lock:
                if self._free > 0:
                    continue
                self._waiting.add(waiting)
            try:
                await waiting.given_back.wait()
            finally:
                with self._lock:
                    self._waiting.discard(waiting)
        return permit

    def give_back(self) -> None:
        """Give a slot back. Each waiting reservation tries again."""
        with self._lock:
            self._free += 1
            waiting = list(self._waiting)
        for loop, given_back in waiting:
            if not loop.is_closed():
                loop.call_soon_threadsafe(given_back.set)


class _Waiting(NamedTuple):
    loop: asyncio.AbstractEventLoop
    given_back: asyncio.Event


class WorkflowTaskSlots(CustomSlotSupplier):
    """Slots for workflow tasks, separate for tasks of cached runs and for all others.

    All workflow code of a worker shares one Python interpreter. A task of a run that is not in the cache replays its
    history: many at once would all exceed the timeout of a workflow task. A task of a cached run takes milliseconds,
    and should not wait for replays.
    """

    def __init__(self, replays: int, cached: int) -> None:
        self._replays = _Slots(replays)
        self._cached = _Slots(cached)

    async def reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit:
        """Return a permit to poll for a task, and to run it."""
        return await self._slots(ctx).take()

    def try_reserve_slot(self, ctx: SlotReserveContext) -> SlotPermit | None:
        """Return the same if a slot is free."""
        return self._slots(ctx).try_take()

    def mark_slot_used(self, ctx: SlotMarkUsedContext) -> None:
        """Do nothing: a slot counts from its reservation."""

    def release_slot(self, ctx: SlotReleaseContext) -> None:
        """Take a permit back."""
        permit = ctx.permit
        assert isinstance(permit, _Permit), "the SDK releases only permits that it got here"
        permit.give_back()

    def _slots(self, ctx: SlotReserveContext) -> _Slots:
        return self._cached if ctx.is_sticky else self._replays
