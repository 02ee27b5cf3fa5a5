"""What the activity ``brief`` decides once per run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from watchkeeper.contracts.base import Contract, Digest, JsonObject
from watchkeeper.contracts.limits import Limits
from watchkeeper.contracts.pages import PageRules
from watchkeeper.contracts.queue import QueueSettings
from watchkeeper.contracts.tools import ToolSpec

Destination = Literal["log", "directory", "webhook", "page", "slack", "pagerduty_note"]
"""Where a report is delivered."""


class HistoryBounds(Contract):
    """When a run continues as new after the server has suggested it."""

    event_bytes: int = Field(description="Approximate size of an event without the message in it.")
    carried_bytes: int = Field(description="A conversation up to this size is carried without compaction.")
    bytes: int = Field(description="History size at which a run continues even if that needs compaction.")
    events: int = Field(description="Number of events, in the same way.")


class FollowUpSettings(Contract):
    """What a run that alerts started does after its report."""

    window: float = Field(ge=0, description="Seconds for which it stays open while its alerts fire.")
    quiet: float = Field(
        default=0, description="Seconds for which it stays open after they resolve, since alerts flap."
    )
    flapping: int = Field(default=0, description="Number of this episode within a short time, if the group flaps.")
    limits: Limits = Field(description="What each follow-up may use, in addition to what was used before.")
    alerts: int = Field(default=0, description="How often alerts that join later are investigated.")
    began: str = Field(description="Text for the model before the alerts that started the run.")
    changed: str = Field(description="Text for the model before alerts that changed.")
    recovered: str = Field(description="Text for the model when the last alert resolves during the investigation.")
    pages: bool = Field(
        default=False,
        description="People are paged for alerts that join and have no conclusion; absent: they are not.",
    )


class ConclusionRules(Contract):
    """What code demands of a conclusion, and what the model reads if it does not get it."""

    by_alert: bool = Field(
        default=False, description="Alerts started the run: it needs a read that succeeded, and one verdict."
    )
    text_call: str = Field(description="Text for the model after a tool call that it wrote as text.")
    correction: str = Field(description="Text for the model before the list of what is wrong with its report.")


class ApprovalRules(Contract):
    """How people learn that a call waits for their approval, apart from the status message."""

    reminder: float = Field(ge=0, le=1, description="Part of the time to decide after which people are reminded.")
    page: bool = Field(default=False, description="The run's team is also paged, with a low severity.")


class Briefing(Contract):
    """What ``brief`` decides once per run: the first messages, the tools, the limits."""

    opening: list[JsonObject] = Field(description="The first messages of the conversation, as sent to the model.")
    tools: list[ToolSpec] = Field(description="Sorted by name.")
    catalogue: Digest = Field(description="Digest of the tools as sent to the model.")
    limits: Limits
    model: str = Field(description="Name of the primary model.")
    model_deadline: float = Field(description="Seconds one model call may take.")
    history: HistoryBounds
    window: int | None = Field(
        default=None, description="Tokens at which a summary replaces older rounds; absent: when the model refuses."
    )
    destinations: list[Destination] = Field(
        description="Where the report is delivered; people are paged only without a conclusion."
    )
    nudge: str = Field(description="Text for the model after an empty reply.")
    insist: str | None = Field(
        default=None, description="Text for the model when it answers without the tool that it had to call."
    )
    conclude: str = Field(description="Text for the model in its last round, which has no tools.")
    turns: QueueSettings | None = Field(default=None, description="Absent: the run investigates immediately.")
    follow_ups: FollowUpSettings | None = Field(default=None, description="Absent: the run ends with its report.")
    channel: str | None = Field(default=None, description="Channel of the status message; absent: none.")
    overdue: float | None = Field(
        default=None, description="Seconds after which people are paged for a report that no destination has accepted."
    )
    conclusions: ConclusionRules | None = Field(
        default=None, description="Absent: the run was briefed by a version that accepts any text."
    )
    pages: PageRules | None = Field(default=None, description="Absent: in the same way, any page.")
    approvals: ApprovalRules | None = Field(
        default=None, description="Absent: only the status message shows that a call waits."
    )
