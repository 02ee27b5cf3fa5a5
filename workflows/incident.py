"""The run of an incident, as a story: brief, then ask and settle in rounds until it can be reported."""

from __future__ import annotations

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import closing, renewal
from workflows.attended import Attended
from workflows.ending import BUGS, Ending

with workflow.unsafe.imports_passed_through():
    from activities.briefing import BriefingActivities
    from activities.model import ModelActivities
    from watchkeeper import options
    from watchkeeper.budget import Budget
    from watchkeeper.contracts import Briefing, ModelRequest, Reply, ReplyRef, RunInput, RunResult, Spent, Stop, Words
    from watchkeeper.conversation import Conversation


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
        cancelled: BaseException | None = None
        try:
            ending = await self._investigate(*await self._begin(given))
        except (asyncio.CancelledError, ActivityError) as error:
            if isinstance(error, ActivityError) and not is_cancelled_exception(error):
                ending = self._over_time() or Ending.failed(error)
            else:
                ending, cancelled = Ending.stopped(Stop(reason="cancelled in Temporal")), error
        except BUGS as bug:
            workflow.logger.exception("a bug ended the run")
            ending = Ending.bug(bug)
        result = await self._close(given, ending)
        if cancelled is not None:
            raise cancelled
        if ending.error is not None:
            ending.fail(result)
        return result

    async def _begin(self, given: RunInput) -> tuple[Briefing, Conversation, Budget]:
        if (carried := given.carried) is not None:
            talk = Conversation(carried.conversation.digest)
            self._budget = Budget(carried.limits, carried.spent, carried.started_at)
            return carried.briefing, talk, self._budget
        self._now("reading its briefing")
        briefing = await workflow.execute_activity_method(
            BriefingActivities.brief, given, activity_id="brief", **options.BRIEF
        )
        self._budget = Budget(briefing.limits, Spent(), workflow.info().start_time.timestamp())
        return briefing, Conversation.of(briefing.opening), self._budget

    async def _investigate(self, briefing: Briefing, talk: Conversation, budget: Budget) -> Ending:
        while self._stop is None:
            if (limit := budget.exhausted(workflow.time())) is not None:
                return Ending.limit(limit, budget)
            if renewal.due():
                await self._renew(briefing, talk, budget)
            cornered = budget.last_words()
            reply = await self._ask(briefing, talk, budget, cornered=cornered is not None)
            if reply is None:
                break
            if reply.kind != "empty":
                talk.append(ReplyRef(reply=reply.digest))
                self._nudged = False
            if reply.kind == "tool_calls":
                await self._settle(briefing, talk, budget, reply)
            elif reply.kind == "final" and briefing.insist and budget.spent.rounds == 1 and cornered is None:
                self._words.append(briefing.insist)
            elif reply.kind == "final" and not self._words:
                return Ending.concluded(reply)
            elif cornered is not None and budget.last_words() == cornered:
                return Ending.limit(cornered, budget)
            elif reply.kind == "empty":
                if self._nudged:
                    return Ending.empty()
                self._nudged = True
                self._words.append(briefing.nudge)
        return Ending.stopped(self._stop or Stop())

    async def _ask(self, briefing: Briefing, talk: Conversation, budget: Budget, *, cornered: bool) -> Reply | None:
        """Put what is new to the model; None if the run was stopped before it answered."""
        number = budget.spent.rounds + 1
        self._now(f"round {number}: asking the model")
        for text in [*self._words, briefing.conclude] if cornered else self._words:
            talk.append(Words(role="user", content=text))
        self._words = []
        base, new = talk.take()
        choice = self._given.tool_choice
        request = ModelRequest(round=number, base=base, append=new, catalogue=briefing.catalogue)
        if cornered or (choice is not None and choice.mode == "none"):
            request = request.model_copy(update={"toolless": True})
        elif choice is not None and number == 1:
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
        self._now(f"round {number}: {', '.join(call.name for call in reply.calls)}")
        results, run = await self._calls.settle(
            briefing, reply, number, allowed=budget.calls_left, time_left=self._time_left(budget)
        )
        budget.charge_calls(run)
        for result in results:
            talk.append(result)

    async def _renew(self, briefing: Briefing, talk: Conversation, budget: Budget) -> None:
        self._now("continuing as new")
        carried = await renewal.carry(briefing, talk, budget, self._calls.records, nudged=self._nudged)
        renewal.renew(self._given, carried, self._words)

    async def _close(self, given: RunInput, ending: Ending) -> RunResult:
        self._ending = ending
        self._report = report = closing.write(given, ending, self._calls.records)
        self._now("delivering the report")
        await closing.deliver(given, ending, report)
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._now("over")
        spent = self._budget.spent if self._budget else Spent()
        return RunResult(
            status=ending.status,
            report=report,
            rounds=spent.rounds,
            tool_calls=spent.tool_calls,
            usage=spent.usage,
            limits=self._budget.limits if self._budget else None,
            reason=ending.reason,
        )

    def _over_time(self) -> Ending | None:
        """Return the ending by the time limit, if an activity gave up because the run's time was over."""
        if self._budget is None or self._budget.exhausted(workflow.time()) != "duration":
            return None
        return Ending.limit("duration", self._budget)

    def _time_left(self, budget: Budget) -> timedelta:
        return timedelta(seconds=max(1.0, budget.deadline - workflow.time()))
