"""The slot of a run in its team's queue: it waits for one to investigate, and gives it back."""

from __future__ import annotations

import builtins
import contextlib
from collections.abc import Callable
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, is_cancelled_exception

with workflow.unsafe.imports_passed_through():
    from activities.queue import QueueActivities
    from watchkeeper.contracts import QueueEntry, QueueExit, QueueSettings
    from watchkeeper.incident.queue_state import queue_id
    from watchkeeper.temporal import activity_options


class QueueSlot:
    """The slot of one run, as the run sees it: ``workflows/queue.py`` gives it out."""

    def __init__(self) -> None:
        self._admitted = False
        self._sent = 0.0

    def admit(self, run: str) -> None:
        """Take the queue's admission, unless it is for another run under the same workflow id."""
        if run == workflow.info().first_execution_run_id:
            self._admitted = True

    async def wait(self, queue: QueueSettings, until: Callable[[], bool]) -> bool:
        """Wait for a slot; False if the time to wait is used up or ``until()`` is true first.

        The run must ``leave`` afterwards in every case, also when it is cancelled. Not in a ``finally``: that also runs
        when a worker evicts the run from its cache.
        """
        self._admitted, since = False, workflow.time()
        while (left := since + queue.patience - workflow.time()) > 0 and not until():
            await self._enter(queue, since, until)
            with contextlib.suppress(builtins.TimeoutError):
                await workflow.wait_condition(
                    lambda: self._admitted or until(),
                    timeout=min(timedelta(seconds=left), activity_options.ENTER_INTERVAL),
                    timeout_summary=f"waiting for a slot of {queue.queue}",
                )
            if self._admitted:
                return True
        return False

    async def leave(self, queue: QueueSettings) -> None:
        """Give the slot back, or stop waiting for one. If the queue was ended by hand, its successor is signalled."""
        self._admitted = False
        info = workflow.info()
        # Never earlier than the entry that it ends, in case the clock was set back.
        leaving = QueueExit(queue=queue.queue, run=info.first_execution_run_id, at=max(workflow.time(), self._sent))
        try:
            await workflow.get_external_workflow_handle(queue_id(queue.queue, info.task_queue)).signal("leave", leaving)
        except ApplicationError:
            await self._leave_by_activity(leaving)

    async def _leave_by_activity(self, leaving: QueueExit) -> None:
        try:
            await workflow.execute_activity_method(
                QueueActivities.leave,
                leaving,
                activity_id="leave",
                summary=f"the queue of {leaving.queue}",
                **activity_options.LEAVE,
            )
        except ActivityError as error:
            if is_cancelled_exception(error):
                raise
            workflow.logger.warning("cannot leave the queue", exc_info=True)

    async def _enter(self, queue: QueueSettings, since: float, until: Callable[[], bool]) -> None:
        """Enter the queue. If that fails now, it is tried again while the run waits.

        The activity has ended when this returns, so that it cannot follow ``leave``.
        """
        info, self._sent = workflow.info(), workflow.time()
        entrant = QueueEntry(
            queue=queue.queue,
            run=info.first_execution_run_id,
            workflow_id=info.workflow_id,
            priority=queue.priority,
            at=since,
            sent=self._sent,
            places=queue.places,
        )
        entering = workflow.start_activity_method(
            QueueActivities.enter,
            entrant,
            activity_id="enter",
            summary=f"the queue of {queue.queue}, for a slot to investigate",
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            **activity_options.ENTER,
        )
        await workflow.wait_condition(lambda: entering.done() or until())
        if not entering.done():
            entering.cancel()
        try:
            await entering
        except ActivityError as error:
            if is_cancelled_exception(error) and not until():
                raise
            workflow.logger.warning("cannot enter the queue", exc_info=True)
