"""The run of an incident, as a story: brief, ask and settle in rounds until it can be reported, stay open for more."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import compaction, continue_as_new, model_call
from workflows.follow_ups import Lasting
from workflows.outcome import BUGS, FAILURE_TYPES, Outcome

with workflow.unsafe.imports_passed_through():
    from activities.brief import BriefActivities
    from watchkeeper.contracts import (
        Briefing,
        BudgetUsed,
        ModelReply,
        ModelRequest,
        ReplyRef,
        RunInput,
        RunResult,
        StopRequest,
        TextEntry,
    )
    from watchkeeper.incident.budget import Budget, Limit
    from watchkeeper.llm.conversation import Conversation
    from watchkeeper.temporal import activity_options
    from watchkeeper.text import shortened

NAMES_BYTES = 120
"""How much of the names of a round's tools is told: Temporal takes 400 bytes of what an activity is for."""


@workflow.defn(failure_exception_types=FAILURE_TYPES)
class IncidentWorkflow(Lasting):
    """One incident run. It ends in a delivered report, also when a limit, a person, a bug or the model ends it."""

    @workflow.init
    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._filled = 0

    @workflow.run
    async def run(self, given: RunInput) -> RunResult:
        """Investigate, report, and answer what comes later.

        Fails with an error whose type names what ended the run, if it did not conclude.
        """
        if self._reported is None:
            self._report_on(await self._ended(self._first_investigation(given)))
        while await self._asked_for_more() or await self._joined_at_the_end():
            await self._answer(await self._ended(self._investigate()))
        return self._close()

    async def _first_investigation(self, given: RunInput) -> Outcome:
        if given.carried is None:
            self._now("reading its briefing", lastingly=False)
            self._briefing = briefing = await workflow.execute_activity_method(
                BriefActivities.brief,
                given,
                activity_id="brief",
                summary="its words, tools, limits",
                **activity_options.BRIEF,
            )
            if (untaken := await self._take_turn(briefing)) is not None:
                return untaken
            self._talk = Conversation.of(briefing.opening)
            self._budget = Budget(briefing.limits, BudgetUsed(), self._began_at())
        return await self._investigate()

    async def _investigate(self) -> Outcome:
        briefing, talk, budget = self._known()
        while self._stop is None:
            if (limit := budget.exhausted()) is not None:
                return Outcome.limit(limit, budget)
            if continue_as_new.due(briefing.history):
                await self._renew()
                continue
            with workflow.create_event_group(f"r{budget.spent.rounds + 1}").scope():
                if (ending := await self._round(briefing, talk, budget)) is not None:
                    return ending
        return Outcome.stopped(self._stop or StopRequest())

    async def _round(self, briefing: Briefing, talk: Conversation, budget: Budget) -> Outcome | None:
        """Ask and settle once; an ending if the model concludes, or can do so no more."""
        cornered = budget.last_words(workflow.time())
        reply = await self._ask(briefing, talk, budget, cornered)
        if reply is None:
            return None
        if reply.kind != "empty":
            talk.append(ReplyRef(reply=reply.digest))
            self._nudged = False
        if reply.kind == "tool_calls":
            await self._settle(briefing, talk, budget, reply)
        elif reply.kind == "final" and briefing.insist and budget.spent.rounds == 1 and cornered is None:
            self._words.append(briefing.insist)
        elif reply.kind == "final":
            if budget.exhausted() is not None or cornered == "duration" or not self._presses(briefing):
                return Outcome.concluded(reply)
            self._said = reply.text
        elif cornered is not None and budget.last_words(workflow.time()) == cornered:
            return Outcome.limit(cornered, budget)
        elif self._nudged:
            return Outcome.empty()
        else:
            self._nudged = True
            self._words.append(briefing.nudge)
        return None

    async def _ended(self, investigation: Awaitable[Outcome]) -> Outcome:
        """Wait for an investigation; whatever ends it is an ending."""
        try:
            return await investigation
        except ActivityError as error:
            if is_cancelled_exception(error):
                return Outcome.cancelled()
            return self._over_time(error) or Outcome.failed(error)
        except asyncio.CancelledError:
            return Outcome.cancelled()
        except BUGS as bug:
            workflow.logger.exception("a bug ended the run")
            return Outcome.bug(bug)

    async def _ask(
        self, briefing: Briefing, talk: Conversation, budget: Budget, cornered: Limit | None
    ) -> ModelReply | None:
        """Put what is new to the model; None if there is no answer, but perhaps a reason to end."""
        number = budget.spent.rounds + 1
        self._begin_round(number, budget)
        if briefing.window is not None and self._filled >= briefing.window:
            await compaction.compact(talk, number)
        for text in [*self._news(briefing), *self._words, *([briefing.conclude] if cornered else [])]:
            talk.append(TextEntry(role="user", content=text))
        self._words = []
        base, new = talk.take()
        choice = self._given.tool_choice
        request = ModelRequest(round=number, base=base, append=new, catalogue=briefing.catalogue)
        if cornered or (choice is not None and choice.mode == "none"):
            request = request.model_copy(update={"toolless": True})
        elif choice is not None and number == 1:
            request = request.model_copy(update={"tool_choice": choice})
        reply = await model_call.ask(briefing, talk, budget, request, cornered, lambda: self._stop is not None)
        if reply is not None:
            budget.charge_round(reply.usage)
            self._filled = reply.usage.tokens
        return reply

    async def _settle(self, briefing: Briefing, talk: Conversation, budget: Budget, reply: ModelReply) -> None:
        number = budget.spent.rounds
        names = shortened(", ".join(dict.fromkeys(call.name for call in reply.calls)), NAMES_BYTES)
        self._now(f"round {number} of {budget.limits.rounds}: {names}", lastingly=False)
        for result in await self._calls.settle(briefing, reply, number, budget):
            talk.append(result)

    def _over_time(self, error: ActivityError) -> Outcome | None:
        """Return the ending by the time limit, if an activity gave up because the run's time was over."""
        budget = self._budget
        if budget is None or workflow.time() < budget.deadline:
            return None
        return Outcome.limit("duration", budget, error)
