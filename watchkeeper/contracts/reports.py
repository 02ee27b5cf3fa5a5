"""Reports, their deliveries and the status message of a run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from watchkeeper.contracts.alerts import AlertOrigin, AlertState
from watchkeeper.contracts.base import Contract, RunStatus
from watchkeeper.contracts.briefing import Destination
from watchkeeper.contracts.pages import Incident
from watchkeeper.contracts.tools import CallRecord

Verdict = Literal["diagnosed", "recovered", "healthy", "unknown"]
"""What a report concludes: the cause is found; it has ended; nothing is wrong; the cause stays unknown."""

ClaimKind = Literal["figure", "version", "time", "incident", "name", "quote", "citation", "action", "health"]


ApprovalEvent = Literal["request", "reminder", "approved", "denied", "expired", "ended"]
"""What happened to a call that waits for approval.

``reminder``: part of the time to decide has passed; ``expired``: no one decided; ``ended``: its investigation ended.
"""


class Claim(Contract):
    """A statement of a report that no result, alert or message supports."""

    text: str = Field(description="As the report has it: 73.4 %.")
    kind: ClaimKind
    why: str = Field(description="Why it is not supported, in short.")
    occurrences: list[int] = Field(
        default_factory=list,
        description="Which occurrences of the text in the report are meant, from 0; absent: all of them.",
    )


class Evidence(Contract):
    """A call whose result supports the report."""

    call: str
    tool: str
    arguments: str
    finding: str


class Report(Contract):
    """What people read: the model's conclusion if there is one, else what was recorded."""

    summary: str = Field(description="One line.")
    body: str = Field(description="Markdown.")
    evidence: list[Evidence] = Field(default_factory=list)
    verdict: Verdict | None = Field(default=None, description="Absent: no conclusion, or the answer to a question.")
    unsupported: list[Claim] = Field(
        default_factory=list, description="Statements of the model that nothing supports; the body marks them."
    )


class PostedMessage(Contract):
    """The status message of a run in a channel, as Slack identifies it."""

    channel: str
    ts: str


class ChannelUpdate(Contract):
    """The argument of ``announce``: the status of a run, for its message in a channel."""

    run: str = Field(description="First execution run id.")
    workflow_id: str
    channel: str
    title: str = Field(description="First line of the alert or question.")
    phase: str = Field(description="What the run is doing, in short.")
    status: RunStatus
    service: str | None = None
    unknown_service: str | None = Field(
        default=None, description="What the alerts call a service that the catalogue does not name."
    )
    severity: str | None = None
    reason: str | None = None
    summary: str | None = Field(default=None, description="Summary of the report, once there is one.")
    verdict: Verdict | None = Field(default=None, description="Of the report; absent: none.")
    unsupported: list[Claim] = Field(default_factory=list, description="Of the report, the first ones.")
    waiting: list[CallRecord] = Field(default_factory=list, description="Calls that wait for a decision.")
    alerts: list[AlertState] = Field(default_factory=list)
    silence: str | None = Field(default=None, description="Address at which a person can silence the group.")
    message: PostedMessage | None = Field(default=None, description="Absent: not posted yet.")


class ApprovalNotice(Contract):
    """The argument of ``announce_approval``: a notice about a call that waits for their approval."""

    event: ApprovalEvent
    run: str = Field(description="First execution run id.")
    workflow_id: str
    call: CallRecord
    title: str = Field(description="First line of the alert or question.")
    asked_at: float = Field(description="Unix seconds at which the call began to wait.")
    service: str | None = None
    severity: str | None = None
    team: str | None = Field(default=None, description="As the alerts name it; absent: the owner of the service.")
    channel: str | None = Field(default=None, description="Absent: no message in Slack.")
    page: bool = Field(default=False, description="Page the team, or resolve that page.")
    status_message: PostedMessage | None = Field(default=None, description="Message in whose thread it is posted.")
    request: PostedMessage | None = Field(default=None, description="Message that asked people; absent: unknown.")
    reminder: PostedMessage | None = Field(default=None, description="Message that reminded them; absent: unknown.")
    quiet: bool = Field(default=False, description="The notice of another call mentions people at the same time.")
    search: bool = Field(default=False, description="These messages may have been posted without being recorded.")
    by: str = Field(default="", description="The person who decided.")
    note: str = Field(default="", description="Why, as that person wrote it.")


class ReportDelivery(Contract):
    """The argument of ``deliver``: one report to one destination."""

    destination: Destination
    run: str = Field(description="First execution run id.")
    workflow_id: str
    status: RunStatus
    report: Report = Field(
        default=Report(summary="", body=""), description="Absent: the argument of the delivery ``report_in`` has it."
    )
    report_in: str | None = Field(
        default=None, description="Activity id of another delivery of this report; absent: this one has the report."
    )
    reason: str | None = None
    service: str | None = None
    severity: str | None = None
    origin: AlertOrigin | None = None
    alerts: list[AlertState] = Field(default_factory=list)
    follow_up: int = Field(
        default=0, description="Number of the follow-up that this answers, from 1; absent: it is the report."
    )
    question: str | None = Field(default=None, description="Question of that follow-up.")
    began: float | None = Field(default=None, description="Unix seconds at which the follow-up began; absent: unknown.")
    message: PostedMessage | None = Field(default=None, description="Message in whose thread it is posted.")
    last_resort: bool = Field(
        default=False, description="No destination has accepted it: page, regardless of the other fields."
    )
    joined: int = Field(
        default=0,
        description="Number of alerts that joined after the report and that this follow-up is about; absent: none.",
    )
    wake: str | None = Field(
        default=None, description="Why people are paged although the run concluded, or although it is a follow-up."
    )
    incident: Incident | None = Field(default=None, description="What a page says first; absent: no briefing.")
    refused: bool = Field(
        default=False, description="A person's run that could not be briefed: the person reads why, no page follows."
    )

    def without_report(self, report_in: str) -> ReportDelivery:
        """Return the delivery with a reference to the one that has the report."""
        fields = {name: value for name, value in self if name in self.model_fields_set and name != "report"}
        return ReportDelivery(**{**fields, "report_in": report_in})

    @property
    def page_subject(self) -> str:
        """What a page is about, for its key: the run, or one of its follow-ups.

        A follow-up needs another key: with that of the run, PagerDuty wakes no one while the first page is open.
        """
        return f"{self.run}/{self.part}" if self.follow_up else self.run

    @property
    def part(self) -> str:
        """Name of this delivery among the deliveries of its run, the same in every attempt."""
        return f"follow-up-{self.follow_up}" if self.follow_up else "report"


class LateDelivery(Contract):
    """The argument of ``DeliveryWorkflow``: a report for destinations that did not accept it while its run was open."""

    delivery: ReportDelivery = Field(description="Its destination is the first of the destinations.")
    destinations: list[Destination] = Field(min_length=1)
