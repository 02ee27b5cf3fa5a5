"""The run of an incident, as a story: brief, then ask and settle in rounds until it can be reported."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import asking, closing, compacting, renewal
from workflows.attended import Attended
from workflows.ending import BUGS, FAILING, Ending

with workflow.unsafe.imports_passed_through():
    from activities.briefing import BriefingActivities
    from watchkeeper import options
    from watchkeeper.budget import Budget, Limit
    from watchkeeper.contracts import Briefing, ModelRequest, Reply, ReplyRef, RunInput, RunResult, Spent, Stop, Words
    from watchkeeper.conversation import Conversation


@workflow.defn(failure_exception_types=FAILING)
class IncidentWorkflow(Attended):
    """One incident run. It ends in a delivered report, also when a limit, a person, a bug or the model ends it."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._briefing = given.carried.briefing if given.carried else None
        self._nudged = given.carried is not None and given.carried.nudged
        self._answer = ""
        self._filled = 0

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Investigate and report. Fails with an error whose type names what ended the run, if it did not conclude."""
        cancelled = None
        try:
            ending = await self._investigate(*await self._begin(given))
        except ActivityError as error:
            if is_cancelled_exception(error):
                ending, cancelled = Ending.cancelled(), asyncio.CancelledError()
            else:
                ending = self._over_time(error) or Ending.failed(error)
        except asyncio.CancelledError as error:
            ending, cancelled = Ending.cancelled(), error
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
        if given.carried is not None and self._budget is not None:
            return given.carried.briefing, Conversation(given.carried.conversation.digest), self._budget
        self._now("reading its briefing")
        self._briefing = briefing = await workflow.execute_activity_method(
            BriefingActivities.brief, given, activity_id="brief", **options.BRIEF
        )
        self._budget = Budget(briefing.limits, Spent(), workflow.info().start_time.timestamp())
        return briefing, Conversation.of(briefing.opening), self._budget

    async def _investigate(self, briefing: Briefing, talk: Conversation, budget: Budget) -> Ending:
        while self._stop is None:
            if (limit := budget.exhausted()) is not None:
                return Ending.limit(limit, budget)
            if renewal.due(briefing.history):
                await self._renew(briefing, talk, budget)
                continue
            cornered = budget.last_words(workflow.time())
            reply = await self._ask(briefing, talk, budget, cornered)
            if reply is None:
                continue
            if reply.kind != "empty":
                talk.append(ReplyRef(reply=reply.digest))
                self._nudged = False
            if reply.kind == "tool_calls":
                await self._settle(briefing, talk, budget, reply)
            elif reply.kind == "final" and briefing.insist and budget.spent.rounds == 1 and cornered is None:
                self._words.append(briefing.insist)
            elif reply.kind == "final":
                if not self._words or budget.exhausted() is not None or cornered == "duration":
                    return Ending.concluded(reply)
                self._answer = reply.text
            elif cornered is not None and budget.last_words(workflow.time()) == cornered:
                return Ending.limit(cornered, budget)
            elif self._nudged:
                return Ending.empty()
            else:
                self._nudged = True
                self._words.append(briefing.nudge)
        return Ending.stopped(self._stop or Stop())

    async def _ask(
        self, briefing: Briefing, talk: Conversation, budget: Budget, cornered: Limit | None
    ) -> Reply | None:
        """Put what is new to the model; None if there is no answer, but perhaps a reason to end."""
        number = budget.spent.rounds + 1
        self._now(f"round {number}: asking the model")
        if briefing.window is not None and self._filled >= briefing.window:
            await compacting.compact(talk, number)
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
        reply = await asking.ask(briefing, talk, budget, request, cornered, lambda: self._stop is not None)
        if reply is not None:
            budget.charge_round(reply.usage)
            self._filled = reply.usage.tokens
        return reply

    async def _settle(self, briefing: Briefing, talk: Conversation, budget: Budget, reply: Reply) -> None:
        number = budget.spent.rounds
        self._now(f"round {number}: {', '.join(call.name for call in reply.calls)}")
        for result in await self._calls.settle(briefing, reply, number, budget):
            talk.append(result)

    async def _renew(self, briefing: Briefing, talk: Conversation, budget: Budget) -> None:
        """Continue as new, unless the run is stopped meanwhile."""
        self._now("continuing as new")
        carried = await renewal.carry(briefing, talk, budget, self._calls.records, nudged=self._nudged)
        if self._stop is None:
            acts = {"words": self._words, "acts": self._acts}
            renewal.renew(self._given, carried.model_copy(update=acts))

    async def _close(self, given: RunInput, ending: Ending) -> RunResult:
        self._ending = ending
        if self._answer and not ending.text:
            ending = replace(ending, text=self._answer)
        self._report = report = closing.write(given, ending, self._calls.records, self._words)
        self._now("delivering the report")
        undelivered = await closing.deliver(given, self._briefing, ending, report)
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._now("over")
        spent = self._budget.spent if self._budget else Spent()
        result = RunResult(
            status=ending.status,
            report=report,
            rounds=spent.rounds,
            tool_calls=spent.tool_calls,
            usage=spent.usage,
            limits=self._budget.limits if self._budget else None,
            reason=ending.reason,
        )
        return result.model_copy(update={"undelivered": undelivered}) if undelivered else result

    def _over_time(self, error: ActivityError) -> Ending | None:
        """Return the ending by the time limit, if an activity gave up because the run's time was over."""
        budget = self._budget
        if budget is None or workflow.time() < budget.deadline:
            return None
        return Ending.limit("duration", budget, error)
