"""What a run does after its report: it stays open, answers follow-ups and looks at alerts that join late."""

from __future__ import annotations

import asyncio
import builtins
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows.channel_message import ChannelMessage
from workflows.continue_as_new import NextExecution
from workflows.deliveries import Deliveries
from workflows.delivery import make_delivery, write_report
from workflows.investigation import Investigation
from workflows.joined_alerts import JoinedAlerts
from workflows.outcome import Outcome
from workflows.state import RunState
from workflows.status import StatusPublisher

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import AlertState, FollowUpState, ReportDelivery
    from watchkeeper.incident import joined_notice
    from watchkeeper.text import excerpt

QUESTION_BYTES = 2_000

DELIVERY_CHECK_SECONDS = 60.0
"""How often an open run checks whether its report is delivered."""

ALERTS_JOINED = "Alerts joined the group."
"""The question of a follow-up that no person asked."""

OPEN = "open for follow-ups until its alerts resolve"


class FollowUps:
    """The time between the report of a run and its end."""

    def __init__(
        self,
        state: RunState,
        status: StatusPublisher,
        message: ChannelMessage,
        investigation: Investigation,
        deliveries: Deliveries,
        next_execution: NextExecution,
    ) -> None:
        self._state = state
        self._status = status
        self._message = message
        self._investigation = investigation
        self._deliveries = deliveries
        self._next_execution = next_execution
        self._joined = JoinedAlerts(state)

    def open(self) -> None:
        """Keep the run open after its report if it concluded and alerts started it; else close it."""
        state = self._state
        assert state.outcome is not None and state.report is not None, "the run has no report"
        has_follow_ups = state.briefing is not None and state.briefing.follow_ups is not None
        if state.outcome.status == "concluded" and has_follow_ups and state.conversation is not None:
            state.follow_up = FollowUpState(report=state.report, at=workflow.time())
            self._joined.publish()
        else:
            state.closed = True

    async def wait(self) -> bool:
        """Stay open until there is something to answer; False when the run has ended."""
        state = self._state
        if state.closed or state.follow_up is None or state.briefing is None:
            return False
        if state.follow_up.question is not None:
            return True
        self._status.enter(OPEN, "open")
        try:
            if await self._has_question():
                self._begin()
                return True
        except asyncio.CancelledError:
            workflow.logger.info("cancelled in Temporal, after its report")
            state.episode.take_unread()
        except ActivityError as error:
            workflow.logger.warning("cannot continue as new, so the run ends after its report: %s", error.cause)
            if is_cancelled_exception(error):
                state.episode.take_unread()
        if state.stop_request is not None:
            state.episode.take_unread()  # a person has closed the run, with every alert that fires now
        self._joined.publish()
        state.closed = True
        return False

    def alerts_changed(self) -> None:
        """Record whether alerts that joined wait for an answer."""
        self._joined.publish()

    async def _has_question(self) -> bool:
        """Wait for something to answer; False when a person stops the run or the time to stay open is used up."""
        briefing, _, _ = self._state.briefed()
        while self._state.stop_request is None:
            if self._investigation.needs_another_round(briefing):
                return True
            if (seconds := self._seconds_open()) <= 0:
                return False
            notice_due = self._joined.seconds_to_notice()
            if notice_due == 0:
                self._send_notice()
            elif self._next_execution.is_due():
                await self._next_execution.start()
            else:
                await self._wait_for_change(seconds if notice_due is None else min(seconds, notice_due))
        return False

    def _seconds_open(self) -> float:
        """Return how long the run stays open from now: while its alerts fire or flap, or its report is delivered."""
        state = self._state
        assert state.follow_up is not None and state.briefing is not None and state.briefing.follow_ups is not None
        recovered_at, settings = state.episode.recovered_at, state.briefing.follow_ups
        until = state.follow_up.at + settings.window if recovered_at is None else recovered_at + settings.quiet
        return max(until - workflow.time(), DELIVERY_CHECK_SECONDS if self._deliveries.pending() else 0.0)

    async def _wait_for_change(self, seconds: float) -> None:
        """Wait for a message, a stop, changed alerts, the end of the deliveries, or the time.

        Repeated alerts only make the history grow, so continue-as-new ends the wait too.
        """
        state, alert_changes, pending = self._state, self._state.alert_changes, self._deliveries.pending()
        with suppress(builtins.TimeoutError):
            await workflow.wait_condition(
                lambda: (
                    bool(state.unread_texts)
                    or state.stop_request is not None
                    or state.alert_changes != alert_changes
                    or self._deliveries.pending() != pending
                    or self._next_execution.is_due()
                ),
                timeout=timedelta(seconds=seconds),
                timeout_summary=OPEN,
            )

    def _begin(self) -> None:
        state = self._state
        briefing, _, budget = state.briefed()
        assert state.follow_up is not None and briefing.follow_ups is not None, "only an open run has follow-ups"
        question = excerpt("\n".join(state.unread_texts) or ALERTS_JOINED, QUESTION_BYTES)
        number = state.follow_up.follow_ups + 1
        state.follow_up = state.follow_up.model_copy(
            update={
                "question": question,
                "by_alerts": not state.unread_texts,
                "follow_ups": number,
                "looked": state.alert_looks,
            }
        )
        state.corrected = False
        budget.renew(briefing.follow_ups.limits, workflow.time())

    def answer(self, outcome: Outcome) -> None:
        """Start the delivery of the answer to a follow-up, unless the run was ended while it was investigated."""
        state = self._state
        assert state.follow_up is not None, "only an open run has follow-ups"
        follow_up = state.follow_up
        state.follow_up = follow_up.model_copy(update={"question": None})
        state.closed = outcome.by_cancellation
        if state.closed:
            state.episode.take_unread()
        # After a failure, possibly before the model read the messages: asked again, it would fail again.
        failed = outcome.status == "failed" and not state.closed and state.stop_request is None
        alerts = self._joined.take(unread=failed)
        if state.closed or state.stop_request is not None:
            state.tool_calls.abandon()
            self._joined.publish()
            return
        outcome = self._investigation.with_draft(outcome)
        unread: list[str] = []
        if failed:
            unread, state.unread_texts = state.unread_texts, []
            state.episode.take_unread()
        if alerts and outcome.status != "concluded":
            outcome = replace(outcome, wake="no follow-up has concluded about alerts that joined")
        asked = state.input.model_copy(update={"text": follow_up.question})
        report = write_report(state, outcome, asked, unread)
        state.tool_calls.abandon()
        answer = {
            "follow_up": follow_up.follow_ups,
            "question": follow_up.question,
            "began": state.budget.started_at if state.budget else None,
        }
        self._deliver(make_delivery(state, outcome, report).model_copy(update=answer), alerts)

    def _send_notice(self) -> None:
        """Deliver a notice about alerts that no follow-up investigates; page if they may be serious."""
        state, alerts = self._state, self._joined.take_unnoticed()
        briefing, _, _ = state.briefed()
        assert state.follow_up is not None and briefing.follow_ups is not None, "only an open run has follow-ups"
        why = joined_notice.limit_reason(briefing.follow_ups.alerts)
        wake = "alerts joined that are not investigated" if self._joined.is_urgent(alerts) else None
        report = joined_notice.notice(alerts, why, workflow.info().workflow_id)
        notice = {"follow_up": state.follow_up.follow_ups, "question": ALERTS_JOINED, "began": workflow.time()}
        outcome = Outcome("limit_reached", why, wake=wake)
        self._deliver(make_delivery(state, outcome, report).model_copy(update=notice), alerts)

    def _deliver(self, delivery: ReportDelivery, alerts: list[AlertState]) -> None:
        delivery = self._joined.address(delivery, alerts)
        self._deliveries.start(delivery, lambda: self._joined.accepted(delivery.follow_up))
        self._joined.publish()

    async def wait_for_late_alerts(self) -> bool:
        """Wait for deliveries and handlers; True if alerts fire that no investigation has looked at.

        A run receives the alerts of its group until it is closed, and its deliveries may take hours.
        """
        state = self._state
        await self._deliveries.wait(hand_over=state.input.origin is not None)
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._joined.publish()
        self._status.enter("over", "over")
        self._message.request_update()
        await self._message.wait_until_posted()
        if state.follow_up is None or not (state.episode.joined and state.episode.firing):
            return False
        state.stop_request, state.closed = None, False
        state.tool_calls.reopen()
        self._begin()
        return True
