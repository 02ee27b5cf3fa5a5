"""The budget of a run: its limits, what it has used, and which limit ends it (pure)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from watchkeeper.contracts import BudgetUsed, LimitChanges, Limits, Usage

LimitName = Literal["rounds", "tool_calls", "tokens", "cost", "duration", "failures"]

LIMIT_ERROR_TYPES: dict[LimitName, str] = {
    "rounds": "RoundLimitReached",
    "tool_calls": "ToolCallLimitReached",
    "tokens": "TokenLimitReached",
    "cost": "CostLimitReached",
    "duration": "DurationLimitReached",
    "failures": "FailureLimitReached",
}
"""The type of the error with which a run fails, by the limit that ended it."""

FAILURES_REMEMBERED = 100
"""How many different failing calls are counted, the latest ones. A model in a loop repeats fewer."""


class Budget:
    """The limits of a run, and what it has used. Times are Unix seconds."""

    def __init__(self, limits: Limits, spent: BudgetUsed, started_at: float) -> None:
        self.limits = limits
        self.spent = spent
        self.started_at = started_at

    @property
    def deadline(self) -> float:
        """When the limit on duration ends the run."""
        return self.started_at + self.limits.duration

    @property
    def calls_left(self) -> int:
        """Number of tool calls that may still run."""
        return max(0, self.limits.tool_calls - self.spent.tool_calls)

    def charge_round(self, usage: Usage) -> None:
        """Count one completion."""
        self.spent = self.spent.model_copy(update={"rounds": self.spent.rounds + 1, "usage": self.spent.usage + usage})

    def charge_calls(self, count: int) -> None:
        """Count tool calls that ran."""
        self.spent = self.spent.model_copy(update={"tool_calls": self.spent.tool_calls + count})

    def charge_failures(self, succeeded: Mapping[str, bool]) -> None:
        """Count how often each call failed in a row. ``succeeded``: whether it succeeded, by tool and arguments."""
        failing = dict(self.spent.failing)
        for call, success in succeeded.items():
            times = failing.pop(call, 0)
            if not success:
                failing[call] = times + 1
        latest = dict([*failing.items()][-FAILURES_REMEMBERED:])
        self.spent = self.spent.model_copy(update={"failing": latest})

    def extend(self, by: LimitChanges) -> Limits:
        """Raise limits. A limit that is not set stays unset."""
        raised = {
            name: getattr(self.limits, name) + more
            for name, more in by.model_dump(exclude_none=True).items()
            if getattr(self.limits, name) is not None
        }
        self.limits = self.limits.model_copy(update=raised)
        return self.limits

    def renew(self, more: Limits, now: float) -> None:
        """Allow ``more`` in addition to what has been used, starting now."""
        spent = self.spent
        known = {"cost": (spent.usage.cost or 0) + more.cost} if more.cost is not None else {}
        self.started_at = now
        self.spent = spent.model_copy(update={"failing": {}})
        self.limits = more.model_copy(
            update={
                "rounds": spent.rounds + more.rounds,
                "tool_calls": spent.tool_calls + more.tool_calls,
                "tokens": spent.usage.tokens + more.tokens,
                **known,
            }
        )

    def exhausted(self) -> LimitName | None:
        """Return the limit that allows no further round; None if another round may start."""
        spent, limits = self.spent, self.limits
        if spent.rounds >= limits.rounds:
            return "rounds"
        if spent.usage.tokens >= limits.tokens:
            return "tokens"
        if limits.cost is not None and (spent.usage.cost or 0) >= limits.cost:
            return "cost"
        return None

    def last_words(self, now: float) -> LimitName | None:
        """Return the limit that makes the next round the last one, without tools; None if no limit does.

        Duration is one of them, because time also passes during an outage: a run still reports what it knows after it.
        """
        if now >= self.deadline:
            return "duration"
        if self.spent.rounds + 1 >= self.limits.rounds:
            return "rounds"
        if not self.calls_left:
            return "tool_calls"
        if self.limits.failures is not None and max(self.spent.failing.values(), default=0) >= self.limits.failures:
            return "failures"
        return None

    def sentence(self, limit: LimitName) -> str:
        """Return a sentence that names the limit that stopped the run."""
        reached = {
            "rounds": f"{self.limits.rounds} rounds",
            "tool_calls": f"{self.limits.tool_calls} tool calls",
            "tokens": f"{self.spent.usage.tokens:,} tokens (limit {self.limits.tokens:,})",
            "cost": f"${self.spent.usage.cost or 0:.4f} (limit ${self.limits.cost or 0:.4f})",
            "duration": f"{self.limits.duration} seconds",
            "failures": f"the same call failed {self.limits.failures} times in a row",
        }[limit]
        return f"stopped after {reached} without a conclusion"
