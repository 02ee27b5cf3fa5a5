"""Renders a run in a terminal: a line for each round, call and action as it happens, then the report."""

from __future__ import annotations

import json
import time
from types import TracebackType

from rich.console import Console
from rich.text import Text

from watchkeeper.cli.watch.event_lines import write_action, write_alerts
from watchkeeper.cli.watch.layout import LineWriter
from watchkeeper.cli.watch.live_panel import LivePanel
from watchkeeper.cli.watch.summary import write_closed, write_follow_up, write_report, write_undelivered
from watchkeeper.console import clock, typed_command, with_typed_commands
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
    Undelivered,
)
from watchkeeper.run_view.json_view import seconds
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.pending_work import PendingWork
from watchkeeper.run_view.projection import RunChange
from watchkeeper.run_view.run_phrases import (
    NO_DECISION,
    approve_command,
    attempt_phrases,
    compaction_phrase,
    current_step,
    deny_command,
    round_phrase,
    same_effect_phrase,
)
from watchkeeper.text import arguments_text, count, duration, one_line, size, visible

_QUIET_SECONDS = 0.25
"""Seconds without a change before approval requests are shown, and the report of a run that ends with its delivery: in
a finished run the decision and the end follow at once."""

_QUEUED_SECONDS = 1.0
"""Seconds in a queue, or without a change, before the queue is mentioned: mostly a slot is free at once."""

_NAME = 64
"""Most characters of a tool's name: a model may invent any name."""

_STYLES: dict[CallStatus, tuple[str, str]] = {
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
    """Renders one run. As a context manager with ``live`` it also keeps a panel with the status at the bottom."""

    def __init__(self, view: RunView, console: Console, *, live: bool = False) -> None:
        self.pending = PendingWork()
        """What the server knows of the run beside its history."""
        self._view = view
        self._writer = LineWriter(console)
        self._started = self._reported = self._report_due = self._queue_mentioned = False
        self._changed_at = time.monotonic()
        self._panel = LivePanel(view, self.pending, console, self._on_tick) if live else None
        self._approvals: list[Call] = []

    async def __aenter__(self) -> TerminalRenderer:
        if self._panel is not None:
            await self._panel.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._panel is not None:
            await self._panel.__aexit__(kind, error, trace)

    def _on_tick(self) -> None:
        quiet = time.monotonic() - self._changed_at
        if quiet >= _QUIET_SECONDS:
            self.show_approvals()
            self.show_undelivered_report()
        if quiet >= _QUEUED_SECONDS and self._view.is_queued and not self._queue_mentioned:
            self._queue_mentioned = True
            self.show_notice(current_step(self._view))

    def show_change(self, change: RunChange) -> None:
        """Write what has changed."""
        self._changed_at = time.monotonic()
        match change:
            case RunView() if change.status != "running":
                self._show_end()
            case RunView():
                self._show_start()
            case QueueWait():
                self._show_admission(change)
            case Round():
                self._show_round(change)
            case Call() if change.status == "waiting":
                self._approvals.append(change)
            case Call():
                self._show_call(change)
            case CompactedMessages():
                self.show_notice(compaction_phrase(change))
            case RunReset():
                self._show_reset(change)
            case PersonAction():
                write_action(self._writer, self._view, change)
            case AlertsChanged():
                write_alerts(self._writer, change)
            case Undelivered():
                if self._reported:
                    write_undelivered(self._writer, [f"{change.destination}: {change.reason}"])
            case FollowUp():
                write_follow_up(self._writer, self._view, change)

    def show_approvals(self) -> None:
        """Write the open approval requests, and the commands that answer them."""
        for call in self._approvals:
            if call.status == "waiting":
                self._show_approval(call)
        self._approvals.clear()

    def show_undelivered_report(self) -> None:
        """Write the report of a run that ends with its delivery, if that has not ended."""
        if self._report_due:
            self._show_report()

    def show_notice(self, text: str) -> None:
        """Write a sentence that is not part of the run's history."""
        self._writer.line(Text(visible(with_typed_commands(text)), "yellow"), wrap=True, indent=2)

    def _show_reset(self, reset: RunReset) -> None:
        reason = f" ({one_line(reset.reason, self._writer.width)})" if reset.reason else ""
        self.show_notice(f"it was reset in Temporal{reason}, and continues from here")
        self._approvals = [call for call in self._view.calls.values() if call.status == "waiting"]

    def _show_start(self) -> None:
        view, request = self._view, self._view.run_input
        if self._started or request is None:
            return
        self._started = True
        facts = [fact for fact in (request.service, request.severity) if fact]
        facts.append(f"started {clock(view.started_at)}" if view.started_at else "")
        headline = Text.assemble((view.workflow_id, "bold"), "  ", (visible(" · ".join(facts)), "dim"))
        self._writer.line(headline, wrap=True)
        self._writer.line(Text(one_line(request.text, self._writer.width * 2), "italic"), wrap=True)
        self._writer.line(Text())

    def _show_admission(self, wait: QueueWait) -> None:
        waited = seconds(wait.started_at, wait.admitted_at) or 0.0
        if waited >= _QUEUED_SECONDS:
            self.show_notice(f"it leaves the queue of {wait.queue} after {duration(waited)}")

    def _show_round(self, asked: Round) -> None:
        took, reply = seconds(asked.asked_at, asked.answered_at), asked.reply
        facts = attempt_phrases(asked.attempts) + ([duration(took)] if took is not None else [])
        left = Text(f"round {asked.number}", "bold")
        if asked.failure is not None:
            left.append(f"  the model {one_line(round_phrase(asked), 300)}", "not bold red")
        elif reply is not None:
            left.append(f"  {round_phrase(asked)}", "not bold")
            facts.append(count(reply.usage.tokens, "token"))
        self._writer.columns(left, facts)
        self._show_last_failure(asked)
        if reply is not None and reply.kind == "tool_calls" and reply.text.strip():
            self._writer.line(Text(f"  {one_line(reply.text, self._writer.width - 2)}", "dim italic"))

    def _show_call(self, call: Call) -> None:
        longest = max(len(_name(other)) for other in self._view.calls.values() if other.round == call.round)
        took = seconds(call.started_at, call.ended_at)
        facts = attempt_phrases(call.attempts) + ([duration(took)] if took is not None else [])
        if call.status != "ok":
            facts.append(call.status)
        elif call.result is not None:
            facts.append(size(len(call.result.encode())))
        self._writer.columns(self._call_line(call, longest), facts)
        self._show_last_failure(call)
        if call.status != "ok":
            self._show_reason(call)

    def _show_last_failure(self, attempted: Round | Call) -> None:
        if attempted.last_failure:
            text = f"attempt {attempted.attempts - 1}: {attempted.last_failure}"
            self._writer.line(Text(f"    {one_line(text, self._writer.width - 4)}", "yellow"))

    def _show_reason(self, call: Call) -> None:
        _, style = _STYLES[call.status]
        if call.same_as is not None:
            self._writer.line(Text(f"    {same_effect_phrase(call.same_as)}", "dim"))
        elif call.status == "expired":
            self._writer.line(Text(f"    {NO_DECISION}", style))
        elif call.result is not None:
            self._writer.line(Text(f"    {one_line(_error_of(call.result), self._writer.width - 4)}", style))

    def _show_approval(self, call: Call) -> None:
        run, approval = self._view.workflow_id, call.approval
        self._writer.columns(self._call_line(call), [call.status])
        until = f" until {clock(approval.expires_at)}" if approval and approval.expires_at else ""
        self._writer.line(Text(f"    waits for a person{until}:", "yellow"))
        self._writer.line(Text(f"    {typed_command(approve_command(run, call.key))}", "bold"))
        self._writer.line(Text(f"    {typed_command(deny_command(run, call.key))}", "bold"))

    def _call_line(self, call: Call, name_width: int = 0) -> Text:
        arguments = one_line(arguments_text(call.arguments), self._writer.width)
        name = (_name(call).ljust(name_width), "bold")
        return Text.assemble("  ", _STYLES[call.status], f" {call.key}  ", name, "  ", (arguments, "dim"))

    def _show_end(self) -> None:
        if self._reported:
            write_closed(self._writer, self._view)
        elif self._view.closed_at is None and not self._view.is_open:
            self._report_due = True
        else:
            self._show_report()

    def _show_report(self) -> None:
        self._reported, self._report_due = True, False
        write_report(self._writer, self._view)


def _name(call: Call) -> str:
    return one_line(call.name, _NAME)


def _error_of(result: str) -> str:
    """Return the error message of an error result."""
    try:
        content = json.loads(result)
    except ValueError:
        return result
    error = content.get("error") if isinstance(content, dict) else None
    return error if isinstance(error, str) else result
