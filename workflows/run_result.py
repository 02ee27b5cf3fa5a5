"""The report of a run: written when its investigation ends, delivered while it goes on, its result in the end."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from temporalio import workflow

from workflows import delivery
from workflows.outcome import Outcome
from workflows.queueing import Admitted

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import BudgetUsed, FollowUpState, Report, RunInput, RunResult
    from watchkeeper.llm.conversation import Conversation


class Reporting(Admitted):
    """A run that ends in a report, whatever ends it."""

    def __init__(self, given: RunInput) -> None:
        super().__init__(given)
        self._talk = Conversation(given.carried.conversation.digest) if given.carried else None
        self._said = ""
        """What the model answered before it was told more."""
        self._deliveries: list[asyncio.Task[list[str]]] = []
        self._undelivered: list[str] = []
        if self._reported is not None:
            self._ending, self._report = Outcome("concluded"), self._reported.report
            self._undelivered = self._reported.undelivered

    def _report_on(self, ending: Outcome) -> None:
        """Write and send the report; whether the run stays open after it depends on how it ended."""
        self._leave_turn()
        if self._said and not ending.text:
            ending = replace(ending, text=self._said)
        self._ending, self._said = ending, ""
        self._report = report = self._written(ending)
        self._calls.abandon()
        follow_ups = self._briefing.follow_ups if self._briefing else None
        stays = ending.status == "concluded" and follow_ups is not None and self._talk is not None
        self._over = not stays
        if stays:
            self._reported = FollowUpState(report=report, at=workflow.time())
        self._now("delivering the report", "reporting")
        delivery.remember(self._given, ending, report, self._episode)
        what = delivery.delivery(self._given, ending, report, self._episode)
        self._deliveries.append(asyncio.create_task(delivery.deliver(self._given, self._briefing, what, self._posted)))
        self._announce()

    def _written(self, ending: Outcome) -> Report:
        return delivery.write(self._given, self._briefing, ending, self._calls.records, self._words, self._episode)

    def _are_delivering(self) -> bool:
        return not all(task.done() for task in self._deliveries)

    def _close(self) -> RunResult:
        """End the execution, as the investigation ended."""
        ending, report, spent = self._ending, self._report, self._budget.spent if self._budget else BudgetUsed()
        assert ending is not None and report is not None, "it was reported"
        undelivered = self._undelivered
        if self._reported is not None:
            delivery.remember(self._given, ending, report, self._episode)
        if ending.by_cancellation:
            raise asyncio.CancelledError
        result = RunResult(
            status=ending.status,
            report=report,
            rounds=spent.rounds,
            tool_calls=spent.tool_calls,
            usage=spent.usage,
            limits=self._budget.limits if self._budget else None,
            reason=ending.reason,
        )
        result = result.model_copy(update={"undelivered": undelivered}) if undelivered else result
        if ending.error is not None:
            ending.fail(result)
        return result

    async def _delivered(self) -> list[str]:
        """Wait for the deliveries; return those that came to nothing, and why. The turn is left by then, too."""
        while self._deliveries:
            self._undelivered = [*self._undelivered, *await self._deliveries[0]]
            self._deliveries.pop(0)
        await self._turn_left()
        return self._undelivered
