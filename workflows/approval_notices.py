"""What people receive about calls that wait for their approval. The run does not wait for it while it investigates."""

from __future__ import annotations

import asyncio
import builtins
from contextlib import suppress
from dataclasses import dataclass
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows.channel_message import first_line
from workflows.state import RunState

with workflow.unsafe.imports_passed_through():
    from activities.announce_approval import AnnounceApprovalActivities
    from watchkeeper.contracts import ApprovalEvent, ApprovalNotice, ApprovalRules, CallRecord, PostedMessage
    from watchkeeper.temporal import activity_options
    from watchkeeper.text import harmless


@dataclass
class _Wait:
    """A call that waits, or waited, for a decision."""

    record: CallRecord
    asked_at: float
    outcome: ApprovalEvent | None = None
    """How the wait ended; None while it lasts."""
    by: str = ""
    note: str = ""
    request: PostedMessage | None = None
    reminder: PostedMessage | None = None
    unseen: bool = False
    """A message may have been posted without being recorded."""

    @property
    def is_over(self) -> bool:
        return self.outcome is not None


class ApprovalNotices:
    """Asks people when a call begins to wait, reminds them once, and closes the request when the wait ends."""

    def __init__(self, state: RunState) -> None:
        self._state = state
        self._waits: dict[str, _Wait] = {}
        self._tasks: list[asyncio.Task[None]] = []

    def update(self) -> None:
        """Start or end notices, as calls have begun or ceased to wait; the run continues meanwhile."""
        briefing = self._state.briefing
        if briefing is None or briefing.approvals is None:
            return
        records = {record.key: record for record in self._state.tool_calls.records}
        for key, record in records.items():
            if record.status == "waiting" and key not in self._waits:
                self._waits[key] = wait = _Wait(record, workflow.time())
                self._tasks.append(asyncio.create_task(self._accompany(wait, briefing.approvals)))
        for key, wait in self._waits.items():
            if not wait.is_over and records[key].status != "waiting":
                self._end(wait, records[key])

    async def wait(self) -> None:
        """Wait until people have received everything, or cannot."""
        self.update()
        while self._tasks:
            await self._tasks.pop(0)

    def _end(self, wait: _Wait, record: CallRecord) -> None:
        decision = self._state.tool_calls.decision(record.key)
        if record.status == "expired":
            wait.outcome = "expired"
        elif decision is None or (decision.approved and record.status == "denied"):
            wait.outcome = "ended"
        else:
            wait.outcome = "approved" if decision.approved else "denied"
            wait.by, wait.note = decision.by, decision.note

    async def _accompany(self, wait: _Wait, rules: ApprovalRules) -> None:
        deadline = wait.record.deadline or wait.asked_at
        remind_at = wait.asked_at + (deadline - wait.asked_at) * rules.reminder
        wait.request = await self._send(wait, "request")
        if wait.request is not None and not wait.is_over and remind_at > workflow.time():
            with suppress(builtins.TimeoutError):
                await workflow.wait_condition(
                    lambda: wait.is_over,
                    timeout=timedelta(seconds=remind_at - workflow.time()),
                    timeout_summary=f"until people are reminded of {wait.record.key}",
                )
            if not wait.is_over:
                wait.reminder = await self._send(wait, "reminder")
        await workflow.wait_condition(lambda: wait.is_over)
        assert wait.outcome is not None
        await self._send(wait, wait.outcome)

    async def _send(self, wait: _Wait, event: ApprovalEvent) -> PostedMessage | None:
        """Send one notice. A request or a reminder is cancelled when the wait ends, unless it is being posted."""
        asks = event in ("request", "reminder")
        left = timedelta(seconds=(wait.record.deadline or workflow.time()) - workflow.time())
        sent = workflow.start_activity_method(
            AnnounceApprovalActivities.announce_approval,
            self._notice(wait, event),
            activity_id=f"announce_approval-{wait.record.key}-{event if asks else 'outcome'}",
            summary=harmless(f"{wait.record.key} {wait.record.name}: {event}"),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            **(activity_options.approval_options(left) if asks else activity_options.ANNOUNCE),
        )
        if asks:
            await workflow.wait_condition(lambda: sent.done() or wait.is_over)
            if not sent.done():
                sent.cancel()
        try:
            return await sent
        except ActivityError as error:
            wait.unseen = True
            if not is_cancelled_exception(error):
                workflow.logger.warning("people could not be notified of %s: %s", wait.record.key, error.cause)
            return None

    def _is_quiet(self, wait: _Wait, event: ApprovalEvent) -> bool:
        """Tell whether an earlier call that began to wait at the same time mentions people for both."""
        for other in self._waits.values():
            if other is wait:
                return False
            mentions = {"request": True, "reminder": not other.is_over, "expired": other.outcome == "expired"}
            if other.asked_at == wait.asked_at and mentions.get(event, False):
                return True
        return False

    def _notice(self, wait: _Wait, event: ApprovalEvent) -> ApprovalNotice:
        info, state, run_input = workflow.info(), self._state, self._state.input
        assert state.briefing is not None and state.briefing.approvals is not None, "only a briefed run sends notices"
        notice = ApprovalNotice(
            event=event,
            run=info.first_execution_run_id,
            workflow_id=info.workflow_id,
            call=wait.record,
            title=first_line(run_input),
            asked_at=wait.asked_at,
        )
        optional = {
            "service": run_input.service,
            "severity": run_input.severity,
            "team": run_input.origin.team if run_input.origin else None,
            "channel": state.briefing.channel,
            "page": state.briefing.approvals.page,
            "status_message": state.posted_message,
            "request": wait.request,
            "reminder": wait.reminder,
            "quiet": self._is_quiet(wait, event),
            "search": wait.unseen,
            "by": wait.by,
            "note": wait.note,
        }
        return notice.model_copy(update={name: value for name, value in optional.items() if value})
