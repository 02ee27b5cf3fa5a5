"""The tool calls of a round: each ends with a result that the model reads, also if it fails or is denied."""

from __future__ import annotations

import asyncio
import builtins
import contextlib
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from datetime import timedelta
from typing import Any, NamedTuple

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
        PageRecord,
        RequestedCall,
        ResultRef,
        TextEntry,
        ToolRequest,
        ToolResult,
        ToolSpec,
        digest_of,
    )
    from watchkeeper.incident.budget import Budget
    from watchkeeper.incident.page_gate import PageGate
    from watchkeeper.llm.conversation import canonical_json, with_call_key
    from watchkeeper.temporal import activity_options
    from watchkeeper.text import arguments_summary, excerpt, same_arguments, shortened, time_span

UNCERTAIN = "It may or may not have taken effect; check before doing it again."

ARGUMENT_BYTES = 400
FINDING_BYTES = 300
"""How much of a call's arguments and of its result a run keeps for its report."""

MAX_RECORDS = 100
"""How many calls, the latest ones, a run keeps for its report. It keeps every page."""

CARRIED_WHOLE = 20
CARRIED_FINDING_BYTES = 60
"""How many calls, the latest ones, are carried whole, and how much of the result of an older call, unless it has paged.
Two events of continue-as-new record what is carried."""


class CallOutcome(NamedTuple):
    """How a call ended."""

    status: CallStatus
    entry: ConversationEntry
    """What the model reads."""
    text: str
    """The same as text, of which people are shown the beginning."""
    page: PageRecord | None = None


class ToolCalls:
    """The calls of a run: ended, running and waiting for a decision."""

    def __init__(self, records: Sequence[CallRecord] = ()) -> None:
        self.on_waiting_change: Callable[[], None] = lambda: None
        """Called when a call begins to wait for a decision, and when its wait ends."""
        self.on_abandon: Callable[[], None] = lambda: None
        """Called after the calls that still waited were ended."""
        self._records = {record.key: record for record in records}
        self._decisions: dict[str, Decision] = {}
        self._closed = False

    @property
    def records(self) -> list[CallRecord]:
        """The latest calls, in the order in which the model asked for them."""
        return list(self._records.values())

    def carried_records(self) -> list[CallRecord]:
        """Return the records for continue-as-new, with shortened results of older calls."""
        records = self.records
        return [*map(_with_short_finding, records[:-CARRIED_WHOLE]), *records[-CARRIED_WHOLE:]]

    def waiting(self) -> list[str]:
        """Return the keys of the calls that wait for a decision."""
        return [key for key, record in self._records.items() if record.status == "waiting"]

    def check(self, decision: Decision) -> None:
        """Raise ValueError, for its author, if a decision is wrong or not the first one."""
        if (earlier := self._decisions.get(decision.call)) is not None:
            verb = "approved" if earlier.approved else "denied"
            raise ValueError(f"{decision.call} was already {verb} by {earlier.by or 'another person'}")
        if decision.call not in self.waiting():
            waiting = ", ".join(self.waiting()) or "none"
            raise ValueError(f"no call {decision.call!r} waits for a decision; waiting: {waiting}")

    def decide(self, decision: Decision) -> None:
        """Record a person's decision."""
        self.check(decision)
        self._decisions[decision.call] = decision

    def decision(self, key: str) -> Decision | None:
        """Return a person's decision about a call."""
        return self._decisions.get(key)

    def close(self) -> None:
        """Release the calls that wait: decisions are no longer accepted."""
        self._closed = True

    def abandon(self) -> None:
        """End the calls that still wait, since their investigation has ended and a decision would have no effect."""
        for key in self.waiting():
            ended = {"status": "denied", "finding": "not run: the investigation had ended"}
            self._records[key] = self._records[key].model_copy(update=ended)
        self.on_abandon()

    def reopen(self) -> None:
        """Accept decisions again: the run continues."""
        self._closed = False

    async def run_all(
        self,
        briefing: Briefing,
        reply: ModelReply,
        round_number: int,
        budget: Budget,
        gate: PageGate | None = None,
    ) -> list[ConversationEntry]:
        """Run the calls of a reply in parallel and charge them to the budget; return their results in call order.

        Identical side effects in one reply are one effect: it is run once, and its result answers each call. ``gate``
        has the rules for pages; without it any page is sent.
        """
        specs = {spec.name: spec for spec in briefing.tools}
        reads: list[asyncio.Task[CallOutcome]] = []
        effects: dict[tuple[str, str], asyncio.Task[CallOutcome]] = {}
        entries: list[Coroutine[Any, Any, ConversationEntry]] = []
        keys: list[str] = []
        for position, call in enumerate(reply.calls):
            key = f"r{round_number}.{position}"
            spec = specs.get(call.name)
            self._record(
                CallRecord(key=key, name=call.name, arguments=excerpt(call.arguments, ARGUMENT_BYTES), status="running")
            )
            effect = (call.name, same_arguments(call.arguments))
            outcome: Awaitable[CallOutcome]
            if (problem := reply.problems.get(position)) is not None or spec is None:
                outcome = _immediately(_refused(problem or f"no tool {call.name!r}; available: {', '.join(specs)}"))
            elif effect in effects:
                outcome = effects[effect]
            elif len(keys) >= budget.calls_left:
                outcome = _immediately(_refused("not run: the run's limit of tool calls is reached"))
            else:
                keys.append(key)
                page_gate = gate if spec.pages else None
                running = (
                    self._run(spec, call, key, budget)
                    if page_gate is None
                    else (self._page(spec, call, key, budget, page_gate, reads))
                )
                outcome = task = asyncio.create_task(running)
                if spec.effect == "read":
                    reads.append(task)
                else:
                    effects[effect] = task
            entries.append(self._record_outcome(key, outcome, cited=briefing.conclusions is not None))
        results = list(await asyncio.gather(*entries))
        statuses = [self._records[f"r{round_number}.{position}"].status for position in range(len(results))]
        budget.charge_calls(sum(self._records[key].status not in ("denied", "expired") for key in keys))
        succeeded = (status == "ok" for status in statuses)
        budget.charge_failures(dict(zip(map(_call_digest, reply.calls), succeeded, strict=True)))
        kept = [*self._records][-MAX_RECORDS:]
        self._records = {key: record for key, record in self._records.items() if key in kept or record.page}
        return results

    async def _record_outcome(self, key: str, outcome: Awaitable[CallOutcome], *, cited: bool) -> ConversationEntry:
        """Record how a call ended. ``cited``: the model reads the key of the call with its result."""
        ended = await outcome
        self._record_end(key, ended)
        match entry := ended.entry:
            case ResultRef() if cited:
                return ResultRef(result=entry.result, call=key)
            case TextEntry() if cited:
                return TextEntry(role=entry.role, content=with_call_key(entry.content, key))
            case _:
                return entry

    def _record_end(self, key: str, outcome: CallOutcome) -> None:
        ended: dict[str, object] = {"status": outcome.status, "finding": excerpt(outcome.text, FINDING_BYTES)}
        if outcome.page is not None:
            ended["page"] = outcome.page
        self._record(self._records[key].model_copy(update=ended))

    async def _page(
        self,
        spec: ToolSpec,
        call: RequestedCall,
        key: str,
        budget: Budget,
        gate: PageGate,
        reads: Sequence[asyncio.Task[CallOutcome]],
    ) -> CallOutcome:
        """Run a call that pages people, if the rules allow it and, for another team, a person approves it.

        The model may ask for its first reads and for the page in one reply: the page then waits for the reads.
        """

        def is_decided() -> bool:
            looked = gate.is_allowed_to_page(call, self.records)
            return (looked and not gate.team_to_approve(call, self.records)) or all(task.done() for task in reads)

        await workflow.wait_condition(is_decided)
        if self._closed:
            return _refused("not run: the run was stopped", "denied")
        if not gate.is_allowed_to_page(call, self.records):
            return _refused(gate.rules.look_first)
        if (team := gate.team_to_approve(call, self.records)) is not None and spec.approval is None:
            spec = spec.model_copy(update={"approval": gate.rules.approval})
            why = f"team {team} is not a team of this incident, so a person must approve the page"
            self._record(self._records[key].model_copy(update={"finding": why}))
        return await self._run(spec, call, key, budget, gate)

    async def _run(
        self, spec: ToolSpec, call: RequestedCall, key: str, budget: Budget, gate: PageGate | None = None
    ) -> CallOutcome:
        if spec.approval is not None:
            refusal = await self._wait_for_approval(spec.approval, call, key, budget)
            if refusal is not None:
                return refusal
        request = ToolRequest(run=workflow.info().first_execution_run_id, arguments=call.arguments)
        if gate is not None:
            request = request.model_copy(update={"incident": gate.incident(self.records)})
        running = workflow.start_activity(
            spec.name,
            request,
            result_type=ToolResult,
            activity_id=key,
            summary=f"{key} {arguments_summary(call.arguments, spec.parameters)}",
            **activity_options.tool_options(spec, timedelta(seconds=budget.deadline - workflow.time())),
        )
        await workflow.wait_condition(lambda: running.done() or self._closed)
        if not running.done():
            await self._cancel(spec, running)
        try:
            result = await running
        except ActivityError as error:
            return _failed(spec, error)
        outcome = CallOutcome(result.status, ResultRef(result=result.digest), result.content, result.page)
        self._record_end(key, outcome)  # at once, for a page that waits for this read
        return outcome

    async def _cancel(self, spec: ToolSpec, running: workflow.ActivityHandle[ToolResult]) -> None:
        """End a call because the run was stopped: a read immediately, a side effect after the time of one attempt."""
        if spec.effect != "read":
            with contextlib.suppress(builtins.TimeoutError):
                await workflow.wait_condition(
                    running.done,
                    timeout=activity_options.tool_attempt_timeout(spec),
                    timeout_summary=f"until {spec.name} is cancelled, as the run is stopped",
                )
        running.cancel()

    async def _wait_for_approval(
        self, timeout: float, call: RequestedCall, key: str, budget: Budget
    ) -> CallOutcome | None:
        expires = workflow.time() + timeout
        deadline = min(expires, budget.deadline)
        self._record(self._records[key].model_copy(update={"status": "waiting", "deadline": deadline}))
        while key not in self._decisions and not self._closed:
            # The deadline of the run may be extended meanwhile.
            left = min(expires, budget.deadline) - workflow.time()
            if left <= 0:
                within = time_span(timeout) if expires <= budget.deadline else "the time of the run"
                return _refused(f"not run: no one decided within {within}", "expired")
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
        self._record(self._records[key].model_copy(update={"status": "running"}))
        return None

    def _record(self, record: CallRecord) -> None:
        before = self._records.get(record.key)
        self._records[record.key] = record
        if "waiting" in (record.status, before.status if before else ""):
            self.on_waiting_change()


def _with_short_finding(record: CallRecord) -> CallRecord:
    if record.page is not None or len(record.finding) <= CARRIED_FINDING_BYTES:
        return record
    return record.model_copy(update={"finding": shortened(record.finding, CARRIED_FINDING_BYTES)})


def _call_digest(call: RequestedCall) -> Digest:
    return digest_of(canonical_json([call.name, same_arguments(call.arguments)]))


async def _immediately(outcome: CallOutcome) -> CallOutcome:
    return outcome


def _refused(why: str, status: CallStatus = "rejected") -> CallOutcome:
    return CallOutcome(status, _error(why), why)


def _failed(spec: ToolSpec, error: ActivityError) -> CallOutcome:
    """Return the outcome of a call whose activity gave no result."""
    match error.cause:
        case TimeoutError(cause=None) if not error.started_event_id:
            return _refused("not run: no worker was available before the time of the run was used up")
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
        return CallOutcome("error", _error(why), why)
    why = f"{why}. {UNCERTAIN}"
    return CallOutcome("unknown", _error(why), why)


def _error(text: str) -> TextEntry:
    return TextEntry(role="tool", content=canonical_json({"error": text}).decode())
