"""Data of the watchdog: accepted or refused incidents, watched until people have a report or were paged."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class RefusedGroup:
    """A firing group that Temporal could not accept. Its sender got a 503."""

    workflow_id: str
    title: str
    service: str | None = None
    """Name in the service catalogue."""
    team: str | None = None
    severity: str | None = None
    closing: bool = False
    """Whether Temporal was there, and the last run of the group was about to close."""


@dataclass
class WatchedIncident:
    """One incident. Times are Unix seconds."""

    key: str
    """First execution run id. For a refused group: its dedup key in PagerDuty."""
    workflow_id: str
    run_id: str | None
    """First execution run id; None for a refused group, which has no run."""
    title: str
    service: str | None
    team: str | None
    severity: str | None
    accepted_at: float
    """When it was accepted, or first refused."""
    deadline: float
    reported_at: float | None = None
    paged_at: float | None = None
    joined: bool = False
    """Whether it is about alerts that joined after the report of the run: they need another page."""
    execution: str = field(default="", compare=False)
    """Latest known execution of the run, which may have continued as new. Not kept over a restart."""
    waiting_since: float | None = field(default=None, compare=False)
    """Since when alerts that joined after the report have had no answer, as the run last said. Not kept either."""

    closing: bool = field(default=False, compare=False)
    """As in the refused group. Not kept either."""

    def __post_init__(self) -> None:
        self.execution = self.execution or self.run_id or ""

    @property
    def is_closed(self) -> bool:
        """Whether people know of it, by a report or by a page."""
        return self.reported_at is not None or self.paged_at is not None


@dataclass
class WatchdogCounts:
    """Counters since the process started, and gauges of the current state. The metrics export them by these names."""

    watched: int = 0
    """Current number of incidents without a report or a page."""
    refused: int = 0
    """How many of these Temporal could not accept."""
    pages: int = 0
    """Pages that PagerDuty accepted."""
    failed: int = 0
    """Pages that PagerDuty did not accept; each is tried again."""
    unpageable: int = 0
    """Incidents whose team has no routing key."""
    unjournaled: int = 0
    """Failed writes to the journal."""
    approvals: int = 0
    """Current number of runs that wait for a person's approval, as last counted."""
    stuck: int = 0
    """Current number of runs that make no progress, because their workflow tasks fail again and again."""
    outage: bool = False
    """Whether Temporal or the workers are missing now."""
