"""What a run is after its report: the time it stays open, what it is asked by then, its executions."""

from __future__ import annotations

import asyncio
import builtins
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, is_cancelled_exception

from workflows import continue_as_new, delivery
from workflows.outcome import Outcome
from workflows.run_result import Reporting

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import Briefing, RunInput
    from watchkeeper.incident.budget import Budget
    from watchkeeper.llm.conversation import Conversation
    from watchkeeper.text import excerpt

QUESTION_BYTES = 2_000

DELIVERING = 60.0
"""Seconds after which an open run looks again whether its report is out."""


class Lasting(Reporting):
    """A run that answers what comes after its report, over as many executions as that takes."""

    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        carried = given.carried
        self._nudged = carried is not None and carried.nudged

    def _known(self) -> tuple[Briefing, Conversation, Budget]:
        assert self._briefing is not None and self._talk is not None and self._budget is not None, "it is briefed"
        return self._briefing, self._talk, self._budget

    async def _asked_for_more(self) -> bool:
        """Stay open until there is something to answer; False when the run is over."""
        if self._over or self._reported is None or self._briefing is None:
            return False
        if self._reported.question is not None:
            return True
        self._now("open for follow-ups until its alerts resolve", "open")
        try:
            while self._stop is None:
                if self._presses(self._briefing):
                    self._begin_follow_up()
                    return True
                if (left := self._open_for()) <= 0:
                    break
                if continue_as_new.due(self._briefing.history):
                    await self._renew()
                else:
                    await self._anything(left, self._briefing)
        except asyncio.CancelledError:
            workflow.logger.info("cancelled in Temporal, after its report")
            self._episode.take_unread()
        except ActivityError as error:
            workflow.logger.warning("cannot continue as new, so it is over after its report: %s", error.cause)
            if is_cancelled_exception(error):
                self._episode.take_unread()
        if self._stop is not None:
            self._episode.take_unread()  # a person has closed it, with all that fires by now
        self._over = True
        return False

    def _open_for(self) -> float:
        """Seconds for which the run stays open yet: while its alerts fire, while they flap, while its report is out."""
        assert self._reported is not None and self._briefing is not None and self._briefing.follow_ups is not None
        recovered, follow_ups = self._episode.recovered_at, self._briefing.follow_ups
        until = self._reported.at + follow_ups.window if recovered is None else recovered + follow_ups.quiet
        return max(until - workflow.time(), DELIVERING if self._are_delivering() else 0.0)

    async def _anything(self, seconds: float, briefing: Briefing) -> None:
        """Wait for people, for alerts, for the end of the deliveries, or for the time.

        Repeated alerts make the history grow and change nothing else, so that too is looked at.
        """
        changes, delivering = self._changes, self._are_delivering()
        with suppress(builtins.TimeoutError):
            await workflow.wait_condition(
                lambda: (
                    bool(self._words)
                    or self._stop is not None
                    or self._changes != changes
                    or self._are_delivering() != delivering
                    or continue_as_new.due(briefing.history)
                ),
                timeout=timedelta(seconds=seconds),
                timeout_summary="open for follow-ups until its alerts resolve",
            )

    def _begin_follow_up(self) -> None:
        briefing, _, budget = self._known()
        assert self._reported is not None and briefing.follow_ups is not None
        question = excerpt("\n".join(self._words) or "Alerts joined the group.", QUESTION_BYTES)
        asked = {"question": question, "follow_ups": self._reported.follow_ups + 1, "looked": self._looked}
        self._reported = self._reported.model_copy(update=asked)
        budget.renew(briefing.follow_ups.limits, workflow.time())

    async def _answer(self, ending: Outcome) -> None:
        """Deliver the answer to a follow-up, unless the run was ended over it."""
        assert self._reported is not None
        reported, asked = self._reported, self._given.model_copy(update={"text": self._reported.question})
        self._reported = reported.model_copy(update={"question": None})
        self._over = ending.by_cancellation
        if self._over:
            self._episode.take_unread()
        if self._over or self._stop is not None:
            self._calls.abandon()
            return
        if self._said and not ending.text:
            ending = replace(ending, text=self._said)
        self._said, unread = "", list[str]()
        if ending.status == "failed":  # perhaps before the model read anything; asked again, it would fail again
            unread, self._words = self._words, []
            self._episode.take_unread()
        report = delivery.write(asked, self._briefing, ending, self._calls.records, unread, self._episode)
        self._calls.abandon()
        what = delivery.delivery(self._given, ending, report, self._episode)
        about = {"follow_up": reported.follow_ups, "question": reported.question}
        what = what.model_copy(update={**about, "began": self._budget.started_at if self._budget else None})
        self._deliveries.append(asyncio.create_task(delivery.deliver(self._given, self._briefing, what, self._posted)))

    async def _joined_at_the_end(self) -> bool:
        """Wait for what is on its way; True if alerts fire by then that nobody has looked into.

        The alerts of a group are told to its run for as long as that is open, and this may take hours.
        """
        await self._delivered()
        await workflow.wait_condition(workflow.all_handlers_finished)
        self._now("over", "over")
        self._announce()
        await self._posted()
        if self._reported is None or not (self._episode.joined and self._episode.firing):
            return False
        self._stop, self._over = None, False
        self._calls.reopen()
        self._begin_follow_up()
        return True

    async def _renew(self) -> None:
        """Continue as new, unless the run is stopped meanwhile."""
        briefing, talk, budget = self._known()
        self._now("continuing as new", lastingly=False)
        undelivered = await self._delivered()
        await self._posted()
        carried = await continue_as_new.carry(briefing, talk, budget, self._calls.records, nudged=self._nudged)
        if self._reported is not None:
            self._reported = self._reported.model_copy(update={"undelivered": undelivered, "looked": self._looked})
        if self._stop is None:
            more = {
                "words": self._words,
                "acts": self._acts,
                "alerts": self._episode.states,
                "unread": self._episode.unread,
                "notes": self._notes,
                "silence": self._silence,
                "message": self._message,
                "reported": self._reported,
            }
            continue_as_new.renew(
                self._given, carried.model_copy(update={name: value for name, value in more.items() if value})
            )
