"""The view of a run: what was asked, called, decided and reported, as its history tells it (pure).

``watchkeeper.run_view.projection`` adds history events to it one by one. The view of an open run is correct up to its
last event. It needs no worker.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from watchkeeper.contracts import (
    Briefing,
    BudgetUsed,
    ConversationEntry,
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
    status: RunStatus = "running"
    reason: str | None = None
    report: Report | None = None
    limits: Limits | None = None
    """None until the run is briefed."""
    started_at: datetime | None = None
    closed_at: datetime | None = None
    rounds: list[Round] = field(default_factory=list)
    calls: dict[str, Call] = field(default_factory=dict)
    actions: list[PersonAction] = field(default_factory=list)
    queue_wait: QueueWait | None = None
    """None where the run investigates at once."""
    used_earlier: BudgetUsed = field(default_factory=BudgetUsed)
    """Spent in executions whose histories are gone."""
    delivering: bool = False
    """Whether the report is being delivered."""
    stays_open: bool = False
    """Whether the run stays open after its report."""
    follow_up_pending: bool = False
    """Whether a follow-up waits for its answer."""
    follow_ups: list[FollowUp] = field(default_factory=list)
    episode: Episode = field(default_factory=Episode)
    model: str = ""
    """The one that is asked first."""
    tools: dict[str, ToolSpec] = field(default_factory=dict)
    results: dict[str, ToolResult] = field(default_factory=dict)
    """By digest."""

    @property
    def usage(self) -> Usage:
        """Tokens and money of all rounds."""
        return sum((r.reply.usage for r in self.rounds if r.reply), start=self.used_earlier.usage)

    @property
    def rounds_completed(self) -> int:
        """Completions received."""
        return self.used_earlier.rounds + sum(r.reply is not None for r in self.rounds)

    @property
    def models(self) -> list[str]:
        """The models that answered, the first one first."""
        answered = (r.reply.model or self.model for r in self.rounds if r.reply)
        return list(dict.fromkeys(model for model in answered if model))

    @property
    def is_open(self) -> bool:
        """Whether the run is reported, and stays open for more."""
        return self.status != "running" and self.closed_at is None

    @property
    def all_answered(self) -> bool:
        """Whether everything that was asked so far is answered."""
        return self.status != "running" and not self.follow_up_pending

    @property
    def is_queued(self) -> bool:
        """Whether it waits for its turn to investigate."""
        waits = self.queue_wait is not None and self.queue_wait.admitted_at is None
        return waits and not self.rounds and not self.delivering and self.status == "running"

    @property
    def current_step(self) -> str:
        """What the run does right now, in a few words."""
        open_calls = [call for call in self.calls.values() if call.status in UNFINISHED]
        if self.status != "running" and not self.follow_up_pending:
            return "open for follow-ups" if self.is_open else self.status
        if self.is_queued and self.queue_wait is not None:
            return f"queued: waiting for a slot of {self.queue_wait.queue}"
        if self.delivering and not self.follow_up_pending:
            return "delivering the report"
        if open_calls:
            names = ", ".join(dict.fromkeys(call.name for call in open_calls))
            waits = all(call.status == "waiting" for call in open_calls)
            return f"{names}: waiting for a person" if waits else f"running {names}"
        if self.rounds and self.rounds[-1].reply is None:
            return f"round {self.rounds[-1].number}: asking the model"
        return "working" if self.limits else "waiting for a worker"

    def brief(self, briefing: Briefing, limits: Limits) -> None:
        """Take what the run was told at its beginning."""
        self.limits, self.model, self.stays_open = limits, briefing.model, briefing.follow_ups is not None
        self.tools = {spec.name: spec for spec in briefing.tools}

    def answer(self, asked: Round, reply: ModelReply, at: datetime) -> list[Call]:
        """Take the model's answer; return its calls."""
        asked.reply, asked.answered_at = reply, at
        calls: list[Call] = []
        for position, wanted in enumerate(reply.calls):
            call = Call(f"r{asked.number}.{position}", asked.number, wanted.name, wanted.arguments)
            spec = self.tools.get(call.name)
            if (problem := reply.problems.get(position)) is not None:
                call.status, call.result = "rejected", _error(problem)
            elif spec is None:
                call.status = "rejected"
            elif spec.effect != "read":
                call.same_as = _twin(call, calls)
            self.calls[call.key] = call
            calls.append(call)
        return calls

    def settle(self, call: Call, result: ToolResult, at: datetime) -> None:
        """Take the result of a call that was run."""
        self.results[result.digest] = result
        call.status, call.result, call.cut, call.ended_at = result.status, result.content, result.cut, at

    def give_up(self, call: Call, why: str, at: datetime | None) -> None:
        """Note that a call was run to no result: harmless for one that only reads."""
        spec = self.tools.get(call.name)
        call.status = "error" if spec and spec.effect == "read" else "unknown"
        call.result, call.ended_at = _error(why), at

    def append(self, entries: Iterable[ConversationEntry]) -> list[Call]:
        """Take what was put to the model, in call order; return the calls that this settles.

        Calls that the workflow answered itself are known by these words alone.
        """
        answered = next((r.number for r in reversed(self.rounds) if r.reply), None)
        unread = [call for call in self.calls.values() if call.round == answered]
        settled: list[Call] = []
        for entry in entries:
            if not (isinstance(entry, ResultRef) or (isinstance(entry, TextEntry) and entry.role == "tool")):
                continue
            call = unread.pop(0)
            if isinstance(entry, TextEntry):
                call.result = entry.content
            elif (known := self.results.get(entry.result)) is not None:
                call.result, call.cut = known.content, known.cut
            if call.status in UNFINISHED:
                self._close(call)
                settled.append(call)
        return settled

    def decide(self, act: PersonAction) -> Call | None:
        """Take a person's answer; return the call, settled if it was denied."""
        call = self.calls.get(act.call or "")
        if call is None or call.approval is None or call.approval.status in ("approved", "denied"):
            return None
        call.approval.status = "approved" if act.approved else "denied"
        call.approval.by, call.approval.note = act.by, act.text
        call.status = "running" if act.approved else "denied"
        return call

    def end(self, status: RunStatus, reason: str | None, at: datetime) -> list[Call]:
        """Close the view; return the calls that found no other end."""
        self.status, self.reason, self.closed_at = status, reason, at
        self.delivering = False
        unsettled = [call for call in self.calls.values() if call.status in UNFINISHED]
        for call in unsettled:
            if call.started_at is not None:
                self.give_up(call, "the run ended before there was a result", None)
            else:
                self._close(call)
                call.result = call.result or _error(
                    f"not run: the run {'was stopped' if status == 'stopped' else 'ended'}"
                )
        return unsettled

    def conclude(self, report: Report) -> bool:
        """Take the report of a run that stays open after it; False for any other."""
        self.report, self.delivering = report, True
        if self.stays_open:
            self.status, self.follow_up_pending = "concluded", False
        return self.stays_open

    def follow_up(self, answered: FollowUp) -> None:
        """Take the answer to what was asked after the report."""
        self.follow_ups.append(answered)
        self.follow_up_pending = False

    def _close(self, call: Call) -> None:
        """Say how a call ended that was never run, or that another one answered."""
        if call.same_as is not None:
            twin = self.calls[call.same_as]
            call.status, call.result = twin.status, call.result or twin.result
        elif call.approval is None:
            call.status = "rejected"
        elif call.approval.status == "expired":
            call.status = "expired"
        else:
            call.status = call.approval.status = "denied"


def _twin(call: Call, earlier: Iterable[Call]) -> str | None:
    asked = call.name, same_arguments(call.arguments)
    same = (c for c in earlier if (c.name, same_arguments(c.arguments)) == asked and c.status != "rejected")
    return next((c.same_as or c.key for c in same), None)


def _error(text: str) -> str:
    return canonical_json({"error": text}).decode()
