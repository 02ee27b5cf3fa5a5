"""The queue of a team: which of its runs may investigate now, and which wait for their turn."""

from __future__ import annotations

import asyncio

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError

with workflow.unsafe.imports_passed_through():
    from activities.queue import QueueActivities
    from watchkeeper.contracts import QueueEntry, QueueExit, QueueState
    from watchkeeper.incident.queue_state import Line, in_words
    from watchkeeper.temporal import activity_options


@workflow.defn
class QueueWorkflow:
    """Lets so many runs investigate at once; it lives while somebody holds a place or waits for one."""

    @workflow.init
    def __init__(self, given: QueueState) -> None:
        self._line = Line(given)
        self._looking = False

    @workflow.run
    async def run(self, given: QueueState) -> None:
        """Give places to those who enter, in order, until nobody holds or waits for one."""
        self._watching = asyncio.create_task(self._watch())
        while True:
            await workflow.wait_condition(lambda: self._line.is_due or self._may_end() or self._may_renew())
            if self._line.is_due:
                await asyncio.gather(*(self._tell(entrant) for entrant in self._line.admit()))
                self._show()
            elif self._may_end():
                return
            else:
                workflow.continue_as_new(self._line.queue)

    @workflow.signal
    def enter(self, entrant: QueueEntry) -> None:
        """Let a run wait for its turn."""
        self._line.enter(entrant)
        self._show()

    @workflow.signal
    def leave(self, leaving: QueueExit) -> None:
        """Take the place of a run back, or let it wait no longer."""
        self._line.leave(leaving)
        self._show()

    @workflow.query
    def queued(self) -> QueueState:
        """Say who holds a place and who waits, in order."""
        return self._line.queue

    async def _tell(self, entrant: QueueEntry) -> None:
        """Tell a run that it may investigate; the place of one that is over goes to the next."""
        try:
            await workflow.get_external_workflow_handle(entrant.workflow_id).signal("admit", entrant.run)
        except ApplicationError:
            self._line.drop(entrant.run)

    async def _watch(self) -> None:
        """Take back the places of runs that ended without leaving, which matters only while others wait."""
        while True:
            await workflow.wait_condition(lambda: self._line.is_full)
            self._looking = True
            try:
                await self._look()
            finally:
                self._looking = False
            await workflow.sleep(activity_options.LOOK_AGAIN, summary="until it looks again who still lives")

    async def _look(self) -> None:
        queue, now = self._line.queue, workflow.time()
        try:
            gone = await workflow.execute_activity_method(
                QueueActivities.find_gone,
                QueueState(name=queue.name, holding=queue.holding),
                activity_id="find-gone",
                summary="which of those who hold a place are over",
                **activity_options.FIND_GONE,
            )
        except ActivityError:
            workflow.logger.warning("cannot look who still holds a place", exc_info=True)
            return
        for run in gone:
            self._line.leave(QueueExit(queue=queue.name, run=run, at=now))
        self._show()

    def _show(self) -> None:
        workflow.set_current_details(in_words(self._line.queue))

    def _may_end(self) -> bool:
        return self._line.is_empty and not self._looking

    def _may_renew(self) -> bool:
        return workflow.info().is_continue_as_new_suggested() and not self._looking
