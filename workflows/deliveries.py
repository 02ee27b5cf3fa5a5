"""The deliveries of a run: its report and its answers, each sent in the background while the run continues."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from temporalio import workflow

from workflows.admission import Admission
from workflows.approval_notices import ApprovalNotices
from workflows.channel_message import ChannelMessage
from workflows.delivery import deliver
from workflows.state import RunState

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import ReportDelivery


class Deliveries:
    """What a run has sent, and which destinations did not receive it."""

    def __init__(
        self, state: RunState, message: ChannelMessage, admission: Admission, notices: ApprovalNotices
    ) -> None:
        self._state = state
        self._message = message
        self._admission = admission
        self._notices = notices
        self._tasks: list[asyncio.Task[list[str]]] = []
        self.undelivered: list[str] = state.follow_up.undelivered if state.follow_up else []
        """Destinations that did not receive the report, and why."""

    def start(self, delivery: ReportDelivery, on_accepted: Callable[[], None] = lambda: None) -> None:
        """Start to deliver a report or an answer to every destination.

        ``on_accepted`` is called once people have it, or were paged for it.
        """
        state = self._state
        sending = deliver(state.input, state.briefing, delivery, self._message.wait_until_posted, on_accepted)
        self._tasks.append(asyncio.create_task(sending))

    def pending(self) -> bool:
        """Tell whether a delivery is still under way."""
        return not all(task.done() for task in self._tasks)

    async def wait(self) -> list[str]:
        """Wait for every delivery and notice, and until the queue is left.

        Returns the destinations that failed, and why.
        """
        while self._tasks:
            self.undelivered = [*self.undelivered, *await self._tasks[0]]
            self._tasks.pop(0)
        await self._notices.wait()
        await self._admission.wait_until_left()
        return self.undelivered
