"""A run: its input, its progress, its result and what its memos hold."""

from __future__ import annotations

from pydantic import Field

from watchkeeper.contracts.alerts import AlertOrigin
from watchkeeper.contracts.base import Contract, RunStatus
from watchkeeper.contracts.carried import CarriedState
from watchkeeper.contracts.limits import LimitChanges, Limits, Usage
from watchkeeper.contracts.reports import Report
from watchkeeper.contracts.tools import CallRecord, ToolChoice


class RunInput(Contract):
    """The argument of ``IncidentWorkflow``: what happened, in whose words, and what the starter asks for."""

    text: str = Field(min_length=1, max_length=100_000, description="The alert or the question.")
    service: str | None = Field(default=None, max_length=150, description="Name in the operator's service catalogue.")
    severity: str | None = Field(default=None, max_length=150)
    limits: LimitChanges | None = Field(default=None, description="Replaces the configured limits one by one.")
    tool_choice: ToolChoice | None = Field(default=None, description="Absent: auto.")
    origin: AlertOrigin | None = Field(default=None, description="Absent: a person started it, not an alert.")
    carried: CarriedState | None = Field(default=None, description="Set by continue-as-new alone.")


class RunProgress(Contract):
    """What the query ``progress`` answers: how the run stands right now."""

    status: RunStatus
    phase: str = Field(description="What the run is doing, in a few words.")
    round: int
    calls: list[CallRecord]
    usage: Usage
    limits: Limits | None = Field(default=None, description="Absent until the run is briefed.")
    report: Report | None = None


class RunMemo(Contract):
    """The memo ``now`` of a run: how it stands, for who looks when no worker is alive."""

    doing: str = Field(description="In a few words.")
    used: str = Field(description="Of its limits.")
    waits_for: str | None = Field(default=None, description="Whom, and for what.")
    answer: str | None = Field(default=None, description="The command that answers it.")
    found: list[str] = Field(default_factory=list, description="The beginning of what its latest calls gave.")
    report: str | None = Field(default=None, description="Its beginning, in Markdown.")


class RunResult(Contract):
    """The result of a run, and the detail of the error of one that a limit or a failure ended."""

    status: RunStatus
    report: Report
    rounds: int
    tool_calls: int
    usage: Usage
    limits: Limits | None = None
    reason: str | None = Field(default=None, description="Why it did not conclude.")
    undelivered: list[str] = Field(default_factory=list, description="Destinations without the report, and why.")


class EpisodeMemo(Contract):
    """The memo ``episode`` of a run: what those who read of its group's next alerts must know of it."""

    status: RunStatus
    summary: str = Field(description="Of its report.")
    began: list[float] = Field(description="When the latest episodes of the group began, this one last; Unix seconds.")
    marks: list[str] = Field(description="The firings it has dealt with.")
