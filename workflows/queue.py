"""The queue of a team: which of its runs may investigate now, and which wait for a slot."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

from workflows.signal_arguments import log_ignored, read_argument

with workflow.unsafe.imports_passed_through():
    from activities.queue import QueueActivities
    from watchkeeper.contracts import QueueEntry, QueueExit, QueueState
    from watchkeeper.incident.queue_state import TurnQueue, describe_queue
    from watchkeeper.temporal import activity_options


@workflow.defn
class QueueWorkflow:
    """Admits a limited number of runs at once. It exists while a run holds a slot or waits for one."""

    @workflow.init
    def __init__(self, queue: QueueState) -> None:
        self._line = TurnQueue(queue)
        self._is_checking = False

    @workflow.run
    async def run(self, queue: QueueState) -> None:
        """Give slots to the runs that enter, in order, until no run holds one or waits."""
        self._checks = asyncio.create_task(self._check_holders())
        while True:
            await workflow.wait_condition(lambda: self._line.is_due or self._may_end() or self._may_continue_as_new())
            if self._line.is_due:
                await asyncio.gather(*(self._admit(entry) for entry in self._line.admit()))
            elif self._may_end():
                return
            else:
                workflow.continue_as_new(self._line.state)

    @workflow.signal
    def enter(self, *arguments: object) -> None:
        """Take a ``QueueEntry``: a run waits for a slot."""
        if (entry := read_argument(arguments, QueueEntry)) is None:
            log_ignored("enter")
            return
        self._line.enter(entry)

    @workflow.signal
    def leave(self, *arguments: object) -> None:
        """Take a ``QueueExit``: free the slot of a run, or end its wait."""
        if (leaving := read_argument(arguments, QueueExit)) is None:
            log_ignored("leave")
            return
        self._line.leave(leaving)

    @workflow.query
    def queued(self) -> QueueState:
        """Return which runs hold a slot and which wait, in order."""
        return self._line.state

    async def _admit(self, entry: QueueEntry) -> None:
        """Signal a run that it may investigate; if it has ended, its slot is free again."""
        try:
            await workflow.get_external_workflow_handle(entry.workflow_id).signal("admit", entry.run)
        except ApplicationError:
            self._line.drop(entry.run)

    async def _check_holders(self) -> None:
        """Free the slots of runs that ended without leaving. That matters only while other runs wait."""
        while True:
            await workflow.wait_condition(lambda: self._line.is_full)
            self._is_checking = True
            try:
                await self._free_ended()
            finally:
                self._is_checking = False
            await workflow.sleep(
                activity_options.QUEUE_CHECK_INTERVAL, summary="until the queue checks again which runs have ended"
            )

    async def _free_ended(self) -> None:
        queue, now = self._line.state, workflow.time()
        try:
            ended = await workflow.execute_activity_method(
                QueueActivities.find_gone,
                QueueState(name=queue.name, holding=queue.holding),
                activity_id="find-gone",
                summary="which runs with a slot have ended",
                **activity_options.FIND_GONE,
            )
        except ActivityError:
            workflow.logger.warning("cannot check which runs with a slot have ended", exc_info=True)
            return
        for run in ended:
            self._line.leave(QueueExit(queue=queue.name, run=run, at=now))

    def current_details(self) -> str:
        """Return who holds a slot and who waits, for the Temporal UI."""
        return describe_queue(self._line.state)

    def _may_end(self) -> bool:
        return self._line.is_empty and not self._is_checking

    def _may_continue_as_new(self) -> bool:
        return workflow.info().is_continue_as_new_suggested() and not self._is_checking
