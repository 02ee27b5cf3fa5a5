"""Settling the calls of one round: each ends as a result that the model reads, whatever happens to it."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
from collections.abc import Awaitable, Callable, Coroutine
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, TimeoutError

with workflow.unsafe.imports_passed_through():
    from watchkeeper.contracts import (
        Briefing,
        CallRecord,
        CallStatus,
        ConversationEntry,
        Decision,
        Digest,
        ModelReply,
        RequestedCall,
        ResultRef,
        TextEntry,
        ToolRequest,
        ToolResult,
        ToolSpec,
        digest_of,
    )
    from watchkeeper.incident.budget import Budget
    from watchkeeper.llm.conversation import canonical
    from watchkeeper.temporal import activity_options
    from watchkeeper.text import arguments_in_words, excerpt, same_arguments

UNCERTAIN = "It may or may not have taken effect; check before doing it again."

ARGUMENT_BYTES = 400
FINDING_BYTES = 300
"""How much of a call, and of what came of it, a run remembers for its report."""

REMEMBERED = 100
"""How many calls, the latest ones, a run remembers for its report."""

CallOutcome = tuple[CallStatus, ConversationEntry, str]
"""How a call ended, what the model reads, and the same for people, who are shown the beginning."""


class ToolCalls:
    """The calls of a run: those that were settled, and those that wait for a person."""

    def __init__(self, records: list[CallRecord], waiting_changed: Callable[[], None] = lambda: None) -> None:
        self._records = {record.key: record for record in records}
        self._waiting_changed = waiting_changed
        self._decisions: dict[str, Decision] = {}
        self._closed = False

    @property
    def records(self) -> list[CallRecord]:
        """The latest calls, in the order in which the model asked for them."""
        return list(self._records.values())

    def waiting(self) -> list[str]:
        """Keys of the calls that wait for a decision."""
        return [key for key, record in self._records.items() if record.status == "waiting"]

    def check(self, decision: Decision) -> None:
        """Raise ValueError, for its author, if a decision is wrong or comes second."""
        if (earlier := self._decisions.get(decision.call)) is not None:
            verb = "approved" if earlier.approved else "denied"
            raise ValueError(f"{decision.call} was already {verb} by {earlier.by or 'somebody'}")
        if decision.call not in self.waiting():
            waiting = ", ".join(self.waiting()) or "none"
            raise ValueError(f"no call {decision.call!r} waits for a decision; waiting: {waiting}")

    def decide(self, decision: Decision) -> None:
        """Take a person's answer."""
        self.check(decision)
        self._decisions[decision.call] = decision

    def close(self) -> None:
        """Release the calls that wait: nobody decides any more."""
        self._closed = True

    def abandon(self) -> None:
        """Have none wait any more: what ended their investigation has ended them, and nobody is asked in vain."""
        for key in self.waiting():
            gone = {"status": "denied", "finding": "not run: the investigation had ended"}
            self._records[key] = self._records[key].model_copy(update=gone)

    def reopen(self) -> None:
        """Have people decide again: the run goes on after all."""
        self._closed = False

    async def settle(
        self, briefing: Briefing, reply: ModelReply, round_number: int, budget: Budget
    ) -> list[ConversationEntry]:
        """Run the calls of a reply in parallel, at the budget's cost; return their results in call order.

        Identical side effects asked for in one message are one effect: it is run once and answers both.
        """
        specs = {spec.name: spec for spec in briefing.tools}
        effects: dict[tuple[str, str], asyncio.Task[CallOutcome]] = {}
        answers: list[Coroutine[Any, Any, ConversationEntry]] = []
        keys: list[str] = []
        for position, call in enumerate(reply.calls):
            key = f"r{round_number}.{position}"
            spec = specs.get(call.name)
            self._note(
                CallRecord(key=key, name=call.name, arguments=excerpt(call.arguments, ARGUMENT_BYTES), status="running")
            )
            effect = (call.name, same_arguments(call.arguments))
            outcome: Awaitable[CallOutcome]
            if (problem := reply.problems.get(position)) is not None or spec is None:
                outcome = _given(_refused(problem or f"no tool {call.name!r}; available: {', '.join(specs)}"))
            elif effect in effects:
                outcome = effects[effect]
            elif len(keys) >= budget.calls_left:
                outcome = _given(_refused("not run: the run's limit of tool calls is reached"))
            else:
                keys.append(key)
                outcome = task = asyncio.create_task(self._run(spec, call, key, budget))
                if spec.effect != "read":
                    effects[effect] = task
            answers.append(self._answer(key, outcome))
        entries = list(await asyncio.gather(*answers))
        settled = [self._records[f"r{round_number}.{position}"].status for position in range(len(entries))]
        budget.charge_calls(sum(self._records[key].status not in ("denied", "expired") for key in keys))
        budget.charge_failures(dict(zip(map(_asked, reply.calls), (status == "ok" for status in settled), strict=True)))
        self._records = dict([*self._records.items()][-REMEMBERED:])
        return entries

    async def _answer(self, key: str, outcome: Awaitable[CallOutcome]) -> ConversationEntry:
        status, entry, finding = await outcome
        known = {"status": status, "finding": excerpt(finding, FINDING_BYTES)}
        self._note(self._records[key].model_copy(update=known))
        return entry

    async def _run(self, spec: ToolSpec, call: RequestedCall, key: str, budget: Budget) -> CallOutcome:
        if spec.approval is not None:
            refusal = await self._approval(spec.approval, call, key, budget)
            if refusal is not None:
                return refusal
        running = workflow.start_activity(
            spec.name,
            ToolRequest(run=workflow.info().first_execution_run_id, arguments=call.arguments),
            result_type=ToolResult,
            activity_id=key,
            summary=f"{key} {arguments_in_words(call.arguments, spec.parameters)}",
            **activity_options.tool(spec, timedelta(seconds=budget.deadline - workflow.time())),
        )
        await workflow.wait_condition(lambda: running.done() or self._closed)
        if not running.done():
            await self._finish(spec, running)
        try:
            result = await running
        except ActivityError as error:
            return _failed(spec, error)
        return result.status, ResultRef(result=result.digest), result.content

    async def _finish(self, spec: ToolSpec, running: workflow.ActivityHandle[ToolResult]) -> None:
        """End a call because the run was stopped: a question at once, an effect when it had the time of an attempt."""
        if spec.effect != "read":
            with contextlib.suppress(builtins.TimeoutError):
                await workflow.wait_condition(
                    running.done,
                    timeout=activity_options.tool_attempt(spec),
                    timeout_summary=f"until {spec.name} is given up, as the run is stopped",
                )
        running.cancel()

    async def _approval(self, timeout: float, call: RequestedCall, key: str, budget: Budget) -> CallOutcome | None:
        self._note(self._records[key].model_copy(update={"status": "waiting"}))
        expires = workflow.time() + timeout
        while key not in self._decisions and not self._closed:
            # The run's own deadline may be extended meanwhile.
            left = min(expires, budget.deadline) - workflow.time()
            if left <= 0:
                return _refused(f"not run: nobody decided within {timeout / 60:g} minutes", "expired")
            with contextlib.suppress(builtins.TimeoutError):
                await workflow.wait_condition(
                    lambda: key in self._decisions or self._closed,
                    timeout=timedelta(seconds=left),
                    timeout_summary=f"{key} {call.name}: waits for approval",
                )
        decision = self._decisions.get(key)
        if self._closed or decision is None:
            return _refused("not run: the run was stopped", "denied")
        if not decision.approved:
            note = f": {decision.note}" if decision.note else ""
            return _refused(f"not run: denied by {decision.by or 'a person'}{note}", "denied")
        self._note(self._records[key].model_copy(update={"status": "running"}))
        return None

    def _note(self, record: CallRecord) -> None:
        before = self._records.get(record.key)
        self._records[record.key] = record
        if "waiting" in (record.status, before.status if before else ""):
            self._waiting_changed()


def _asked(call: RequestedCall) -> Digest:
    return digest_of(canonical([call.name, same_arguments(call.arguments)]))


async def _given(outcome: CallOutcome) -> CallOutcome:
    return outcome


def _refused(why: str, status: CallStatus = "rejected") -> CallOutcome:
    return status, _error(why), why


def _failed(spec: ToolSpec, error: ActivityError) -> CallOutcome:
    """Say what is known of a call whose activity gave no result."""
    match error.cause:
        case TimeoutError(cause=None) if not error.started_event_id:
            return _refused("not run: no worker took it before the run's time was over")
        case TimeoutError():
            why = f"{spec.name} did not answer in time"
        case ApplicationError(type="ToolUnavailable") as cause:
            why = cause.message
        case ApplicationError() as cause:
            why = f"{cause.type}: {cause.message}"
        case cause:
            why = f"{spec.name} failed: {cause}"
    if spec.attempts > 1:
        why = f"{why} (after retries)"
    if spec.effect == "read":
        return "error", _error(why), why
    why = f"{why}. {UNCERTAIN}"
    return "unknown", _error(why), why


def _error(text: str) -> TextEntry:
    return TextEntry(role="tool", content=canonical({"error": text}).decode())
