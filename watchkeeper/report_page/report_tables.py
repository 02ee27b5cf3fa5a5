"""The tables of a report, as plain text that each format escapes (pure)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from watchkeeper import __version__
from watchkeeper.contracts import Usage
from watchkeeper.report_page.report_data import ReportData
from watchkeeper.report_page.time_text import timestamp
from watchkeeper.report_page.timeline_lanes import approval_wait
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.run_phrases import (
    NO_DECISION,
    action_phrase,
    approve_command,
    attempt_phrases,
    deny_command,
    person,
    round_phrase,
)
from watchkeeper.text import count, duration, money


@dataclass(frozen=True)
class ReportTable:
    """Rows under a heading."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    first_number: int = 99
    """Index of the first column of numbers; all later columns are numbers too."""
    note: str = ""
    narrow: bool = False
    """Whether the table is narrower than the report."""
    folded: str = ""
    """In HTML, the text to click to see the table; empty if the table is always visible."""


def event_tables(data: ReportData) -> list[ReportTable]:
    """Return the tables of alerts, of what people did and of approvals that have rows."""
    return [table for table in (_alerts(data), _people(data), _approvals(data)) if table.rows]


def usage_tables(data: ReportData) -> list[ReportTable]:
    """Return the tables of cost, rounds, limits and identifiers that have rows."""
    return [table for table in (_cost(data.run), _rounds(data), _limits(data), _identity(data)) if table.rows]


def cost_text(cost: float | None) -> str | None:
    """Write US dollars; None without a price."""
    return None if cost is None else money(cost)


def _alerts(data: ReportData) -> ReportTable:
    rows = [
        (
            firing.title,
            firing.severity or "",
            timestamp(firing.begin),
            timestamp(firing.end) if firing.end else "still firing",
            duration(max(0.0, ((firing.end or data.until) - firing.begin).total_seconds())),
        )
        for firing in data.firings
    ]
    episode = data.run.episode
    notes = list[str]()
    if compact := episode.compact:
        firing = sum(row.status == "firing" for row in compact)
        notes.append(f"And {count(len(compact), 'alert')}, of which {firing} fire.")
    if episode.untracked:
        notes.append(f"And {count(episode.untracked, 'alert')} that could not be distinguished.")
    note = " ".join(notes)
    return ReportTable("Alerts", ("Alert", "Severity", "Fired", "Resolved", "Duration"), rows, 4, note)


def _people(data: ReportData) -> ReportTable:
    rows = [(timestamp(action.at), person(action), action_phrase(action)) for action in data.run.actions]
    return ReportTable("What people did", ("When", "Who", "What"), rows)


def _approvals(data: ReportData) -> ReportTable:
    rows, note = list[tuple[str, ...]](), ""
    for call in data.run.calls.values():
        approval, wait = call.approval, approval_wait(call, data)
        if approval is None:
            continue
        if call.status == "waiting" and not note:
            run = data.run.workflow_id
            note = f"To answer: {approve_command(run, call.key)}, or {deny_command(run, call.key)}"
        decision = approval.status + (f" by {approval.by}" if approval.by else "")
        if approval.status == "expired":
            decision = NO_DECISION
        elif approval.status == "waiting":
            decision = f"waits until {timestamp(approval.expires_at)}" if approval.expires_at else "waits"
        waited = duration((wait[1] - wait[0]).total_seconds()) if wait else ""
        rows.append((call.key, call.name, decision, waited))
    return ReportTable("Approvals", ("Call", "Tool", "Decision", "Waited"), rows, 3, note)


def _cost(run: RunView) -> ReportTable:
    by_model: dict[str, tuple[int, Usage]] = {}
    if run.used_earlier.rounds:
        by_model["in earlier executions"] = (run.used_earlier.rounds, run.used_earlier.usage)
    for round in run.rounds:
        if round.reply is not None:
            model = round.reply.model or run.model
            rounds, usage = by_model.get(model, (0, Usage()))
            by_model[model] = (rounds + 1, usage + round.reply.usage)
    rows = [(model, f"{rounds:,}", *_usage_cells(usage)) for model, (rounds, usage) in by_model.items()]
    if len(rows) > 1:
        rows.append(("all", f"{run.rounds_completed:,}", *_usage_cells(run.usage)))
    note = "Tokens are estimated where the model's host did not count them." if run.usage.estimated else ""
    return ReportTable("Cost", ("Model", "Rounds", *_USAGE_COLUMNS), rows, 1, note)


def _rounds(data: ReportData) -> ReportTable:
    rows = list[tuple[str, ...]]()
    for round in data.run.rounds:
        took = duration(((round.answered_at or data.until) - round.asked_at).total_seconds())
        usage = _usage_cells(round.reply.usage if round.reply else Usage())
        took = ", ".join([*attempt_phrases(round.attempts), took])
        rows.append((str(round.number), round_phrase(round), took, *usage))
    columns = ("Round", "The model", "Duration", *_USAGE_COLUMNS)
    return ReportTable("Rounds", columns, rows, 2, folded="Round by round")


_USAGE_COLUMNS = ("Prompt", "Cached", "Completion", "Reasoning", "Cost")


def _usage_cells(usage: Usage) -> tuple[str, ...]:
    tokens = (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens, usage.reasoning_tokens)
    return (*(f"{number:,}" for number in tokens), cost_text(usage.cost) or "no price set")


def _limits(data: ReportData) -> ReportTable:
    run, limits, usage = data.run, data.run.limits, data.run.usage
    if limits is None:
        return ReportTable("Limits", (), ())
    calls = run.used_earlier.tool_calls + sum(call.started_at is not None for call in run.calls.values())
    until = data.reported_at or data.until
    seconds = (until - (run.started_at or until)).total_seconds()
    rows = [
        ("rounds", f"{run.rounds_completed:,}", f"{limits.rounds:,}", _share(run.rounds_completed, limits.rounds)),
        ("tool calls", f"{calls:,}", f"{limits.tool_calls:,}", _share(calls, limits.tool_calls)),
        ("tokens", f"{usage.tokens:,}", f"{limits.tokens:,}", _share(usage.tokens, limits.tokens)),
        ("duration", duration(seconds), duration(limits.duration), _share(seconds, limits.duration)),
    ]
    if limits.cost is not None:
        used = cost_text(usage.cost) or "no price set"
        rows.append(("cost", used, cost_text(limits.cost) or "", _share(usage.cost or 0, limits.cost)))
    note = "Each follow-up question has separate limits in addition to these." if run.follow_ups else ""
    return ReportTable("Limits", ("Limit", "Used", "Allowed", "Share"), rows, 1, note, narrow=True)


def _share(used: float, limit: float) -> str:
    return f"{used / limit:.0%}" if limit else ""


def _identity(data: ReportData) -> ReportTable:
    run = data.run
    group = run.run_input.origin.group if run.run_input and run.run_input.origin else ""
    rows = [
        ("Run", run.workflow_id),
        ("First execution", run.first_run_id),
        *([("Latest execution", run.run_id)] if run.run_id != run.first_run_id else []),
        *([("Alert group", group)] if group else []),
        ("Models", ", ".join(run.models) or run.model or "none called"),
        ("Report written", f"{timestamp(data.as_of)} by Watchkeeper {__version__}"),
    ]
    return ReportTable("About this run", ("What", "Value"), rows, narrow=True)
