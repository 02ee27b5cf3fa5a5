"""What every page says beside the report and the calls: how it ended, facts, tables (pure).

In plain text, which the pages escape in their own ways. Times are UTC: a page is read wherever it is sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from watchkeeper import __version__
from watchkeeper.contracts import Limits, Status, Usage
from watchkeeper.pages.account import Account
from watchkeeper.pages.deeds import deed
from watchkeeper.pages.lanes import wait_of
from watchkeeper.stories.story import Story
from watchkeeper.terminal import count, duration, one_line, visible

STANDING: dict[Status, str] = {
    "running": "Running",
    "concluded": "Concluded",
    "limit_reached": "A limit ended it",
    "failed": "Failed",
    "stopped": "Stopped",
}


@dataclass(frozen=True)
class Table:
    """Rows under a heading; the columns from ``numbers`` on are numbers."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    numbers: int = 99
    note: str = ""


def title(story: Story) -> str:
    """Name what the run is about: the first line of what fired or was asked."""
    lines = story.given.text.strip().splitlines() if story.given else []
    return one_line(lines[0], 160) if lines else story.workflow_id


def standing(account: Account) -> str:
    """Say how the run ended, or what it does, as it follows the word of ``STANDING``."""
    story = account.story
    took = duration((account.until - (story.started_at or account.until)).total_seconds())
    if story.status == "running":
        return f"for {took}: {visible(story.doing)}"
    if story.is_open:
        return f"and stays open until its alerts resolve: {visible(story.doing)}"
    why = one_line(story.reason or "", 600).rstrip(".")
    return f"after {took}{f': {why}' if why else ''}"


def facts(account: Account) -> list[tuple[str, str]]:
    """Return the facts that head a page."""
    story = account.story
    given, usage, origin = story.given, story.usage, story.given.origin if story.given else None
    took = duration((account.until - (story.started_at or account.until)).total_seconds())
    found = [
        ("Service", given.service if given else None),
        ("Severity", given.severity if given else None),
        ("Team", origin.team if origin else None),
        ("From", f"{origin.source} ({origin.kind})" if origin else None),
        ("Started", moment(story.started_at)),
        ("Ended" if story.closed_at else "Up to", moment(account.until)),
        ("Took", took if story.closed_at else f"{took} so far"),
        ("Reported", _after(story.started_at, account.reported_at) if not story.closed_at or story.stays else None),
        ("Work", f"{count(story.rounds_spent, 'round')}, {count(len(story.calls), 'call')}"),
        ("Tokens", f"{'about ' if usage.estimated else ''}{usage.tokens:,}"),
        ("Cost", money(usage.cost)),
    ]
    return [(name, one_line(fact, 160)) for name, fact in found if fact]


def notes(account: Account) -> list[str]:
    """Say what a reader must know of the page itself."""
    story, said = account.story, list[str]()
    if story.closed_at is None:
        what = "The run stays open" if story.is_open else "The run goes on"
        said.append(f"{what}: this page tells it up to {moment(account.at)}.")
    if account.partial:
        said.append(
            "The server no longer has the first part of this run's history. Its rounds are counted, and its calls "
            "stand here with the beginning of what they found, without their times."
        )
    if account.replaced:
        said.append(f"{count(account.replaced, 'older message')} gave way to summaries, for the model's window.")
    return said


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


def _after(begin: datetime | None, end: datetime | None) -> str | None:
    return f"after {duration((end - begin).total_seconds())}" if begin and end else None


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
    more = account.story.episode.more
    note = f"And {count(more, 'alert')} that could not be told apart." if more else ""
    return Table("Alerts", ("Alert", "Severity", "Fired", "Resolved", "For"), rows, 4, note)


def _people(account: Account) -> Table:
    rows = [(moment(act.at) or "", act.by or "somebody", deed(act)) for act in account.story.acts]
    return Table("What people did", ("When", "Who", "What"), rows)


def _waits(account: Account) -> Table:
    rows = list[tuple[str, ...]]()
    for call in account.story.calls.values():
        if call.approval is None:
            continue
        wait, approval = wait_of(call, account), call.approval
        waited = duration(wait[1] - wait[0]) if wait else ""
        ended = {"expired": "nobody decided in time", "waiting": f"waits until {moment(approval.expires_at)}"}
        said = ended.get(approval.status, approval.status) + (f" by {approval.by}" if approval.by else "")
        rows.append((call.key, call.name, said, waited))
    return Table("Decisions that calls waited for", ("Call", "Tool", "Decision", "Waited"), rows, 3)


def _cost(story: Story) -> Table:
    spent: dict[str, tuple[int, Usage]] = {}
    if story.earlier.rounds:
        spent["in earlier executions"] = (story.earlier.rounds, story.earlier.usage)
    for round in story.rounds:
        if round.reply is not None:
            model = round.reply.model or story.model
            rounds, usage = spent.get(model, (0, Usage()))
            spent[model] = (rounds + 1, usage + round.reply.usage)
    rows = [(model, f"{rounds:,}", *_usage(usage)) for model, (rounds, usage) in spent.items()]
    if len(rows) > 1:
        rows.append(("all", f"{story.rounds_spent:,}", *_usage(story.usage)))
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
    calls = story.earlier.tool_calls + sum(call.started_at is not None for call in story.calls.values())
    usage, until = story.usage, account.reported_at or account.until
    took = (until - (story.started_at or until)).total_seconds()
    rows = [
        ("rounds", f"{story.rounds_spent:,}", f"{limits.rounds:,}", _part(story.rounds_spent, limits.rounds)),
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
    group = story.given.origin.group if story.given and story.given.origin else ""
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
