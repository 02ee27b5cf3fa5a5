"""The workflow of one incident run: its story from the briefing to the last answer, and its handlers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import updates
from workflows.admission import Admission
from workflows.approval_notices import ApprovalNotices
from workflows.channel_message import ChannelMessage
from workflows.continue_as_new import NextExecution
from workflows.deliveries import Deliveries
from workflows.delivery import make_delivery, record_in_memo, write_report
from workflows.follow_ups import FollowUps
from workflows.investigation import Investigation
from workflows.outcome import BUGS, FAILURE_TYPES, Outcome
from workflows.signal_arguments import first_argument, log_ignored
from workflows.state import RunState
from workflows.status import StatusPublisher

with workflow.unsafe.imports_passed_through():
    from activities.brief import BriefActivities
    from watchkeeper.alerts.notification_reader import read_notification
    from watchkeeper.contracts import (
        BudgetUsed,
        CallRecord,
        Decision,
        ExtendRequest,
        Limits,
        RunInput,
        RunProgress,
        RunResult,
        StopRequest,
        TellRequest,
    )
    from watchkeeper.incident import alert_text, status_text
    from watchkeeper.incident.budget import Budget
    from watchkeeper.llm.conversation import Conversation
    from watchkeeper.temporal import activity_options


FIRING_ORDER = "an end belongs to a firing"
"""Patch: runs that began before it apply alerts by the rules of ``watchkeeper.incident.unordered_firings``."""

PAGE_IF_CANCELLED = "page-if-cancelled"
"""Patch: runs of earlier versions report a cancellation without a page."""


@workflow.defn(failure_exception_types=FAILURE_TYPES)
class IncidentWorkflow:
    """One incident run. It ends with a delivered report, also if a limit, a person, a bug or the model ends it."""

    @workflow.init
    def __init__(self, run_input: RunInput) -> None:
        self._state = state = RunState.from_input(run_input)
        self._status = StatusPublisher(state)
        self._message = ChannelMessage(state)
        self._admission = Admission(state, self._status, self._message)
        self._notices = ApprovalNotices(state)
        self._deliveries = Deliveries(state, self._message, self._admission, self._notices)
        next_execution = NextExecution(state, self._status, self._message, self._deliveries)
        self._investigation = Investigation(state, self._status, next_execution)
        self._follow_ups = FollowUps(
            state, self._status, self._message, self._investigation, self._deliveries, next_execution
        )
        state.tool_calls.on_waiting_change = self._waiting_changed
        state.tool_calls.on_abandon = self._notices.update

    @workflow.run
    async def run(self, run_input: RunInput) -> RunResult:
        """Investigate, report, and answer follow-ups.

        Fails with an error whose type names what ended the run, if it did not conclude.
        """
        if self._state.follow_up is None:
            self._report(await self._outcome_of(self._first_investigation()))
        while await self._follow_ups.wait() or await self._follow_ups.wait_for_late_alerts():
            self._follow_ups.answer(await self._outcome_of(self._investigation.run()))
        return self._result()

    async def _first_investigation(self) -> Outcome:
        state = self._state
        if state.input.carried is None:
            self._status.enter("loading the briefing", durable=False)
            state.briefing = briefing = await workflow.execute_activity_method(
                BriefActivities.brief,
                state.input,
                activity_id="brief",
                summary="prompt, tools and limits of the run",
                **activity_options.BRIEF,
            )
            if (not_admitted := await self._admission.wait(briefing)) is not None:
                return not_admitted
            state.conversation = Conversation.of(briefing.opening)
            state.budget = Budget(briefing.limits, BudgetUsed(), self._admission.started_at())
        return await self._investigation.run()

    async def _outcome_of(self, investigation: Awaitable[Outcome]) -> Outcome:
        """Wait for an investigation; any error that ends it becomes its outcome."""
        try:
            return await investigation
        except ActivityError as error:
            if is_cancelled_exception(error):
                return Outcome.cancelled()
            budget = self._state.budget
            if budget is not None and workflow.time() >= budget.deadline:
                return Outcome.limit("duration", budget, error)
            return Outcome.failed(error)
        except asyncio.CancelledError:
            return Outcome.cancelled()
        except BUGS as bug:
            workflow.logger.exception("a bug ended the run")
            return Outcome.bug(bug)

    def _report(self, outcome: Outcome) -> None:
        """Write the report, start its deliveries, and stay open for follow-ups if the run concluded."""
        self._admission.leave()
        state = self._state
        state.outcome = outcome = self._wake_if_cancelled(self._investigation.with_draft(outcome))
        state.report = write_report(state, outcome, state.input, state.unread_texts)
        state.tool_calls.abandon()
        self._follow_ups.open()
        self._status.enter("delivering the report", "reporting")
        record_in_memo(state, outcome, state.report)
        self._deliveries.start(make_delivery(state, outcome, state.report))
        self._message.request_update()

    def _wake_if_cancelled(self, outcome: Outcome) -> Outcome:
        """Page people for a run that was cancelled in Temporal while its alerts fire: no record says who did it."""
        state = self._state
        fires = state.input.origin is not None and state.episode.recovered_at is None
        if outcome.by_cancellation and fires and workflow.patched(PAGE_IF_CANCELLED):
            return replace(outcome, wake="the run was cancelled in Temporal while its alerts fire")
        return outcome

    def _result(self) -> RunResult:
        """Return the result of the run, or fail it as its first investigation ended."""
        state, outcome, report = self._state, self._state.outcome, self._state.report
        assert outcome is not None and report is not None, "the run has no report"
        if state.follow_up is not None:
            record_in_memo(state, outcome, report)
        if outcome.by_cancellation:
            raise asyncio.CancelledError
        result = RunResult(
            status=outcome.status,
            report=report,
            rounds=state.used.rounds,
            tool_calls=state.used.tool_calls,
            usage=state.used.usage,
            limits=state.budget.limits if state.budget else None,
            reason=outcome.reason,
        )
        if self._deliveries.undelivered:
            result = result.model_copy(update={"undelivered": self._deliveries.undelivered})
        if outcome.error is not None:
            outcome.fail(result)
        return result

    # --- signals: facts, which need no worker to be accepted -------------------------------------------------------

    @workflow.signal
    def alert(self, *arguments: object) -> None:
        """Take an ``AlertNotification``: what a sender reports of the group.

        Notifications may be late, repeated and out of order. A malformed one is ignored.
        """
        notification = read_notification(first_argument(arguments), workflow.time())
        if notification is None:
            log_ignored("alert")
            return
        changed = self._state.take_notification(notification, in_order=workflow.patched(FIRING_ORDER))
        for end in self._state.episode.older_ends:
            workflow.logger.info("ignored an end: %s", alert_text.older_end(end))
        if changed:
            self._follow_ups.alerts_changed()
            self._message.request_update()

    @workflow.signal
    def admit(self, *arguments: object) -> None:
        """Let the run investigate. The argument is its first execution run id; a signal with another is ignored."""
        run = first_argument(arguments)
        if isinstance(run, str):
            self._admission.admit(run)
        else:
            log_ignored("admit")

    # --- updates: what people do; a wrong one is rejected to the person who sent it --------------------------------

    @workflow.update
    def tell(self, tell: TellRequest) -> str:
        """Send the model a message, which it reads in its next round."""
        if updates.is_first(self._state):
            self._state.unread_texts.append(f"{tell.by}: {tell.text}" if tell.by else tell.text)
        if self._state.outcome is None:
            return "the model reads it in its next round"
        return "the run answers it as a follow-up"

    @tell.validator
    def _check_tell(self, tell: TellRequest) -> None:
        updates.check_tell(self._state, tell)

    @workflow.update
    def stop(self, stop: StopRequest) -> str:
        """End the run with a hand-off report."""
        self._state.stop_request = stop
        self._state.tool_calls.close()
        return "the run ends with a hand-off report" if self._state.outcome is None else "the run is closed"

    @stop.validator
    def _check_stop(self, stop: StopRequest) -> None:
        updates.check_stop(self._state, stop)

    @workflow.update
    def extend(self, extension: ExtendRequest) -> Limits:
        """Raise limits; returns the new ones."""
        budget = self._state.budget
        if budget is None:
            raise ValueError("the run has no briefing yet")
        return budget.extend(extension.by) if updates.is_first(self._state) else budget.limits

    @extend.validator
    def _check_extend(self, extension: ExtendRequest) -> None:
        updates.check_extend(self._state, extension)

    @workflow.update
    def decide(self, decision: Decision) -> str:
        """Approve or deny a call that waits for a decision; the first decision counts."""
        if updates.is_first(self._state):
            self._state.tool_calls.decide(decision)
        return f"{decision.call} {'approved' if decision.approved else 'denied'}"

    @decide.validator
    def _check_decide(self, decision: Decision) -> None:
        updates.check_decide(self._state, decision)

    # --- queries ---------------------------------------------------------------------------------------------------

    @workflow.query
    def progress(self) -> RunProgress:
        """Return the status of the run, its calls and what it has used."""
        state = self._state
        return RunProgress(
            status=state.status,
            phase=state.activity,
            round=state.used.rounds,
            calls=state.tool_calls.records,
            usage=state.used.usage,
            limits=state.budget.limits if state.budget else None,
            report=state.report,
        )

    @workflow.query
    def waiting(self) -> list[CallRecord]:
        """Return the calls that wait for a decision."""
        return [record for record in self._state.tool_calls.records if record.status == "waiting"]

    def current_details(self) -> str:
        """Return the status of the run for the Temporal UI."""
        return status_text.current_details(self._state.view())

    def _waiting_changed(self) -> None:
        self._status.publish()
        self._message.request_update()
        self._notices.update()
