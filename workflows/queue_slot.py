"""A run's turn to investigate: it waits for it in its team's queue, and leaves it to the next."""

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
    """Whether a run may investigate now."""

    def __init__(self) -> None:
        self._admitted = False
        self._sent = 0.0

    def admit(self, token: str) -> None:
        """Take the answer of the queue, unless it is for another run of the same name."""
        if token == workflow.info().first_execution_run_id:
            self._admitted = True

    async def wait(self, turns: QueueSettings, until: Callable[[], bool]) -> bool:
        """Wait for the turn; False if the patience is over or ``until()`` is true before.

        Whatever comes of it, also when the run is cancelled, the run must ``leave`` afterwards; not in a ``finally``,
        which also runs when a worker forgets the run.
        """
        self._admitted, since = False, workflow.time()
        while (left := since + turns.patience - workflow.time()) > 0 and not until():
            await self._enter(turns, since, until)
            with contextlib.suppress(builtins.TimeoutError):
                await workflow.wait_condition(
                    lambda: self._admitted or until(),
                    timeout=min(timedelta(seconds=left), activity_options.ENTER_AGAIN),
                    timeout_summary=f"queued behind the other investigations of {turns.queue}",
                )
            if self._admitted:
                return True
        return False

    async def leave(self, turns: QueueSettings) -> None:
        """Leave the place, or the line, to others. Where the queue was ended by hand, the next one is told."""
        self._admitted = False
        info = workflow.info()
        # Not before what it answers, should the clock have gone back.
        leaving = QueueExit(queue=turns.queue, run=info.first_execution_run_id, at=max(workflow.time(), self._sent))
        try:
            await workflow.get_external_workflow_handle(queue_id(turns.queue, info.task_queue)).signal("leave", leaving)
        except ApplicationError:
            await self._leave_behind(leaving)

    async def _leave_behind(self, leaving: QueueExit) -> None:
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

    async def _enter(self, turns: QueueSettings, since: float, until: Callable[[], bool]) -> None:
        """Enter the queue, unless that cannot be done just now: it is tried again while the run waits.

        It is over when this returns, so that it cannot come after ``leave``.
        """
        info, self._sent = workflow.info(), workflow.time()
        entrant = QueueEntry(
            queue=turns.queue,
            run=info.first_execution_run_id,
            workflow_id=info.workflow_id,
            priority=turns.priority,
            at=since,
            sent=self._sent,
            places=turns.places,
        )
        entering = workflow.start_activity_method(
            QueueActivities.enter,
            entrant,
            activity_id="enter",
            summary=f"the queue of {turns.queue}, for a turn to investigate",
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
