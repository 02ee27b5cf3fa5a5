"""The run of an incident, as a story: brief, then ask and settle in rounds until it can be reported."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import NoReturn

from temporalio import workflow
from temporalio.exceptions import ActivityError

from workflows.attended import Attended
from workflows.ending import BUGS, Ending

with workflow.unsafe.imports_passed_through():
    from activities.briefing import BriefingActivities
    from activities.carrying import CarryingActivities
    from activities.model import ModelActivities
    from activities.report import ReportActivities
    from watchkeeper import attributes, options, reporting
    from watchkeeper.budget import Budget
    from watchkeeper.contracts import (
        Briefing,
        Carried,
        CarryRequest,
        Delivery,
        ModelRequest,
        Reply,
        ReplyRef,
        RunInput,
        RunResult,
        Spent,
        Stop,
        Words,
    )
    from watchkeeper.conversation import Conversation

CALLS_CARRIED = 100
"""How many calls, the latest ones, a run remembers for its report when it continues as new."""


@workflow.defn(failure_exception_types=BUGS)
class IncidentWorkflow(Attended):
    """One incident run. It ends in a delivered report, also when a limit, a person, a bug or the model ends it."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._nudged = given.carried is not None and given.carried.nudged

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Investigate and report. Fails with an error whose type names what ended the run, if it did not conclude."""
        cancelled = None
        try:
            ending = await self._investigate(*await self._begin(given))
        except asyncio.CancelledError as error:
            ending, cancelled = Ending.stopped(Stop(reason="cancelled in Temporal")), error
        except ActivityError as error:
            ending = self._over_time() or Ending.failed(error)
        except BUGS as bug:
            workflow.logger.exception("a bug ended the run")
            ending = Ending.bug(bug)
        result = await self._report_on(ending)
        if cancelled is not None:
            raise cancelled
        if ending.error is not None:
            ending.fail(result)
        return result

    async def _investigate(self, briefing: Briefing, talk: Conversation, budget: Budget) -> Ending:
        while self._stop is None:
            if (limit := budget.exhausted(workflow.time())) is not None:
                return Ending.limit(limit, budget)
            if workflow.info().is_continue_as_new_suggested():
                await self._continue_as_new(briefing, talk, budget)
            cornered = budget.last_words()
            reply = await self._ask(briefing, talk, budget, cornered=cornered is not None)
            if reply is None:
                break
            if reply.kind != "empty":
                talk.append(ReplyRef(reply=reply.digest))
            if reply.kind == "tool_calls":
                await self._settle(briefing, talk, budget, reply)
            elif reply.kind == "final" and not self._words:
                return Ending.concluded(reply)
            elif cornered is not None and budget.last_words() == cornered:
                return Ending.limit(cornered, budget)
            elif reply.kind == "empty" and self._nudged:
                return Ending.empty()
            elif reply.kind == "empty":
                self._nudged = True
                self._words.append(briefing.nudge)
        return Ending.stopped(self._stop or Stop())

    async def _begin(self, given: RunInput) -> tuple[Briefing, Conversation, Budget]:
        if (carried := given.carried) is not None:
            talk = Conversation(carried.conversation.digest, len(carried.conversation.messages))
            self._budget = Budget(carried.limits, carried.spent, carried.started_at)
            return carried.briefing, talk, self._budget
        self._phase = "briefing"
        briefing = await workflow.execute_activity_method(
            BriefingActivities.brief, given, activity_id="brief", **options.BRIEF
        )
        self._budget = Budget(briefing.limits, Spent(), workflow.info().start_time.timestamp())
        return briefing, Conversation.of(briefing.opening), self._budget

    async def _ask(self, briefing: Briefing, talk: Conversation, budget: Budget, *, cornered: bool) -> Reply | None:
        number = budget.spent.rounds + 1
        self._phase = f"round {number}: asking the model"
        words = [*self._words, briefing.conclude] if cornered else self._words
        for text in words:
            talk.append(Words(role="user", content=text))
        self._words = []
        choice = self._given.tool_choice
        base, length, new = talk.take()
        request = ModelRequest(
            round=number,
            base=base,
            length=length,
            append=new,
            catalogue=briefing.catalogue,
            tools_allowed=not cornered and (choice is None or choice.mode != "none"),
        )
        if choice is not None and number == 1 and request.tools_allowed:
            request = request.model_copy(update={"tool_choice": choice})
        asking = workflow.start_activity_method(
            ModelActivities.ask,
            request,
            activity_id=f"r{number}",
            summary=f"round {number}",
            **options.model(briefing, self._time_left(budget)),
        )
        await workflow.wait_condition(lambda: asking.done() or self._stop is not None)
        if not asking.done():
            asking.cancel()
            return None
        reply = await asking
        budget.charge_round(reply.usage)
        return reply

    async def _settle(self, briefing: Briefing, talk: Conversation, budget: Budget, reply: Reply) -> None:
        number = budget.spent.rounds
        self._phase = f"round {number}: {', '.join(call.name for call in reply.calls)}"
        allowed, left = budget.calls_left, self._time_left(budget).total_seconds()
        results, run = await self._calls.settle(briefing, reply, number, allowed, left)
        budget.charge_calls(run)
        for result in results:
            talk.append(result)

    async def _report_on(self, ending: Ending) -> RunResult:
        """Deliver the report of the run and record how it ended where people look."""
        given, budget = self._given, self._budget
        self._ending, self._phase = ending, "delivering the report"
        calls = self._calls.records
        report = (
            reporting.concluded(ending.text, calls)
            if ending.status == "concluded"
            else reporting.hand_off(given, calls, ending.reason or ending.status)
        )
        self._report = report
        workflow.upsert_search_attributes([attributes.STATUS.value_set(ending.status)])
        workflow.upsert_memo({"report": report.summary})
        info = workflow.info()
        await workflow.execute_activity_method(
            ReportActivities.deliver,
            Delivery(
                run=info.first_execution_run_id,
                workflow_id=info.workflow_id,
                status=ending.status,
                report=report,
                reason=ending.reason,
                service=given.service,
                severity=given.severity,
            ),
            activity_id="deliver",
            **options.DELIVER,
        )
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._phase = "over"
        spent = budget.spent if budget else Spent()
        return RunResult(
            status=ending.status,
            report=report,
            rounds=spent.rounds,
            tool_calls=spent.tool_calls,
            usage=spent.usage,
            limits=budget.limits if budget else None,
            reason=ending.reason,
        )

    async def _continue_as_new(self, briefing: Briefing, talk: Conversation, budget: Budget) -> NoReturn:
        """Go on in a new execution, at a round boundary, with the conversation in its input."""
        self._phase = "continuing as new"
        base, length, new = talk.take()
        conversation = await workflow.execute_activity_method(
            CarryingActivities.carry,
            CarryRequest(base=base, length=length, append=new),
            activity_id="carry",
            **options.CARRY,
        )
        await workflow.wait_condition(workflow.all_handlers_finished)
        workflow.continue_as_new(
            self._given.model_copy(
                update={
                    "carried": Carried(
                        briefing=briefing.model_copy(update={"opening": []}),
                        conversation=conversation,
                        limits=budget.limits,
                        spent=budget.spent,
                        started_at=budget.started_at,
                        calls=self._calls.records[-CALLS_CARRIED:],
                        words=self._words,
                        nudged=self._nudged,
                    )
                }
            )
        )

    def _over_time(self) -> Ending | None:
        """Return the ending by the time limit, if a call gave up because the run's time was over."""
        if self._budget is None or self._budget.exhausted(workflow.time()) != "duration":
            return None
        return Ending.limit("duration", self._budget)

    def _time_left(self, budget: Budget) -> timedelta:
        return timedelta(seconds=max(1.0, budget.deadline - workflow.time()))
