"""What the activity ``brief`` decides once per run."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from watchkeeper.contracts.base import Contract, Digest, JsonObject
from watchkeeper.contracts.limits import Limits
from watchkeeper.contracts.queue import QueueSettings
from watchkeeper.contracts.tools import ToolSpec

Destination = Literal["log", "directory", "webhook", "page", "slack", "pagerduty_note"]
"""Where a report is delivered."""


class HistoryBounds(Contract):
    """When a run that the server suggests to continue as new does so."""

    event_bytes: int = Field(description="About what an event takes beside the message it may hold.")
    carried_bytes: int = Field(description="A conversation up to this size is carried whole.")
    bytes: int = Field(description="Where a history ends even if its conversation must be compacted.")
    events: int = Field(description="Likewise.")


class FollowUpSettings(Contract):
    """How a run that alerts started goes on after its report."""

    window: float = Field(ge=0, description="Seconds for which it stays open while its alerts fire.")
    quiet: float = Field(default=0, description="Seconds for which it stays open after they resolved, as they flap.")
    flapping: int = Field(default=0, description="Which episode of a short time this is, where the group flaps.")
    limits: Limits = Field(description="What each follow-up question may use, beyond what was used before.")
    alerts: int = Field(default=0, description="How often alerts that join the group later are looked into.")
    began: str = Field(description="What the model is told with the alerts that started the run.")
    changed: str = Field(description="Likewise when alerts of the group change.")
    recovered: str = Field(description="Likewise when the last one is over while it investigates.")


class Briefing(Contract):
    """What ``brief`` decides once per run: the opening words, the tools, the limits."""

    opening: list[JsonObject] = Field(description="The first messages of the conversation, as sent to the model.")
    tools: list[ToolSpec] = Field(description="Sorted by name.")
    catalogue: Digest = Field(description="Digest of the tools as sent to the model.")
    limits: Limits
    model: str = Field(description="Name of the model that is asked first.")
    model_deadline: float = Field(description="Seconds one model call may take.")
    history: HistoryBounds
    window: int | None = Field(
        default=None, description="Tokens at which older rounds give way to a summary; absent: when the model refuses."
    )
    destinations: list[Destination] = Field(description="Where the report goes; the pager only without a conclusion.")
    nudge: str = Field(description="What the model is told after an empty reply.")
    insist: str | None = Field(
        default=None, description="What the model is told when it answers without the tool it was to call."
    )
    conclude: str = Field(description="What the model is told when it has no tools left.")
    turns: QueueSettings | None = Field(default=None, description="Absent: it investigates at once.")
    follow_ups: FollowUpSettings | None = Field(default=None, description="Absent: the run is over with its report.")
    channel: str | None = Field(
        default=None, description="Where one message tells how the run stands; absent: nowhere."
    )
    overdue: float | None = Field(
        default=None, description="Seconds after which people are paged for a report that no destination has taken."
    )
