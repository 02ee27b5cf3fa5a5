"""The panel below a run that is followed live: what is used, what runs, and what the run waits for (pure)."""

from __future__ import annotations

from datetime import datetime

from rich.text import Text

from watchkeeper.cli.watch.layout import columns
from watchkeeper.console import typed_command
from watchkeeper.contracts import BudgetUsed
from watchkeeper.run_view.entries import Call
from watchkeeper.run_view.model import RunView
from watchkeeper.run_view.pending_work import WORKER_LOST, ActivityAttempt, PendingWork
from watchkeeper.run_view.run_phrases import approve_command, current_step, limit_phrases, total_phrases
from watchkeeper.text import arguments_text, count, duration, one_line

_MIN_CALLS = 2
"""Calls that are shown even in a low terminal."""

_OTHER_LINES = 6
"""Lines of the panel that are not calls."""

_NAME = 64
"""Most characters of a tool's name: a model may invent any name."""

_NO_ANSWER = "waits for the model"

_MINUTE = 60


def panel(view: RunView, pending: PendingWork, at: datetime, now: float, *, width: int, height: int) -> Text:
    """Draw the panel, no wider than ``width``. ``now`` is the monotonic clock of ``pending``."""
    calls = [] if view.all_answered else view.unfinished_calls
    max_calls = max(_MIN_CALLS, (height - _OTHER_LINES) // 2)
    lines = [Text("─" * width, "dim"), *_wrapped(_used(view, at), width)]
    lines += [line for call in calls[:max_calls] for line in _call(view, pending, call, at, width)]
    if (hidden := len(calls) - max_calls) > 0:
        lines.append(Text(f"  and {count(hidden, 'more call')}", "dim"))
    lines += _waits(view, pending, at, now, width)
    for line in lines:
        line.truncate(width, overflow="ellipsis")
    return Text("\n").join(lines)


def _used(view: RunView, at: datetime) -> list[str]:
    """Say what is used, compared with the limits if they are known."""
    # Time in the queue does not count.
    began = (view.queue_wait.admitted_at if view.queue_wait else None) or view.started_at
    seconds = (at - began).total_seconds() if began else 0.0
    if view.limits is None or view.is_open:  # a follow-up has separate limits, which are not in the history
        return total_phrases(view, seconds)
    number = max([view.rounds_completed, *(asked.number for asked in view.rounds[-1:])])
    used = BudgetUsed(rounds=number, tool_calls=view.used_earlier.tool_calls + len(view.calls), usage=view.usage)
    phrases = limit_phrases(used, view.limits)
    phrases.insert(3, f"{elapsed(seconds)} of {elapsed(view.limits.duration)}")
    return phrases


def _wrapped(facts: list[str], width: int) -> list[Text]:
    lines = [""]
    for fact in facts:
        longer = f"{lines[-1]} · {fact}" if lines[-1] else fact
        if len(longer) <= width or not lines[-1]:
            lines[-1] = longer
        else:
            lines.append(fact)
    return [Text(line, "dim") for line in lines]


def _call(view: RunView, pending: PendingWork, call: Call, at: datetime, width: int) -> list[Text]:
    """Show an unfinished call: one line, and a second one if a person has to know or do something."""
    waits = call.status == "waiting"
    left = Text.assemble(
        "  ", ("•", "bold yellow" if waits else "cyan"), f" {call.key}  ", (one_line(call.name, _NAME), "bold")
    )
    left.append(f"  {one_line(arguments_text(call.arguments), width)}", "dim")
    if waits:
        until = call.approval.expires_at if call.approval else None
        facts = [f"{elapsed((until - at).total_seconds())} left"] if until else []
        answer = f"    waits for a person: {typed_command(approve_command(view.workflow_id, call.key))}"
        answer = answer if len(answer) <= width else "    waits for a person: see the command above"
        return [columns(left, facts, width), Text(answer, "yellow")]
    if call.started_at is None:  # not started yet, or identical to a call that runs
        return [columns(left, [f"as {call.same_as}" if call.same_as else "next"], width)]
    return _attempt(left, pending.attempts.get(call.key), call.started_at, at, width)


def _attempt(left: Text, attempt: ActivityAttempt | None, since: datetime, at: datetime, width: int) -> list[Text]:
    facts = [elapsed((at - since).total_seconds())]
    if attempt is None or attempt.number == 1:
        return [columns(left, facts, width)]
    facts.insert(0, f"attempt {attempt.number}")
    reason = WORKER_LOST if attempt.lost else one_line(attempt.failure, width)
    if attempt.due_at is not None:
        reason = f"again in {elapsed((attempt.due_at - at).total_seconds())}: {reason}"
    return [columns(left, facts, width), Text(f"    {reason}", "yellow")]


def _waits(view: RunView, pending: PendingWork, at: datetime, now: float, width: int) -> list[Text]:
    """Say what the run waits for."""
    problems = _problems(pending, now)
    asked = view.rounds[-1] if view.rounds else None
    if view.is_queued and view.queue_wait is not None:
        waited = elapsed((at - view.queue_wait.started_at).total_seconds())
        return [columns(Text(f"  • {current_step(view)}", "cyan"), [waited], width), *problems]
    if asked is not None and asked.reply is None and asked.failure is None and not view.all_answered:
        attempt = pending.attempts.get(f"r{asked.number}")
        step = f"the model writes ({attempt.written:,} characters)" if attempt and attempt.written else _NO_ANSWER
        left = Text.assemble("  ", ("•", "cyan"), f" r{asked.number}  ", (step, "bold"))
        return [*_attempt(left, attempt, asked.asked_at, at, width), *problems]
    if view.unfinished_calls and not view.all_answered:
        return problems
    firing = f" ({view.episode.firing} firing)" if view.episode.firing else ""
    return [Text(f"  • {current_step(view)}{firing}", "cyan"), *problems]


def _problems(pending: PendingWork, now: float) -> list[Text]:
    if pending.unreached_since is not None:
        seconds = elapsed(now - pending.unreached_since)
        text = f"Temporal is out of reach for {seconds}; the run is safe"
    elif not pending.polled:
        text = f"no worker is there; the run waits for one: {typed_command('worker')}"
    elif waited := pending.seconds_untaken(now):
        text = f"no worker has taken it up for {elapsed(waited)}; it waits for one: {typed_command('worker')}"
    else:
        return []
    return [Text(f"  ! {text}", "yellow")]


def elapsed(seconds: float) -> str:
    """Write a duration that still grows, in full seconds."""
    return f"{max(0.0, seconds):.0f} s" if seconds < _MINUTE else duration(seconds)
