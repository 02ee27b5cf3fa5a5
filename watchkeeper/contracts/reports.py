"""Reports, their deliveries and the status message of a run."""

from __future__ import annotations

from pydantic import Field

from watchkeeper.contracts.alerts import AlertOrigin, AlertState
from watchkeeper.contracts.base import Contract, RunStatus
from watchkeeper.contracts.briefing import Destination
from watchkeeper.contracts.tools import CallRecord


class Evidence(Contract):
    """A call whose result the report rests on."""

    call: str
    tool: str
    arguments: str
    finding: str


class Report(Contract):
    """What people read: the model's words when it concluded, else what was recorded."""

    summary: str = Field(description="One line.")
    body: str = Field(description="Markdown.")
    evidence: list[Evidence] = Field(default_factory=list)


class PostedMessage(Contract):
    """The message that tells a run in a channel, as its host names it."""

    channel: str
    ts: str


class ChannelUpdate(Contract):
    """The argument of ``announce``: how a run stands, for the one message that tells it."""

    run: str = Field(description="First execution run id.")
    workflow_id: str
    channel: str
    title: str = Field(description="What it is about, one line.")
    phase: str = Field(description="What it is doing, in a few words.")
    status: RunStatus
    service: str | None = None
    severity: str | None = None
    reason: str | None = None
    summary: str | None = Field(default=None, description="Of its report, once there is one.")
    waiting: list[CallRecord] = Field(default_factory=list, description="Calls that wait for a person.")
    alerts: list[AlertState] = Field(default_factory=list)
    silence: str | None = Field(default=None, description="Address at which a person can silence the group.")
    message: PostedMessage | None = Field(default=None, description="Absent: it is not posted yet.")


class ReportDelivery(Contract):
    """The argument of ``deliver``: one report to one destination."""

    destination: Destination
    run: str = Field(description="First execution run id.")
    workflow_id: str
    status: RunStatus
    report: Report
    reason: str | None = None
    service: str | None = None
    severity: str | None = None
    origin: AlertOrigin | None = None
    alerts: list[AlertState] = Field(default_factory=list)
    follow_up: int = Field(default=0, description="Which follow-up this answers, from 1; absent: it is the report.")
    question: str | None = Field(default=None, description="What that follow-up asked.")
    began: float | None = Field(default=None, description="Unix seconds at which the follow-up began; absent: unknown.")
    message: PostedMessage | None = Field(default=None, description="The message whose thread it belongs to.")
    last_resort: bool = Field(default=False, description="No destination has taken it: page, whatever else is set.")

    @property
    def part(self) -> str:
        """Name it among the deliveries of its run, the same in every attempt."""
        return f"follow-up-{self.follow_up}" if self.follow_up else "report"
