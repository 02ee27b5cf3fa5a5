"""Runs that only wait for a queue slot, and a counter of the runs that investigate."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import QueueSettings
    from workflows.queue_slot import QueueSlot


class Investigations:
    """The runs that investigate now, and the largest number at one time."""

    def __init__(self) -> None:
        self.current: list[str] = []
        self.begun: list[str] = []
        self.peak = 0

    @activity.defn
    async def begin(self, name: str) -> None:
        self.current.append(name)
        self.begun.append(name)
        self.peak = max(self.peak, len(self.current))

    @activity.defn
    async def end(self, name: str) -> None:
        self.current.remove(name)

    async def until(self, *names: str) -> None:
        """Wait until exactly these runs investigate."""
        while sorted(self.current) != sorted(names):
            await asyncio.sleep(0.02)


@workflow.defn
class InvestigatingWorkflow:
    """Waits for a queue slot, investigates until the signal ``finish``, and stays open until the signal ``close``."""

    def __init__(self) -> None:
        self._slot = QueueSlot()
        self._finished = self._closed = self._stopped = False

    @workflow.run
    async def run(self, queue: QueueSettings) -> bool:
        admitted, cancelled = False, None
        try:
            admitted = await self._slot.wait(queue, lambda: self._stopped)
            if admitted:
                await self._investigate(workflow.info().workflow_id)
        except asyncio.CancelledError as error:  # not `finally`, which also runs when a worker evicts the run
            cancelled = error
        await self._slot.leave(queue)
        if cancelled is not None:
            raise cancelled
        await workflow.wait_condition(lambda: self._closed)
        return admitted

    async def _investigate(self, name: str) -> None:
        await self._count(Investigations.begin, name)
        await workflow.wait_condition(lambda: self._finished)
        await self._count(Investigations.end, name)

    async def _count(
        self, activity_method: Callable[[Investigations, str], Coroutine[Any, Any, None]], name: str
    ) -> None:
        await workflow.execute_local_activity_method(activity_method, name, start_to_close_timeout=timedelta(seconds=5))

    @workflow.signal
    def admit(self, token: str) -> None:
        self._slot.admit(token)

    @workflow.signal
    def finish(self) -> None:
        self._finished = True

    @workflow.signal
    def close(self) -> None:
        self._finished = self._closed = True

    @workflow.signal
    def stop(self) -> None:
        self._stopped = True
