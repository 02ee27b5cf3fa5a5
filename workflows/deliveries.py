"""The deliveries of a run: its report and its answers, each sent in the background while the run continues."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from temporalio import workflow
from temporalio.exceptions import WorkflowAlreadyStartedError

from workflows.admission import Admission
from workflows.approval_notices import ApprovalNotices
from workflows.channel_message import ChannelMessage
from workflows.conditions import wait_although_cancelled
from workflows.delivery import SentReport
from workflows.late_delivery import DeliveryWorkflow
from workflows.state import RunState

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import LateDelivery, ReportDelivery
    from watchkeeper.temporal import activity_options
    from watchkeeper.text import harmless, shortened

UNDELIVERED_IN_MEMO = "undelivered-in-memo"
"""Patch: earlier versions recorded failed deliveries only in the result."""

MAX_LISTED = 6
MEMO_BYTES = 150
"""The memo is small: Temporal returns it with each run of a list."""

HAND_OVER = "late-deliveries"
"""Patch: runs of earlier versions wait for each destination themselves, for up to six hours."""

GRACE = 3.0
"""Seconds for the slower destinations, after people have the report. Mostly all of them accept it in that time."""


class Deliveries:
    """What a run has sent, and which destinations did not receive it."""

    def __init__(
        self, state: RunState, message: ChannelMessage, admission: Admission, notices: ApprovalNotices
    ) -> None:
        self._state = state
        self._message = message
        self._admission = admission
        self._notices = notices
        self._sent: list[SentReport] = []
        self.undelivered: list[str] = state.follow_up.undelivered if state.follow_up else []
        """Destinations that did not receive the report, and why."""
        self._noted: list[SentReport] = []
        self._notes: list[asyncio.Task[None]] = []
        self._in_memo = self.undelivered

    def start(self, delivery: ReportDelivery, on_accepted: Callable[[], None] = lambda: None) -> None:
        """Start to deliver a report or an answer to every destination.

        ``on_accepted`` is called once people have it, or were paged for it.
        """
        state = self._state
        sent = SentReport(state.input, state.briefing, delivery, self._message.wait_until_posted, on_accepted)
        self._sent.append(sent)
        self._notes.append(asyncio.create_task(self._note_when_done(sent)))

    async def _note_when_done(self, sent: SentReport) -> None:
        await workflow.wait_condition(lambda: sent.is_done)
        self._note(sent, await sent.results())

    def _note(self, sent: SentReport, failed: list[str]) -> None:
        """Record in the memo, once, which destinations failed: lists show it, also of a run that stays open."""
        if failed and sent not in self._noted and workflow.patched(UNDELIVERED_IN_MEMO):
            self._noted.append(sent)
            self._in_memo = [*self._in_memo, *failed]
            listed = [shortened(harmless(why), MEMO_BYTES) for why in self._in_memo[:MAX_LISTED]]
            workflow.upsert_memo({"undelivered": listed})

    def pending(self) -> bool:
        """Tell whether a delivery is still under way."""
        return not all(sent.is_done for sent in self._sent)

    async def wait(self, *, hand_over: bool) -> list[str]:
        """Wait for every delivery and notice, and until the queue is left.

        With ``hand_over``, a destination that is out of reach delays the run only until people have the report or a
        page: another workflow continues with it. Returns the destinations that failed, and why.
        """
        while self._sent:
            sent = self._sent[0]
            if hand_over and not sent.is_done and workflow.patched(HAND_OVER):
                await self._hand_over(sent)
            failed = await sent.results()
            self._note(sent, failed)
            self.undelivered = [*self.undelivered, *failed]
            self._sent.pop(0)
        await self._notices.wait()
        await self._admission.wait_until_left()
        return self.undelivered

    async def _hand_over(self, sent: SentReport) -> None:
        """Wait until people have a report or a page; then let another workflow deliver to the other destinations."""
        await wait_although_cancelled(lambda: sent.is_settled, sent.seconds_to_overdue, "until people have the report")
        if await wait_although_cancelled(lambda: sent.is_done, GRACE, "for the slower destinations"):
            return
        self._message.give_up()
        await sent.hand_over()
        if not sent.late:
            return
        delivery = sent.delivery.model_copy(update={"destination": sent.late[0]})
        try:
            await workflow.start_child_workflow(
                DeliveryWorkflow.run,
                LateDelivery(delivery=delivery, destinations=sent.late),
                id=f"delivery-{delivery.run}-{delivery.part}",
                task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
                parent_close_policy=workflow.ParentClosePolicy.ABANDON,
                cancellation_type=workflow.ChildWorkflowCancellationType.ABANDON,
                static_summary=f"{delivery.part} of {delivery.workflow_id} to {', '.join(sent.late)}",
            )
        except WorkflowAlreadyStartedError:
            workflow.logger.info("the run was reset: its report is on the way to %s already", ", ".join(sent.late))
