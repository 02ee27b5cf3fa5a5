"""How the parts of a run view are written in the terminal, in reports and in Slack (pure)."""

from __future__ import annotations

from typing import Final

from watchkeeper.contracts import LimitChanges
from watchkeeper.incident.phrases import (
    alert_counts,
    approve_command,
    deny_command,
    limit_phrases,
    queue_phrase,
    status_phrase,
    status_with_step,
    token_phrase,
)
from watchkeeper.run_view.entries import Approval, Call, CompactedMessages, PersonAction, Round
from watchkeeper.run_view.model import RunView
from watchkeeper.text import count, duration, money, size

__all__ = [
    "NO_DECISION",
    "action_phrase",
    "alert_counts",
    "approval_phrase",
    "approve_command",
    "attempt_phrases",
    "call_result_phrases",
    "compaction_phrase",
    "current_step",
    "delivery_phrase",
    "deny_command",
    "limit_phrases",
    "person",
    "queue_phrase",
    "round_phrase",
    "same_effect_phrase",
    "status_phrase",
    "status_with_step",
    "token_phrase",
    "total_phrases",
]

NO_DECISION: Final = "no one decided in time"


def current_step(view: RunView) -> str:
    """Say what the run is doing now, or how it ended."""
    unfinished = view.unfinished_calls
    if view.all_answered:
        steps = ["open for follow-ups"] * view.is_open + [delivery_phrase(view)] * view.is_delivering
        return ", ".join(steps) or status_phrase(view.status)
    if view.is_queued and view.queue_wait is not None:
        return queue_phrase(view.queue_wait.queue)
    if unfinished:
        names = ", ".join(dict.fromkeys(call.name for call in unfinished))
        waiting = all(call.status == "waiting" for call in unfinished)
        return f"{names}: waiting for a person" if waiting else f"running {names}"
    if view.rounds and view.rounds[-1].reply is None:
        return f"round {view.rounds[-1].number}: asking the model"
    return "working" if view.limits else "waiting for a worker"


def delivery_phrase(view: RunView) -> str:
    """Say that the report is being delivered, and to which destinations that have not taken it yet."""
    destinations = ", ".join(dict.fromkeys(map(status_phrase, view.deliveries.values())))
    return f"delivering the report to {destinations}" if destinations else "delivering the report"


def total_phrases(view: RunView, seconds: float | None) -> list[str]:
    """Say what a run has used: ``4 rounds``, ``9 calls``, ``45.2 s``, ``12,000 tokens``, ``$0.0312``."""
    usage = view.usage
    cached = f" ({usage.cached_tokens / usage.prompt_tokens:.0%} of the prompts cached)" if usage.cached_tokens else ""
    phrases = [count(view.rounds_completed, "round"), count(len(view.calls), "call")]
    phrases += [duration(seconds)] if seconds is not None else []
    phrases.append(f"{token_phrase(usage)} token{'' if usage.tokens == 1 else 's'}{cached}")
    return phrases + ([money(usage.cost)] if usage.cost is not None else [])


def round_phrase(asked: Round) -> str:
    """Say what the model did in a round, as it follows "the model"."""
    if asked.failure is not None:
        return f"gave no answer: {asked.failure}"
    if asked.reply is None:
        return "is being asked"
    calls = f"asks for {count(len(asked.reply.calls), 'call')}"
    return {"final": "answers", "empty": "gives no usable answer"}.get(asked.reply.kind, calls)


def attempt_phrases(attempts: int) -> list[str]:
    """Say how many attempts a round or a call took; nothing for the usual one."""
    return [f"{attempts} attempts"] if attempts > 1 else []


def call_result_phrases(call: Call) -> list[str]:
    """Say what running a call took: attempts, duration, size of the result. Only what is known."""
    phrases = attempt_phrases(call.attempts)
    if call.started_at and call.ended_at:
        phrases.append(duration((call.ended_at - call.started_at).total_seconds()))
    if call.result is not None:
        phrases.append(size(len(call.result.encode())))
    return phrases


def same_effect_phrase(key: str) -> str:
    """Say that a call was not run because an identical one of its round was."""
    return f"same effect as {key}"


def approval_phrase(approval: Approval) -> str:
    """Say how an approval request ended, or that it waits."""
    status = {"expired": NO_DECISION, "waiting": "waits for a person"}.get(approval.status, approval.status)
    return f"{status} by {approval.by}" if approval.by else status


def person(action: PersonAction) -> str:
    """Name the person who acted."""
    return action.by or "someone"


def action_phrase(action: PersonAction, tool: str = "") -> str:
    """Say what a person did, as it follows their name. ``tool`` is the tool of the call that they decided on."""
    text = f": {action.text}" if action.text else ""
    match action.kind:
        case "tell":
            return f"writes to the model{text}"
        case "stop":
            return f"stops the run{text}"
        case "decide":
            name = f" ({tool})" if tool else ""
            return f"{'approves' if action.approved else 'denies'} {action.call}{name}{text}"
        case "extend":
            return f"extends the limits by {_limit_changes(action.extended or LimitChanges())}"


def compaction_phrase(compacted: CompactedMessages) -> str:
    """Say that older messages were replaced so that the conversation fits the model's context window."""
    return f"{count(compacted.replaced, 'older message')} replaced by a summary, to fit the model's context window"


def _limit_changes(changes: LimitChanges) -> str:
    amounts = changes.model_dump(exclude_none=True)
    return ", ".join(f"{_amount(name, value)} {name.replace('_', ' ')}" for name, value in amounts.items())


def _amount(name: str, value: float) -> str:
    return duration(value) if name == "duration" else f"${value:g}" if name == "cost" else f"{value:,}"
