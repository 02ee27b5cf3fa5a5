"""The agent loop: call the model, run the tools it asks for, until it concludes or a limit is reached."""

from __future__ import annotations

from dataclasses import replace

from temporalio import workflow

from workflows import compaction
from workflows.answer_review import review_answer
from workflows.continue_as_new import NextExecution
from workflows.model_call import call_model
from workflows.outcome import Outcome
from workflows.state import RunState
from workflows.status import StatusPublisher

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import Briefing, ModelReply, ModelRequest, ReplyRef, Review, StopRequest, TextEntry
    from watchkeeper.incident import alert_text, correction, wake_rule
    from watchkeeper.incident.budget import Budget, LimitName
    from watchkeeper.llm.conversation import Conversation
    from watchkeeper.text import shortened

TOOL_NAMES_BYTES = 120
"""How much of the tool names of a round the status shows: Temporal limits the summary of an activity to 400 bytes."""


class Investigation:
    """The rounds of a run: the first investigation, and one for each follow-up."""

    def __init__(self, state: RunState, status: StatusPublisher, next_execution: NextExecution) -> None:
        self._state = state
        self._status = status
        self._next_execution = next_execution

    async def run(self) -> Outcome:
        """Do rounds until the model concludes, a limit is reached or a person stops the run.

        Raises ActivityError if an activity that the run depends on fails for good.
        """
        state = self._state
        briefing, conversation, budget = state.briefed()
        while state.stop_request is None:
            if (limit := budget.exhausted()) is not None:
                return Outcome.limit(limit, budget)
            if self._next_execution.is_due():
                await self._next_execution.start()
                continue
            with workflow.create_event_group(f"r{budget.spent.rounds + 1}").scope():
                if (outcome := await self._round(briefing, conversation, budget)) is not None:
                    return outcome
        return Outcome.stopped(state.stop_request or StopRequest())

    async def _round(self, briefing: Briefing, conversation: Conversation, budget: Budget) -> Outcome | None:
        """Call the model once and run the tools it asks for; an outcome if the investigation ends with this round."""
        last_round = budget.last_words(workflow.time())
        reply = await self._call_model(briefing, conversation, budget, last_round)
        if reply is None:  # stopped, or no worker was there to ask
            return None
        if reply.kind == "empty":
            return self._ask_again(briefing, budget, last_round, reply)
        conversation.append(ReplyRef(reply=reply.digest))
        self._state.nudged = False
        if reply.kind == "tool_calls":
            await self._run_tools(briefing, conversation, budget, reply)
            return None
        return await self._conclude(briefing, conversation, budget, last_round, reply)

    async def _call_model(
        self, briefing: Briefing, conversation: Conversation, budget: Budget, last_round: LimitName | None
    ) -> ModelReply | None:
        """Send the model what is new; None if there is no reply, but possibly a reason to end."""
        state, number = self._state, budget.spent.rounds + 1
        self._status.begin_round(number, budget)
        if briefing.window is not None and state.window_fill >= briefing.window:
            await compaction.compact(conversation, number)
        told = [*self._alert_news(briefing, budget), *state.unread_texts]
        for text in [*told, *([briefing.conclude] if last_round else [])]:
            conversation.append(TextEntry(role="user", content=text))
        state.unread_texts = []
        state.remember_told(told)
        base, new = conversation.take()
        request = ModelRequest(round=number, base=base, append=new, catalogue=briefing.catalogue)
        tool_choice = state.input.tool_choice
        if last_round or (tool_choice is not None and tool_choice.mode == "none"):
            request = request.model_copy(update={"toolless": True})
        elif tool_choice is not None and number == 1:
            request = request.model_copy(update={"tool_choice": tool_choice})
        reply = await call_model(
            briefing, conversation, budget, request, last_round, lambda: state.stop_request is not None
        )
        if reply is not None:
            budget.charge_round(reply.usage)
            state.window_fill = reply.usage.tokens
        return reply

    def _ask_again(
        self, briefing: Briefing, budget: Budget, last_round: LimitName | None, reply: ModelReply
    ) -> Outcome | None:
        """Ask once more after a reply without text or a usable call; an outcome if that is not possible."""
        if last_round is not None and budget.last_words(workflow.time()) == last_round:
            return Outcome.limit(last_round, budget)
        if self._state.nudged:
            return Outcome.empty()
        self._state.nudged = True
        rules = briefing.conclusions
        self._state.unread_texts.append(rules.text_call if rules and reply.text_call else briefing.nudge)
        return None

    async def _run_tools(
        self, briefing: Briefing, conversation: Conversation, budget: Budget, reply: ModelReply
    ) -> None:
        number = budget.spent.rounds
        names = shortened(", ".join(dict.fromkeys(call.name for call in reply.calls)), TOOL_NAMES_BYTES)
        self._status.enter(f"round {number} of {budget.limits.rounds}: {names}", durable=False)
        for result in await self._state.tool_calls.run_all(briefing, reply, number, budget, self._state.page_gate()):
            conversation.append(result)

    async def _conclude(
        self,
        briefing: Briefing,
        conversation: Conversation,
        budget: Budget,
        last_round: LimitName | None,
        reply: ModelReply,
    ) -> Outcome | None:
        """Accept a conclusion that qualifies, unless a tool call was demanded first or there is news to read.

        An answer that does not qualify, or claims what nothing supports, goes back to the model once.
        """
        state = self._state
        if briefing.insist and budget.spent.rounds == 1 and last_round is None:
            state.unread_texts.append(briefing.insist)
            return None
        if budget.exhausted() is None and last_round != "duration" and self.needs_another_round(briefing):
            state.draft_answer = reply.text
            return None
        if briefing.conclusions is None:
            return Outcome.concluded(reply)
        review = await review_answer(state, briefing.conclusions, conversation, budget.spent.rounds)
        if (review.problems or review.unsupported) and not state.corrected and last_round is None:
            state.corrected, state.draft_answer = True, reply.text
            state.unread_texts.append(correction.correction_text(briefing.conclusions.correction, review))
            return None
        state.corrected, state.draft_answer = False, ""
        if review.problems and last_round is not None:
            return replace(Outcome.limit(last_round, budget), text=reply.text)
        if review.problems:
            return Outcome.unqualified(reply, review)
        return self._outcome_of(briefing, reply, review)

    def _outcome_of(self, briefing: Briefing, reply: ModelReply, review: Review) -> Outcome:
        """Decide what a conclusion ends in, and whether it wakes people: by the records, not by what the model says."""
        state, rules = self._state, briefing.pages
        calls, pagers = state.tool_calls.records, [spec.name for spec in briefing.tools if spec.pages]
        if rules is not None and (why := wake_rule.unsent_page(calls, pagers, rules.look_first)) is not None:
            return Outcome.page_not_sent(reply, review, why)
        wake = wake_rule.wake_reason(
            review,
            severity=state.input.severity,
            firing=state.episode.firing if state.follow_up is None else 0,
            is_paged=any(call.name in pagers and call.status == "ok" for call in calls)
            or (rules is not None and rules.incident.is_open),
        )
        return Outcome.concluded(reply, review, wake)

    def with_draft(self, outcome: Outcome) -> Outcome:
        """Return the outcome with the draft answer as its text, if it has none; the draft is used up."""
        draft, self._state.draft_answer = self._state.draft_answer, ""
        return replace(outcome, text=draft) if draft and not outcome.text else outcome

    def needs_another_round(self, briefing: Briefing) -> bool:
        """Tell whether the model must read something before the run concludes or closes.

        Messages of people always count. Alerts that join the group, or its recovery, are counted each time and count a
        limited number of times, since a group that flaps would keep the run open without end.
        """
        state, follow_ups, episode = self._state, briefing.follow_ups, self._state.episode
        if state.unread_texts:
            return True
        news = episode.joined > 0 if episode.recovered_at is None else state.follow_up is None and bool(episode.unread)
        if follow_ups is None or not news or state.alert_looks >= follow_ups.alerts:
            return False
        state.alert_looks += 1
        return True

    def _alert_news(self, briefing: Briefing, budget: Budget) -> list[str]:
        """Return what the model is to read about the alerts since its last request, and count it as read."""
        state, follow_ups = self._state, briefing.follow_ups
        if follow_ups is None or not state.episode.unread:
            return []
        if state.follow_up is None and state.episode.recovered_at is not None:
            introduction = follow_ups.recovered
        elif state.follow_up is None and budget.spent.rounds == 0:
            introduction = follow_ups.began
        else:
            introduction = follow_ups.changed
        alerts, notes = state.read_alerts()
        return [alert_text.for_model(alerts, introduction, notes)]
