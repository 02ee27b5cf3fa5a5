"""How statuses, limits, approvals and alert counts are written in every view of a run (pure).

Workflow code uses these phrases for the Temporal UI. ``watchkeeper.run_view.run_phrases`` has the other phrases.
"""

from __future__ import annotations

from collections.abc import Sequence

from watchkeeper.contracts import AlertState, BudgetUsed, Limits, Usage
from watchkeeper.text import count, money

CHECK_FIRST = "may or may not have taken effect; check before doing it again"
"""Said of a call whose outcome is unknown."""


def status_phrase(status: str, verdict: str | None = None) -> str:
    """Write a status without its underscore, with the verdict of the report: ``concluded: diagnosed``."""
    phrase = status.replace("_", " ")
    return f"{phrase}: {verdict}" if verdict else phrase


def status_with_step(status: str, step: str, verdict: str | None = None) -> str:
    """Write a status with what the run is doing now: ``limit reached, delivering the report``."""
    phrase = status_phrase(status, verdict)
    return f"{phrase}, {step}" if step not in ("", status_phrase(status)) else phrase


def service_phrase(service: str | None, unknown_service: str | None) -> str | None:
    """Return a service, or what the alerts call a service that is not in the catalogue; None if there is neither."""
    return service or (f"{unknown_service} (not in the catalogue)" if unknown_service else None)


def queue_phrase(queue: str) -> str:
    """Say that a run waits for a slot of a queue."""
    return f"waiting for a slot in the queue of {queue}"


def token_phrase(usage: Usage) -> str:
    """Write a number of tokens: ``about`` one if the model host did not count them."""
    return f"{'about ' if usage.estimated else ''}{usage.tokens:,}"


def limit_phrases(used: BudgetUsed, limits: Limits) -> list[str]:
    """Compare what a run has used with its limits: ``3 of 30 rounds``, ``9 of 60 calls``."""
    phrases = [
        f"{used.rounds:,} of {count(limits.rounds, 'round')}",
        f"{used.tool_calls:,} of {count(limits.tool_calls, 'call')}",
        f"{token_phrase(used.usage)} of {count(limits.tokens, 'token')}",
    ]
    if used.usage.cost is not None or limits.cost is not None:
        limit = f" of {money(limits.cost)}" if limits.cost is not None else ""
        phrases.append(f"{money(used.usage.cost or 0)}{limit}")
    return phrases


def approve_command(workflow_id: str, call: str) -> str:
    """Return the command that approves a call."""
    return f"watchkeeper approve {workflow_id} {call}"


def deny_command(workflow_id: str, call: str) -> str:
    """Return the command that denies a call."""
    return f"watchkeeper deny {workflow_id} {call}"


def alert_counts(alerts: Sequence[AlertState]) -> str:
    """Count alerts: ``2 firing, 1 resolved, fired again 3 times``."""
    firing = sum(alert.status == "firing" for alert in alerts)
    resolved = len(alerts) - firing
    again = fired_again(sum(alert.again for alert in alerts))
    counts = [f"{firing} firing" if firing else "", f"{resolved} resolved" if resolved else "", again]
    return ", ".join(phrase for phrase in counts if phrase)


def fired_again(times: int) -> str:
    """Say how often alerts fired again after they were resolved; empty for never."""
    return "" if not times else "fired again once" if times == 1 else f"fired again {times} times"
