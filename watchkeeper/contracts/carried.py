"""The state that a run takes through continue-as-new."""

from __future__ import annotations

from pydantic import Field

from watchkeeper.contracts.alerts import Alert, AlertState, CompactState
from watchkeeper.contracts.base import Contract, Digest, JsonObject
from watchkeeper.contracts.briefing import Briefing
from watchkeeper.contracts.conversation import ConversationEntry
from watchkeeper.contracts.limits import BudgetUsed, Limits
from watchkeeper.contracts.reports import PostedMessage, Report
from watchkeeper.contracts.tools import CallRecord


class FollowUpState(Contract):
    """The state of a run that stays open after its report."""

    report: Report
    at: float = Field(description="When the report was written, in Unix seconds.")
    question: str | None = Field(default=None, description="The follow-up that is being answered.")
    by_alerts: bool = Field(default=False, description="Alerts that joined started it, not a person.")
    follow_ups: int = Field(default=0, description="Number of follow-ups, including this one.")
    looked: int = Field(default=0, description="How many of them were started by alerts that joined.")
    undelivered: list[str] = Field(default_factory=list)
    joined: list[str] = Field(
        default_factory=list, description="Fingerprints of the joined alerts that this follow-up has read about."
    )
    unaccepted: list[int] = Field(
        default_factory=list, description="Follow-ups about joined alerts whose answer no person has received."
    )
    waiting_since: float | None = Field(
        default=None, description="Unix seconds since when a joined alert has had no answer; absent: all have one."
    )
    noticed: list[str] = Field(
        default_factory=list, description="Fingerprints of alerts that a notice was about and the model has not read."
    )
    noticed_at: float | None = Field(default=None, description="When the last notice was written, in Unix seconds.")


class CarryRequest(Contract):
    """The argument of ``carry``: the conversation to carry into the next execution of the run."""

    base: Digest
    append: list[ConversationEntry]
    room: int | None = Field(
        default=None, ge=0, description="Largest conversation in bytes; absent: the configured bound."
    )
    by_reference: bool = Field(
        default=False, description="The next execution can read the messages from the history of this one."
    )


class CarriedConversation(Contract):
    """The conversation with which an execution begins.

    An execution before it has recorded the messages, so its history is named instead of copied. Earlier versions
    carried whole conversations; a summary replaced the older rounds of one that was too large to carry.
    """

    messages: list[JsonObject] = Field(
        default_factory=list, description="Its messages; with ``kept`` only those before the kept ones, or none."
    )
    digest: Digest
    compacted: int = Field(default=0, description="Messages that the summary replaces.")
    kept: int | None = Field(
        default=None,
        description="Number of messages after the opening and the summary that are not carried; absent: all are.",
    )
    execution: str | None = Field(
        default=None, description="Run id of the execution whose history has the messages; absent: they are carried."
    )


class CarriedState(Contract):
    """The state of a run that continues as new, at a round boundary."""

    briefing: Briefing = Field(description="With an empty opening if the conversation is carried with its messages.")
    conversation: CarriedConversation
    limits: Limits
    spent: BudgetUsed
    started_at: float = Field(description="Unix seconds at which the run began.")
    calls: list[CallRecord] = Field(default_factory=list)
    words: list[str] = Field(default_factory=list, description="Messages that the model has not read yet.")
    told: list[str] = Field(
        default_factory=list,
        description="The latest messages that it has read, in case the history with them is deleted.",
    )
    nudged: bool = False
    corrected: bool = Field(default=False, description="The model has read what is wrong with its report.")
    draft_answer: str = Field(default="", description="A conclusion given before the model read the latest news.")
    window_fill: int = Field(default=0, description="Tokens of the last request and reply; absent: unknown.")
    alert_looks: int = Field(default=0, description="How often alerts alone kept the investigation open.")
    acts: list[str] = Field(
        default_factory=list, description="Ids of the latest updates, each of which is applied once."
    )
    alerts: list[AlertState] = Field(default_factory=list)
    compact: list[CompactState] = Field(
        default_factory=list,
        description="Further alerts of a large group: digest, status, severity, starts_at, ends_at, firing, again.",
    )
    unlisted: int = Field(default=0, description="Alerts that the run does not track although they may fire.")
    unread: list[Alert] = Field(default_factory=list, description="Changes of alerts that the model has not read yet.")
    messages: list[str] = Field(
        default_factory=list, description="Ids of the latest messages of alert senders, each of which counts once."
    )
    notes: list[str] = Field(default_factory=list, description="Remarks of alert senders, in the same way.")
    silence: str | None = Field(default=None, description="Address at which a person can silence the group.")
    links: dict[str, str] = Field(default_factory=dict, description="Links of the worst alert, for pages.")
    message: PostedMessage | None = None
    reported: FollowUpState | None = Field(default=None, description="Absent: the first investigation has not ended.")
