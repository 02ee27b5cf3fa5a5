"""What a page tells in tables: what happened but for the calls, and what it took (pure).

In plain text, which each page escapes in its own way.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from watchkeeper import __version__
from watchkeeper.console import count, duration
from watchkeeper.contracts import Limits, Usage
from watchkeeper.report_page.data import Account
from watchkeeper.report_page.timeline_lanes import wait_of
from watchkeeper.run_view.action_text import action_phrase
from watchkeeper.run_view.model import RunView


@dataclass(frozen=True)
class Table:
    """Rows under a heading; the columns from ``numbers`` on are numbers."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: int = 99
    note: str = ""


def happenings(account: Account) -> list[Table]:
    """Return the tables of what happened, but for the calls."""
    return [table for table in (_alerts(account), _people(account), _waits(account)) if table.rows]


def accounts(account: Account) -> list[Table]:
    """Return the tables of what it took."""
    found = (_cost(account.story), _rounds(account), _limits(account), _identity(account))
    return [table for table in found if table.rows]


def moment(at: datetime | None) -> str | None:
    """Write a time in full."""
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if at else None


def money(cost: float | None) -> str | None:
    """Write US dollars, small ones too."""
    return None if cost is None else f"${cost:,.2f}" if cost >= 1 else f"${cost:.4f}"


def _alerts(account: Account) -> Table:
    rows = [
        (
            firing.title,
            firing.severity or "",
            _unix(firing.began),
            _unix(firing.ended) if firing.ended is not None else "still fires",
            duration(max(0.0, (account.until.timestamp() if firing.ended is None else firing.ended) - firing.began)),
        )
        for firing in account.firings
    ]
    more = account.story.episode.untracked
    note = f"And {count(more, 'alert')} that could not be told apart." if more else ""
    return Table("Alerts", ("Alert", "Severity", "Fired", "Resolved", "For"), rows, 4, note)


def _people(account: Account) -> Table:
    rows = [(moment(act.at) or "", act.by or "somebody", action_phrase(act)) for act in account.story.actions]
    return Table("What people did", ("When", "Who", "What"), rows)


def _waits(account: Account) -> Table:
    rows, note = list[tuple[str, ...]](), ""
    for call in account.story.calls.values():
        if call.approval is None:
            continue
        if call.status == "waiting" and not note:
            answer = f"{account.story.workflow_id} {call.key}"
            note = f"To answer: watchkeeper approve {answer}, or watchkeeper deny {answer}"
        wait, approval = wait_of(call, account), call.approval
        waited = duration(wait[1] - wait[0]) if wait else ""
        ended = {"expired": "nobody decided in time", "waiting": f"waits until {moment(approval.expires_at)}"}
        said = ended.get(approval.status, approval.status) + (f" by {approval.by}" if approval.by else "")
        rows.append((call.key, call.name, said, waited))
    return Table("Decisions that calls waited for", ("Call", "Tool", "Decision", "Waited"), rows, 3, note)


def _cost(story: RunView) -> Table:
    spent: dict[str, tuple[int, Usage]] = {}
    if story.used_earlier.rounds:
        spent["in earlier executions"] = (story.used_earlier.rounds, story.used_earlier.usage)
    for round in story.rounds:
        if round.reply is not None:
            model = round.reply.model or story.model
            rounds, usage = spent.get(model, (0, Usage()))
            spent[model] = (rounds + 1, usage + round.reply.usage)
    rows = [(model, f"{rounds:,}", *_usage(usage)) for model, (rounds, usage) in spent.items()]
    if len(rows) > 1:
        rows.append(("all", f"{story.rounds_completed:,}", *_usage(story.usage)))
    note = "Tokens of a host that did not count them are estimated." if story.usage.estimated else ""
    return Table("Cost", ("Model", "Rounds", *_USAGE), rows, 1, note)


def _rounds(account: Account) -> Table:
    rows = list[tuple[str, ...]]()
    for round in account.story.rounds:
        reply = round.reply
        does = f"no answer: {round.failure}" if round.failure else "is asked"
        if reply is not None:
            does = {"final": "answers", "empty": "nothing usable"}.get(reply.kind, count(len(reply.calls), "call"))
        took = duration(((round.answered_at or account.until) - round.asked_at).total_seconds())
        tries = f"{round.attempts} attempts, " if round.attempts > 1 else ""
        rows.append((str(round.number), does, f"{tries}{took}", *_usage(reply.usage if reply else Usage())))
    return Table("Rounds", ("Round", "The model", "Took", *_USAGE), rows, 2)


_USAGE = ("Prompt", "Cached", "Completion", "Reasoning", "Cost")


def _usage(usage: Usage) -> tuple[str, ...]:
    tokens = (usage.prompt_tokens, usage.cached_tokens, usage.completion_tokens, usage.reasoning_tokens)
    return (*(f"{number:,}" for number in tokens), money(usage.cost) or "no price set")


def _limits(account: Account) -> Table:
    story, limits = account.story, account.story.limits
    if limits is None:
        return Table("Limits", (), ())
    calls = story.used_earlier.tool_calls + sum(call.started_at is not None for call in story.calls.values())
    usage, until = story.usage, account.reported_at or account.until
    took = (until - (story.started_at or until)).total_seconds()
    rows = [
        ("rounds", f"{story.rounds_completed:,}", f"{limits.rounds:,}", _part(story.rounds_completed, limits.rounds)),
        ("tool calls", f"{calls:,}", f"{limits.tool_calls:,}", _part(calls, limits.tool_calls)),
        ("tokens", f"{usage.tokens:,}", f"{limits.tokens:,}", _part(usage.tokens, limits.tokens)),
        ("duration", duration(took), duration(limits.duration), _part(took, limits.duration)),
        *_cost_limit(limits, usage),
    ]
    note = "Each follow-up question may use limits of its own beyond these." if story.follow_ups else ""
    return Table("Limits", ("What", "Used", "Limit", "Part"), rows, 1, note)


def _cost_limit(limits: Limits, usage: Usage) -> Iterable[tuple[str, str, str, str]]:
    if limits.cost is not None:
        yield "cost", money(usage.cost) or "no price set", money(limits.cost) or "", _part(usage.cost or 0, limits.cost)


def _part(used: float, limit: float) -> str:
    return f"{used / limit:.0%}" if limit else ""


def _identity(account: Account) -> Table:
    story = account.story
    group = story.run_input.origin.group if story.run_input and story.run_input.origin else ""
    rows = [
        ("Run", story.workflow_id),
        ("First execution", story.first_run_id),
        *([("Latest execution", story.run_id)] if story.run_id != story.first_run_id else []),
        *([("Group of alerts", group)] if group else []),
        ("Models", ", ".join(story.models) or story.model or "none asked"),
        ("Page made", f"{moment(account.at)} by Watchkeeper {__version__}"),
    ]
    return Table("About this run", ("What", "Value"), rows)


def _unix(seconds: float) -> str:
    return moment(datetime.fromtimestamp(seconds, UTC)) or ""
