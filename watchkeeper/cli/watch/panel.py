"""The panel below a view that is told live: what is spent, what is under way, who is awaited (pure)."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from watchkeeper.cli.watch.layout import columns
from watchkeeper.run_view.entries import UNFINISHED, Call
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.pending_work import ActivityAttempt, PendingWork
from watchkeeper.text import arguments_text, count, duration, one_line

_FEWEST = 2
"""Calls that are shown however low the terminal is."""

_AROUND = 6
"""Lines of the panel that are no calls."""

_NAME = 64
"""Characters of a tool's name that are shown: a model may make up any."""

_MINUTE = 60


def panel(view: RunView, outlook: PendingWork, at: datetime, now: float, *, width: int, height: int) -> Text:
    """Draw the panel, no wider than ``width``; ``now`` is the clock of the outlook, which has no dates."""
    most = max(_FEWEST, (height - _AROUND) // 2)
    lines = [Text("─" * width, "dim"), *_wrapped(_spent(view, at), width)]
    lines += [line for call in _open_calls(view)[:most] for line in _call(view, outlook, call, at, width)]
    if (hidden := len(_open_calls(view)) - most) > 0:
        lines.append(Text(f"  and {count(hidden, 'more call')}", "dim"))
    lines += _awaited(view, outlook, at, now, width)
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)


def _open_calls(view: RunView) -> list[Call]:
    return [call for call in view.calls.values() if call.status in UNFINISHED and not view.all_answered]


def _spent(view: RunView, at: datetime) -> list[str]:
    """Say what is spent, against the limits where they are known."""
    limits, usage = view.limits, view.usage
    number = max([view.rounds_completed, *(asked.number for asked in view.rounds[-1:])])
    began = (
        view.queue_wait.admitted_at if view.queue_wait else None
    ) or view.started_at  # what was queued for costs no time
    time = elapsed((at - began).total_seconds() if began else 0.0)
    tokens = f"{'about ' if usage.estimated else ''}{usage.tokens:,}"
    if limits is None or view.is_open:  # a follow-up has limits of its own, which no history tells
        facts = [count(number, "round"), count(len(view.calls), "call"), f"{tokens} tokens", time]
        return [*facts, f"${usage.cost:.4f}"] if usage.cost is not None else facts
    facts = [
        f"round {number} of {limits.rounds:,}",
        f"{view.used_earlier.tool_calls + len(view.calls):,} of {count(limits.tool_calls, 'call')}",
        f"{tokens} of {count(limits.tokens, 'token')}",
        f"{time} of {elapsed(limits.duration)}",
    ]
    if usage.cost is not None or limits.cost is not None:
        bound = f" of ${limits.cost:.2f}" if limits.cost is not None else ""
        facts.append(f"${usage.cost or 0:.4f}{bound}")
    return facts


def _wrapped(facts: list[str], width: int) -> list[Text]:
    lines = [""]
    for fact in facts:
        longer = f"{lines[-1]} · {fact}" if lines[-1] else fact
        if len(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(fact)
    return [Text(line, "dim") for line in lines]


def _call(view: RunView, outlook: PendingWork, call: Call, at: datetime, width: int) -> list[Text]:
    """Show a call that is not over: one line, and one more on what people should know or do."""
    waits = call.status == "waiting"
    left = Text.assemble(
        "  ", ("•", "bold yellow" if waits else "cyan"), f" {call.key}  ", (one_line(call.name, _NAME), "bold")
    )
    left.append(f"  {one_line(arguments_text(call.arguments), width)}", "dim")
    if waits:
        until = call.approval.expires_at if call.approval else None
        facts = [f"{elapsed((until - at).total_seconds())} left"] if until else []
        answer = f"    waits for a person: watchkeeper approve {view.workflow_id} {call.key}"
        answer = answer if len(answer) <= width else "    waits for a person, as said above"
        return [columns(left, facts, width), Text(answer, "yellow")]
    if call.started_at is None:  # decided, but not begun: or the twin of one that runs
        return [columns(left, [f"as {call.same_as}" if call.same_as else "next"], width)]
    return _tried(left, outlook.attempts.get(call.key), call.started_at, at, width)


def _tried(left: Text, attempt: ActivityAttempt | None, since: datetime, at: datetime, width: int) -> list[Text]:
    facts = [elapsed((at - since).total_seconds())]
    if attempt is None or attempt.number == 1:
        return [columns(left, facts, width)]
    facts.insert(0, f"attempt {attempt.number}")
    because = "its worker fell silent" if attempt.lost else one_line(attempt.failure, width)
    if attempt.due_at is not None:
        because = f"again in {elapsed((attempt.due_at - at).total_seconds())}: {because}"
    return [columns(left, facts, width), Text(f"    {because}", "yellow")]


def _awaited(view: RunView, outlook: PendingWork, at: datetime, now: float, width: int) -> list[Text]:
    """Say what the run waits for."""
    lines = [_line(outlook, now)] if outlook.unreached_since is not None or outlook.unattended(now) else []
    asked = view.rounds[-1] if view.rounds else None
    if view.is_queued and view.queue_wait is not None:
        waited = elapsed((at - view.queue_wait.started_at).total_seconds())
        left = Text(f"  • {view.current_step}", "cyan")
        return [columns(left, [waited], width), *lines]
    delivering = view.delivering and not view.follow_up_pending
    if asked is not None and asked.reply is None and asked.failure is None and not delivering:
        left = Text.assemble("  ", ("•", "cyan"), f" r{asked.number}  ", ("waits for the model", "bold"))
        return [*_tried(left, outlook.attempts.get(f"r{asked.number}"), asked.asked_at, at, width), *lines]
    if _open_calls(view):
        return lines
    firing = f" ({view.episode.firing} firing)" if view.episode.firing else ""
    return [Text(f"  • {view.current_step}{firing}", "cyan"), *lines]


def _line(outlook: PendingWork, now: float) -> Text:
    if outlook.unreached_since is not None:
        return Text(
            f"  ! Temporal is out of reach for {elapsed(now - outlook.unreached_since)}; the run is safe", "yellow"
        )
    if not outlook.polled:
        return Text("  ! no worker is there; the run waits for one: watchkeeper worker", "yellow")
    waited = elapsed(outlook.untaken(now))
    return Text(f"  ! no worker has taken it up for {waited}; it waits for one: watchkeeper worker", "yellow")


def elapsed(seconds: float) -> str:
    """Write how long something takes so far, in full seconds: it is read while it grows."""
    return f"{max(0.0, seconds):.0f} s" if seconds < _MINUTE else duration(seconds)
