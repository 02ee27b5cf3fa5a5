"""A run: its input, its progress, its result and what its memos hold."""

from __future__ import annotations

from pydantic import Field

from watchkeeper.contracts.alerts import AlertOrigin, AlertState
from watchkeeper.contracts.base import Contract, RunStatus
from watchkeeper.contracts.carried import CarriedState
from watchkeeper.contracts.limits import LimitChanges, Limits, Usage
from watchkeeper.contracts.reports import Report
from watchkeeper.contracts.tools import CallRecord, ToolChoice


class RunInput(Contract):
    """The argument of ``IncidentWorkflow``: what happened, and what the starter asks for."""

    text: str = Field(min_length=1, max_length=100_000, description="The alert or the question.")
    service: str | None = Field(default=None, max_length=150, description="Name in the operator's service catalogue.")
    severity: str | None = Field(default=None, max_length=150)
    limits: LimitChanges | None = Field(default=None, description="Replaces the configured limits one by one.")
    tool_choice: ToolChoice | None = Field(default=None, description="Absent: auto.")
    origin: AlertOrigin | None = Field(default=None, description="Absent: a person started it, not an alert.")
    carried: CarriedState | None = Field(default=None, description="Set only by continue-as-new.")


class RunProgress(Contract):
    """The answer of the query ``progress``: the present status of the run."""

    status: RunStatus
    phase: str = Field(description="What the run is doing, in short.")
    round: int
    calls: list[CallRecord]
    usage: Usage
    limits: Limits | None = Field(default=None, description="Absent until the run is briefed.")
    report: Report | None = None


class RunMemo(Contract):
    """The memo ``now`` of a run: its status, which can be read when no worker is alive."""

    doing: str = Field(description="What the run is doing, in short.")
    used: str = Field(description="What it has used of its limits.")
    waits_for: str | None = Field(default=None, description="The person or event that the run waits for.")
    waits_until: float | None = Field(default=None, description="Unix seconds at which the wait ends by itself.")
    answer: str | None = Field(default=None, description="Command that ends the wait.")
    found: list[str] = Field(default_factory=list, description="Beginnings of the results of its latest calls.")
    report: str | None = Field(default=None, description="Beginning of the report, in Markdown.")
    unsupported: str | None = Field(default=None, description="Which statements of the report nothing supports.")


class RunResult(Contract):
    """The result of a run; also the detail of the error if a limit or a failure ended the run."""

    status: RunStatus
    report: Report
    rounds: int
    tool_calls: int
    usage: Usage
    limits: Limits | None = None
    reason: str | None = Field(default=None, description="Why the run did not conclude.")
    undelivered: list[str] = Field(
        default_factory=list, description="Destinations that did not receive the report, and why."
    )


class EpisodeMemo(Contract):
    """The memo ``episode`` of a run: what the group's next run needs to know about this episode."""

    status: RunStatus
    summary: str = Field(description="First line of its report.")
    began: list[float] = Field(
        description="When the latest episodes of the group began, in Unix seconds; this one last."
    )
    marks: list[str] = Field(description="Ids of the firings that the run has handled.")
    more: str = Field(
        default="", description="Ids of further firings of a large group: the first 6 characters of each, joined."
    )
    alerts: list[AlertState] = Field(
        default_factory=list, description="The alerts that changed last, as the run knew them, under short ids."
    )
    messages: list[str] = Field(default_factory=list, description="Ids of the latest messages of the sender.")
