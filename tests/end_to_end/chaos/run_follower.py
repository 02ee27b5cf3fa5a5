"""Follow the history of a run across continue-as-new while the run is open."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError

from watchkeeper.temporal.followed_events import FollowedEvents

CLOSED = {
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
    EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
}


class RunFollower:
    """Receives every event of a run soon after the server records it."""

    def __init__(self, client: Client, workflow_id: str, run_id: str) -> None:
        self._client = client
        self.workflow_id = workflow_id
        self.run_id = run_id
        """Run id of the first execution."""
        self.executions: list[list[HistoryEvent]] = [[]]
        self._followed = FollowedEvents()
        self._changed = asyncio.Condition()

    @property
    def events(self) -> list[HistoryEvent]:
        """All events, in the order of the executions."""
        return [event for execution in self.executions for event in execution]

    @property
    def closed(self) -> bool:
        """Whether the run has ended."""
        return bool(last := self.executions[-1]) and last[-1].event_type in CLOSED

    async def follow(self) -> None:
        """Follow the run to its end. Survives outages of the server."""
        run_id = self.run_id
        while not self.closed:
            with suppress(RPCError):
                await self._read(run_id)
            if (last := self.executions[-1]) and (next_run_id := _next_run_id(last[-1])):
                run_id = next_run_id
                self.executions.append([])
                self._followed = FollowedEvents()

    async def _read(self, run_id: str) -> None:
        handle, execution = self._client.get_workflow_handle(self.workflow_id, run_id=run_id), self.executions[-1]
        async for event in handle.fetch_history_events(wait_new_event=True):
            if self._followed.is_new(event):
                del execution[event.event_id - 1 :]
                execution.append(event)
                async with self._changed:
                    self._changed.notify_all()

    async def wait_until(self, condition: Callable[[], bool]) -> None:
        """Wait until a condition is true or the run has ended."""
        async with self._changed:
            await self._changed.wait_for(lambda: condition() or self.closed)


def _next_run_id(event: HistoryEvent) -> str:
    return event.workflow_execution_continued_as_new_event_attributes.new_execution_run_id
