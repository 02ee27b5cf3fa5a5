"""The limits of a run, and what a run has used of them."""

from __future__ import annotations

from pydantic import Field

from watchkeeper.contracts.base import Contract, Digest


class Limits(Contract):
    """All limits of a run. The briefing records them; only ``extend`` raises them."""

    rounds: int = Field(ge=1, description="Completions received from the model.")
    tool_calls: int = Field(ge=0, description="Tool calls run.")
    tokens: int = Field(ge=1, description="Prompt and completion tokens, summed over the rounds.")
    duration: int = Field(ge=1, description="Seconds since the run started; afterwards one round is left.")
    cost: float | None = Field(default=None, ge=0, description="US dollars; absent: no limit.")
    failures: int | None = Field(
        default=None, ge=1, description="Rounds in a row in which the same call failed; absent: no limit."
    )


class LimitChanges(Contract):
    """Some of the limits: the ones that a run starts with, or by how much a person extends them."""

    rounds: int | None = Field(default=None, ge=1, le=100_000)
    tool_calls: int | None = Field(default=None, ge=1, le=100_000)
    tokens: int | None = Field(default=None, ge=1, le=10**12)
    duration: int | None = Field(default=None, ge=1, le=366 * 86_400, description="Seconds.")
    cost: float | None = Field(default=None, gt=0, allow_inf_nan=False, description="US dollars.")
    failures: int | None = Field(default=None, ge=1, le=100_000)


class Usage(Contract):
    """Tokens and cost of one completion, or the sum of several."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    reasoning_tokens: int = 0
    cost: float | None = Field(default=None, description="US dollars; absent when no price is configured.")
    estimated: bool = Field(default=False, description="The host reported no usable count; estimated from bytes.")

    @property
    def tokens(self) -> int:
        """Billable tokens: prompt and completion (cached and reasoning tokens are parts of these)."""
        return self.prompt_tokens + self.completion_tokens

    def __add__(self, other: Usage) -> Usage:
        costs = [c for c in (self.cost, other.cost) if c is not None]
        return Usage(
            prompt_tokens=self.prompt_tokens + other.prompt_tokens,
            completion_tokens=self.completion_tokens + other.completion_tokens,
            cached_tokens=self.cached_tokens + other.cached_tokens,
            reasoning_tokens=self.reasoning_tokens + other.reasoning_tokens,
            cost=sum(costs) if costs else None,
            estimated=self.estimated or other.estimated,
        )


class BudgetUsed(Contract):
    """What a run has used of its limits."""

    rounds: int = 0
    tool_calls: int = 0
    usage: Usage = Field(default_factory=Usage)
    failing: dict[Digest, int] = Field(
        default_factory=dict, description="How often in a row a call has failed, by digest of the call; latest last."
    )
