"""Telling a view to a terminal: one line per round, call and act as they happen, then the report."""

from __future__ import annotations

import json
import time
from types import TracebackType

from rich.console import Console
from rich.text import Text

from watchkeeper.cli.watch.event_lines import write_act, write_alerts
from watchkeeper.cli.watch.layout import LineWriter
from watchkeeper.cli.watch.live_panel import LivePanel
from watchkeeper.cli.watch.summary import write_answer, write_closing, write_ending
from watchkeeper.console import clock
from watchkeeper.contracts import CallStatus
from watchkeeper.run_view.entries import (
    AlertsChanged,
    Call,
    CompactedMessages,
    FollowUp,
    PersonAction,
    QueueWait,
    Round,
    RunReset,
)
from watchkeeper.run_view.json_view import seconds
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.pending_work import PendingWork
from watchkeeper.run_view.projection import RunChange
from watchkeeper.text import arguments_text, count, duration, one_line, size, visible

_QUIET = 0.25
"""Seconds without news until people are asked: in a view that is told again, what waited is decided a moment later."""

_QUEUED = 1.0
"""Seconds without news, or in a queue, until that is worth a word: mostly a place is free at once."""

_LOOKS: dict[CallStatus, tuple[str, str]] = {
    "ok": ("✓", "green"),
    "error": ("✗", "red"),
    "rejected": ("✗", "yellow"),
    "denied": ("✗", "yellow"),
    "expired": ("✗", "yellow"),
    "unknown": ("?", "bold red"),
    "waiting": ("•", "bold yellow"),
    "running": ("•", "cyan"),
}


class TerminalRenderer:
    """Tells one view. As a context with ``live`` it also keeps a panel at the bottom that says how the run stands."""

    def __init__(self, view: RunView, console: Console, *, live: bool = False) -> None:
        self.outlook = PendingWork()
        """What is seen of the run beside its history."""
        self._view = view
        self._page = LineWriter(console)
        self._begun = self._reported = self._queued = False
        self._changed_at = time.monotonic()
        self._ticking = LivePanel(view, self.outlook, console, self._wait) if live else None
        self._questions: list[Call] = []

    async def __aenter__(self) -> TerminalRenderer:
        if self._ticking is not None:
            await self._ticking.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ticking is not None:
            await self._ticking.__aexit__(kind, error, trace)

    def _wait(self) -> None:
        """Say what is awaited, once all that was is told."""
        quiet = time.monotonic() - self._changed_at
        if quiet >= _QUIET:
            self.ask()
        if quiet >= _QUEUED and self._view.is_queued and not self._queued:
            self._queued = True
            self.notice(self._view.current_step)

    def tell(self, told: RunChange) -> None:
        """Write what has changed."""
        self._changed_at = time.monotonic()
        match told:
            case RunView() if told.status != "running":
                self._ending()
            case RunView():
                self._beginning()
            case QueueWait():
                self._turn(told)
            case Round():
                self._round(told)
            case Call() if told.status == "waiting":
                self._questions.append(told)
            case Call():
                self._call(told)
            case CompactedMessages():
                self.notice(f"{count(told.replaced, 'older message')} gave way to a summary, for the model's window")
            case RunReset():
                self._reset(told)
            case PersonAction():
                write_act(self._page, self._view, told)
            case AlertsChanged():
                write_alerts(self._page, told)
            case FollowUp():
                write_answer(self._page, self._view, told)

    def _reset(self, told: RunReset) -> None:
        because = f" ({one_line(told.reason, self._page.width)})" if told.reason else ""
        self.notice(f"it was reset in Temporal{because}, and goes on from here")
        self._questions = [call for call in self._view.calls.values() if call.status == "waiting"]

    def ask(self) -> None:
        """Write which calls wait for a person, and how to answer: those that still do, once all that was is told."""
        for call in self._questions:
            if call.status == "waiting":
                self._question(call)
        self._questions.clear()

    def notice(self, text: str) -> None:
        """Write what is no part of the view."""
        self._page.line(Text(visible(text), "yellow"), wrap=True, indent=2)

    def _beginning(self) -> None:
        view, given = self._view, self._view.run_input
        if self._begun or given is None:
            return
        self._begun = True
        facts = [fact for fact in (given.service, given.severity) if fact]
        since = f"started {clock(view.started_at)}" if view.started_at else ""
        said = visible(" · ".join([*facts, since]))
        self._page.line(Text.assemble((view.workflow_id, "bold"), "  ", (said, "dim")), wrap=True)
        self._page.line(Text(one_line(given.text, self._page.width * 2), "italic"), wrap=True)
        self._page.line(Text())

    def _turn(self, told: QueueWait) -> None:
        waited = seconds(told.started_at, told.admitted_at) or 0.0
        if waited >= _QUEUED:
            self.notice(f"it is its turn, after {duration(waited)} in the queue of {told.queue}")

    def _round(self, told: Round) -> None:
        took = seconds(told.asked_at, told.answered_at)
        right = [duration(took)] if took is not None else []
        left = Text(f"round {told.number}", "bold")
        if told.failure is not None:
            left.append(f"  the model gave no answer: {one_line(told.failure, 300)}", "not bold red")
        elif (reply := told.reply) is not None:
            calls = len(reply.calls)
            does = {"final": "answers", "empty": "says nothing usable"}.get(
                reply.kind, f"asks for {count(calls, 'call')}"
            )
            left.append(f"  {does}", "not bold")
            right.append(count(reply.usage.tokens, "token"))
        self._page.columns(left, _attempts(told.attempts) + right)
        self._before(told)
        if told.reply is not None and told.reply.kind == "tool_calls" and told.reply.text.strip():
            self._page.line(Text(f"  {one_line(told.reply.text, self._page.width - 2)}", "dim italic"))

    def _call(self, call: Call) -> None:
        mark, style = _LOOKS[call.status]
        longest = max(len(_name(other)) for other in self._view.calls.values() if other.round == call.round)
        left = Text.assemble("  ", (mark, style), f" {call.key}  ", (_name(call).ljust(longest), "bold"), "  ")
        took = seconds(call.started_at, call.ended_at)
        right = [duration(took)] if took is not None else []
        if call.status == "ok" and call.result is not None:
            right.append(size(len(call.result.encode())))
        elif call.status != "ok":
            right.append(call.status)
        left.append(one_line(arguments_text(call.arguments), self._page.width), "dim")
        self._page.columns(left, _attempts(call.attempts) + right)
        self._before(call)
        if call.status != "ok":
            self._complaint(call, style)

    def _before(self, tried: Round | Call) -> None:
        if tried.last_failure:
            why = one_line(f"attempt {tried.attempts - 1}: {tried.last_failure}", self._page.width - 4)
            self._page.line(Text(f"    {why}", "yellow"))

    def _question(self, call: Call) -> None:
        run, approval = self._view.workflow_id, call.approval
        mark, style = _LOOKS["waiting"]
        given = one_line(arguments_text(call.arguments), self._page.width)
        left = Text.assemble("  ", (mark, style), f" {call.key}  ", (_name(call), "bold"), "  ", (given, "dim"))
        self._page.columns(left, [call.status])
        until = f" until {clock(approval.expires_at)}" if approval and approval.expires_at else ""
        self._page.line(Text(f"    waits for a person{until}:", "yellow"))
        self._page.line(Text(f"    watchkeeper approve {run} {call.key}", "bold"))
        self._page.line(Text(f"    watchkeeper deny {run} {call.key}", "bold"))

    def _complaint(self, call: Call, style: str) -> None:
        if call.same_as is not None:
            self._page.line(Text(f"    one effect with {call.same_as}", "dim"))
        elif call.status == "expired":
            self._page.line(Text("    nobody decided in time", style))
        elif call.result is not None:
            self._page.line(Text(f"    {one_line(_error_of(call.result), self._page.width - 4)}", style))

    def _ending(self) -> None:
        if self._reported:
            write_closing(self._page, self._view)
            return
        self._reported = True
        write_ending(self._page, self._view)


def _name(call: Call) -> str:
    """Return a tool's name as it can be shown: a model may make up any."""
    return one_line(call.name, 64)


def _attempts(count: int) -> list[str]:
    return [f"{count} attempts"] if count > 1 else []


def _error_of(result: str) -> str:
    """Return the words of an error result."""
    try:
        content = json.loads(result)
    except ValueError:
        return result
    said = content.get("error") if isinstance(content, dict) else None
    return said if isinstance(said, str) else result
