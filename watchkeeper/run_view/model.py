"""The view of one run that every renderer reads: requests, calls, decisions and reports (pure).

``watchkeeper.run_view.projection`` builds it from the events of the run's history, so no worker is needed. The view of
an open run is complete up to its last event.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from watchkeeper.contracts import (
    Briefing,
    BudgetUsed,
    ConversationEntry,
    Destination,
    Limits,
    ModelReply,
    Report,
    ResultRef,
    RunInput,
    RunStatus,
    TextEntry,
    ToolResult,
    ToolSpec,
    Usage,
)
from watchkeeper.incident.episode import Episode
from watchkeeper.incident.status_rule import TemporalEnd, run_status
from watchkeeper.llm.conversation import canonical_json
from watchkeeper.run_view.entries import UNFINISHED, Call, FollowUp, PersonAction, QueueWait, Round
from watchkeeper.text import same_arguments


@dataclass
class RunView:
    """A run so far."""

    workflow_id: str = ""
    run_id: str = ""
    """Of the latest execution of the run."""
    first_run_id: str = ""
    run_input: RunInput | None = None
    outcome: RunStatus | None = None
    """How the first investigation ended; None before the report is written."""
    end: TemporalEnd | None = None
    """How the workflow closed; None while it is open."""
    reason: str | None = None
    """Why the run did not conclude, or what closed it."""
    report: Report | None = None
    limits: Limits | None = None
    """None until the briefing."""
    started_at: datetime | None = None
    closed_at: datetime | None = None
    rounds: list[Round] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)
    actions: list[PersonAction] = field(default_factory=list)
    queue_wait: QueueWait | None = None
    """None if the run does not use a queue."""
    used_earlier: BudgetUsed = field(default_factory=BudgetUsed)
    """Used in executions whose histories the server no longer has."""
    deliveries: dict[str, Destination] = field(default_factory=dict)
    """Destinations to which the report is being delivered, by activity id."""
    undelivered: list[str] = field(default_factory=list)
    """Destinations that did not receive the report or an answer, and why."""
    stays_open: bool = False
    """Whether the run stays open after its report, if it concludes."""
    follow_up_pending: bool = False
    """Whether a follow-up question has no answer yet."""
    follow_ups: list[FollowUp] = field(default_factory=list)
    episode: Episode = field(default_factory=Episode)
    model: str = ""
    """The primary model."""
    problem: str = ""
    """Why the run is stuck: its workflow tasks fail again and again. Empty if they do not."""
    tools: dict[str, ToolSpec] = field(default_factory=dict)
    results: dict[str, ToolResult] = field(default_factory=dict)
    """By digest."""

    @property
    def usage(self) -> Usage:
        """Tokens and cost of all rounds."""
        return sum((r.reply.usage for r in self.rounds if r.reply), start=self.used_earlier.usage)

    @property
    def rounds_completed(self) -> int:
        """Completions received."""
        return self.used_earlier.rounds + sum(r.reply is not None for r in self.rounds)

    @property
    def models(self) -> list[str]:
        """The models that answered, in order of their first answer."""
        answered = (r.reply.model or self.model for r in self.rounds if r.reply)
        return list(dict.fromkeys(model for model in answered if model))

    @property
    def status(self) -> RunStatus:
        """The status, by the rule of ``watchkeeper.incident.status_rule``."""
        return run_status(self.outcome, self.end)

    @property
    def is_open(self) -> bool:
        """Whether the run has concluded and stays open for follow-ups."""
        concluded = self.outcome == "concluded" and self.rounds_completed > 0  # not if it waited in a queue until then
        return concluded and self.stays_open and self.closed_at is None

    @property
    def is_delivering(self) -> bool:
        """Whether the report is written and not delivered yet."""
        return self.outcome is not None and self.closed_at is None and (bool(self.deliveries) or not self.is_open)

    @property
    def all_answered(self) -> bool:
        """Whether the first request and every follow-up question have an answer."""
        return self.status != "running" and not self.follow_up_pending

    @property
    def is_settled(self) -> bool:
        """Whether everything is answered, and the run has closed or stays open."""
        return self.all_answered and (self.is_open or self.closed_at is not None)

    @property
    def is_queued(self) -> bool:
        """Whether the run waits for a slot of its queue."""
        waits = self.queue_wait is not None and self.queue_wait.admitted_at is None
        return waits and not self.rounds and self.status == "running"

    @property
    def unfinished_calls(self) -> list[Call]:
        """Calls that run or wait for a person."""
        return [call for call in self.calls.values() if call.status in UNFINISHED]

    def apply_briefing(self, briefing: Briefing, limits: Limits) -> None:
        """Take the limits, the model and the tools of the run."""
        self.limits, self.model, self.stays_open = limits, briefing.model, briefing.follow_ups is not None
        self.tools = {spec.name: spec for spec in briefing.tools}

    def add_reply(self, asked: Round, reply: ModelReply, at: datetime) -> list[Call]:
        """Add the model's reply to a round. Return the calls of the reply."""
        asked.reply, asked.answered_at = reply, at
        calls: list[Call] = []
        for position, requested in enumerate(reply.calls):
            call = Call(f"r{asked.number}.{position}", asked.number, requested.name, requested.arguments)
            spec = self.tools.get(call.name)
            if (problem := reply.problems.get(position)) is not None:
                call.status, call.result = "rejected", _error(problem)
            elif spec is None:
                call.status = "rejected"
            elif spec.effect != "read":
                call.same_as = _identical_call(call, calls)
            self.calls[call.key] = call
            calls.append(call)
        return calls

    def add_result(self, call: Call, result: ToolResult, at: datetime) -> None:
        """Add the result of a call that was run."""
        self.results[result.digest] = result
        call.status, call.result, call.cut, call.ended_at = result.status, result.content, result.cut, at

    def add_failure(self, call: Call, reason: str, at: datetime | None) -> None:
        """Record that a call was run without a result. The outcome is unknown unless the tool only reads."""
        spec = self.tools.get(call.name)
        call.status = "error" if spec and spec.effect == "read" else "unknown"
        call.result, call.ended_at = _error(reason), at

    def add_messages(self, entries: Iterable[ConversationEntry]) -> list[Call]:
        """Read the new messages of a model request, in call order. Return the calls that they finish.

        The workflow itself answers some calls. Only these messages show that.
        """
        answered = next((r.number for r in reversed(self.rounds) if r.reply), None)
        expected = [call for call in self.calls.values() if call.round == answered]
        finished: list[Call] = []
        for entry in entries:
            if not (isinstance(entry, ResultRef) or (isinstance(entry, TextEntry) and entry.role == "tool")):
                continue
            call = expected.pop(0)
            if isinstance(entry, TextEntry):
                call.result = entry.content
            elif (known := self.results.get(entry.result)) is not None:
                call.result, call.cut = known.content, known.cut
            if call.status in UNFINISHED:
                self._finish_without_running(call)
                finished.append(call)
        return finished

    def apply_decision(self, action: PersonAction) -> Call | None:
        """Apply a person's decision on a call. Return the call; None if nothing waited for this decision."""
        call = self.calls.get(action.call or "")
        if call is None or call.approval is None or call.approval.status in ("approved", "denied"):
            return None
        call.approval.status = "approved" if action.approved else "denied"
        call.approval.by, call.approval.note = action.by, action.text
        call.status = "running" if action.approved else "denied"
        return call

    def add_report(self, report: Report, outcome: RunStatus, reason: str | None = None) -> None:
        """Add the report and the outcome when the delivery begins. ``reason``: why the run did not conclude."""
        self.report, self.outcome, self.reason = report, outcome, reason
        self.follow_up_pending = False

    def add_follow_up(self, follow_up: FollowUp) -> None:
        """Add the answer to a question that was asked after the report."""
        self.follow_ups.append(follow_up)
        self.follow_up_pending = False

    def close(self, end: TemporalEnd, reason: str | None, at: datetime) -> list[Call]:
        """Close the run. Return the calls that this finishes."""
        self.end, self.reason, self.closed_at = end, reason, at
        self.deliveries.clear()
        unfinished = self.unfinished_calls
        for call in unfinished:
            if call.started_at is not None:
                self.add_failure(call, "the run ended before there was a result", None)
            else:
                self._finish_without_running(call)
                ended = "was stopped" if self.status == "stopped" else "ended"
                call.result = call.result or _error(f"not run: the run {ended}")
        return unfinished

    def _finish_without_running(self, call: Call) -> None:
        if call.same_as is not None:
            same = self.calls[call.same_as]
            call.status, call.result = same.status, call.result or same.result
        elif call.approval is None:
            call.status = "rejected"
        elif call.approval.status == "expired":
            call.status = "expired"
        else:
            call.status = call.approval.status = "denied"


def _identical_call(call: Call, earlier: Iterable[Call]) -> str | None:
    wanted = call.name, same_arguments(call.arguments)
    same = (c for c in earlier if (c.name, same_arguments(c.arguments)) == wanted and c.status != "rejected")
    return next((c.same_as or c.key for c in same), None)


def _error(text: str) -> str:
    return canonical_json({"error": text}).decode()
