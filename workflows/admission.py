"""Admission: after its briefing a run waits for a slot of its team's queue, which it leaves with its report."""

from __future__ import annotations

import asyncio

from temporalio import workflow

from workflows.channel_message import ChannelMessage
from workflows.outcome import Outcome
from workflows.queue_slot import QueueSlot
from workflows.state import RunState
from workflows.status import StatusPublisher

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import Briefing


class Admission:
    """Whether and since when a run may investigate."""

    def __init__(self, state: RunState, status: StatusPublisher, message: ChannelMessage) -> None:
        self._state = state
        self._status = status
        self._message = message
        self._slot = QueueSlot()
        self._admitted_at: float | None = None
        self._leaving: asyncio.Task[None] | None = None

    def admit(self, run: str) -> None:
        """Take the queue's admission of a run, by its first execution run id."""
        self._slot.admit(run)

    def started_at(self) -> float:
        """Return since when the time of the investigation counts, in Unix seconds: time in the queue does not."""
        return self._admitted_at or workflow.info().start_time.timestamp()

    async def wait(self, briefing: Briefing) -> Outcome | None:
        """Wait until the run may investigate; an outcome if it no longer needs to, or never may."""
        queue, state = briefing.turns, self._state
        if queue is None:
            self._investigate()
            return None
        self._status.enter(f"queued: waiting for a slot of {queue.queue}", "queued")
        self._message.request_update()
        admitted = await self._slot.wait(
            queue, lambda: state.stop_request is not None or state.episode.recovered_at is not None
        )
        if admitted:
            self._admitted_at = workflow.time()
            self._investigate()
            return None
        if state.stop_request is not None:
            return Outcome.stopped(state.stop_request)
        return Outcome.recovered() if state.episode.recovered_at else Outcome.not_admitted(queue.patience)

    def _investigate(self) -> None:
        self._status.enter("investigating", "investigating", durable=False)
        self._message.request_update()

    def leave(self) -> None:
        """Leave the queue, in the background; ``wait_until_left`` waits for it."""
        briefing = self._state.briefing
        if briefing is not None and briefing.turns is not None:
            self._leaving = asyncio.create_task(self._slot.leave(briefing.turns))

    async def wait_until_left(self) -> None:
        """Wait until the queue is left: after the deliveries, so that no cancellation ends the run before them."""
        if self._leaving is not None:
            await self._leaving
