"""What is watched: an incident that was accepted, or refused, until people have its report or were paged."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Protocol


class AcceptedAlerts(Protocol):
    """What Temporal took of a delivery, as the intake tells it."""

    @property
    def outcome(self) -> str:
        """``started``, ``joined``, ``repeated`` or ``ignored``."""
        ...

    @property
    def workflow_id(self) -> str | None:
        """Of the run of the group; None: it has none."""
        ...

    @property
    def run_id(self) -> str | None:
        """First execution run id."""
        ...

    @property
    def service(self) -> str | None:
        """As the catalogue names it."""
        ...

    @property
    def team(self) -> str | None:
        """Likewise."""
        ...

    @property
    def severity(self) -> str | None:
        """Of its worst alert."""
        ...

    @property
    def title(self) -> str:
        """One line."""
        ...


@dataclass(frozen=True)
class RefusedGroup:
    """A group that fires and that Temporal could not take, so that its sender was told to try again."""

    workflow_id: str
    title: str
    service: str | None = None
    """As the catalogue names it."""
    team: str | None = None
    severity: str | None = None


@dataclass
class WatchedIncident:
    """One incident; times are Unix seconds."""

    key: str
    """The run, else what names the refusal in PagerDuty."""
    workflow_id: str
    run_id: str | None
    """First execution run id; None: it was refused, so it has no run."""
    title: str
    service: str | None
    team: str | None
    severity: str | None
    accepted_at: float
    """When it was accepted, or first refused."""
    deadline: float
    reported_at: float | None = None
    paged_at: float | None = None
    execution: str = field(default="", compare=False)
    """Its latest execution that is known, for a run that continues as new has several; not kept over a restart."""

    def __post_init__(self) -> None:
        self.execution = self.execution or self.run_id or ""

    @property
    def over(self) -> bool:
        """Whether people know: by a report or by a page."""
        return self.reported_at is not None or self.paged_at is not None


@dataclass
class WatchdogCounts:
    """What the watchdog has done since its process started, and what it watches now; for metrics."""

    watched: int = 0
    """Incidents without a report or a page, as of now."""
    refused: int = 0
    """Those among them that Temporal could not take."""
    pages: int = 0
    """Pages that PagerDuty took."""
    failed: int = 0
    """Pages that it did not take; each is tried again."""
    unpageable: int = 0
    """Incidents for which nobody can be paged."""
    unjournaled: int = 0
    """Writes to the journal that failed."""
    outage: bool = False
    """Whether there is no Temporal or no worker, as of now."""
