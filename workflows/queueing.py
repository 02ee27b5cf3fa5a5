"""A run's turn to investigate, as part of its story: taken after the briefing, left with the report."""

from __future__ import annotations

import asyncio

from temporalio import workflow

from workflows.outcome import Outcome
from workflows.queue_slot import QueueSlot
from workflows.status import Shown

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import Briefing, RunInput


class Admitted(Shown):
    """A run that investigates when its team's queue lets it."""

    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._turn = QueueSlot()
        self._turn_taken_at = 0.0
        self._leaving: asyncio.Task[None] | None = None

    @workflow.signal
    def admit(self, run: str) -> None:
        """Have the run investigate: it is its turn. ``run`` is its first execution run id."""
        self._turn.admit(run)

    def _began_at(self) -> float:
        """When the time of the investigation began to count: a run that queued loses none of it."""
        return self._turn_taken_at or workflow.info().start_time.timestamp()

    async def _take_turn(self, briefing: Briefing) -> Outcome | None:
        """Wait until the run may investigate; an ending if it need not any more, or never may."""
        if briefing.turns is None:
            self._now("investigating", "investigating", lastingly=False)
            self._announce()
            return None
        self._now(f"queued behind the other investigations of {briefing.turns.queue}", "queued")
        self._announce()
        taken = await self._turn.wait(
            briefing.turns, lambda: self._stop is not None or self._episode.recovered_at is not None
        )
        if taken:
            self._turn_taken_at = workflow.time()
            self._now("investigating", "investigating", lastingly=False)
            self._announce()
            return None
        if self._stop is not None:
            return Outcome.stopped(self._stop)
        return Outcome.recovered() if self._episode.recovered_at else Outcome.unattended(briefing.turns.patience)

    def _leave_turn(self) -> None:
        if self._briefing is not None and self._briefing.turns is not None:
            self._leaving = asyncio.create_task(self._turn.leave(self._briefing.turns))

    async def _turn_left(self) -> None:
        """Wait until the turn is left: after the deliveries, so that no cancellation ends the run before them."""
        if self._leaving is not None:
            await self._leaving
