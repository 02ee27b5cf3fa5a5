"""The review of a conclusion: whether it qualifies, and which of its claims nothing supports."""

from __future__ import annotations

from pydantic import Field

from watchkeeper.contracts.base import Contract, Digest
from watchkeeper.contracts.conversation import ConversationEntry
from watchkeeper.contracts.reports import Claim, Verdict
from watchkeeper.contracts.tools import CallRecord


class ReviewRequest(Contract):
    """The argument of ``review``: the conversation with the reply at its end, and what the run recorded."""

    base: Digest
    append: list[ConversationEntry]
    by_alert: bool = Field(default=False, description="Alerts started the run.")
    corrected: bool = Field(default=False, description="The model has read once what is wrong with its answer.")
    service: str | None = Field(default=None, description="Service of the run.")
    calls: list[CallRecord] = Field(default_factory=list)


class Review(Contract):
    """What code found in a conclusion."""

    verdict: Verdict | None = None
    problems: list[str] = Field(
        default_factory=list, description="Why it is no conclusion: one sentence each, for the model and for people."
    )
    unsupported: list[Claim] = Field(default_factory=list)
    shown_healthy: bool = Field(
        default=False,
        description="The latest read about the service of the run states that it is healthy.",
    )
