"""Which runs are wanted in a list, and how Temporal is asked for them (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from watchkeeper.temporal import search_attributes
from watchkeeper.temporal.search_attributes import Key, WaitingFor

ListStatus: TypeAlias = Literal["running", "concluded", "limit_reached", "failed", "stopped"]
"""How a run stands in a list; one that stays open after its report stands as that concluded."""

CLOSED = ("Completed", "Failed", "Canceled", "Terminated", "TimedOut")
"""Temporal's names of the states in which a run is over; those of one that is not are several, too."""

_UNSAID: dict[ListStatus, tuple[str, ...]] = {
    "concluded": ("Completed",),
    "failed": ("Failed", "TimedOut"),
    "stopped": ("Canceled", "Terminated"),
}
"""States of runs that were ended in Temporal before they could say how they ended."""


@dataclass(frozen=True)
class RunFilter:
    """What runs must have in common to be listed; what is None does not matter."""

    open_only: bool = False
    service: str | None = None
    severity: str | None = None
    team: str | None = None
    source: str | None = None
    """Name of an alert source, or ``person``."""
    state: ListStatus | None = None
    waiting_for: WaitingFor | None = None
    since: datetime | None = None
    """When they started at the earliest."""
    query: str | None = None
    """What else, in Temporal's own words for lists."""
    workflow_id: str | None = None

    @property
    def narrows(self) -> bool:
        """Whether some runs of a name may be listed and others of it not."""
        return self != RunFilter()

    def clauses(self) -> list[str]:
        """Return what a list asks for beside the kind of workflow, each in Temporal's words."""
        given: tuple[tuple[Key, str | None], ...] = (
            (search_attributes.SERVICE, self.service),
            (search_attributes.SEVERITY, self.severity),
            (search_attributes.TEAM, self.team),
            (search_attributes.SOURCE, self.source),
            (search_attributes.WAITING_FOR, self.waiting_for),
        )
        clauses = [f"{key.name} = {_quoted(value)}" for key, value in given if value is not None]
        if self.open_only or self.waiting_for is not None:  # the last wish of a run that was terminated means nothing
            clauses.append(f"ExecutionStatus NOT IN {_list(CLOSED)}")
        if self.state is not None:
            clauses.append(_in_state(self.state))
        if self.workflow_id is not None:
            clauses.append(f"WorkflowId = {_quoted(self.workflow_id)}")
        if self.since is not None:
            clauses.append(f"StartTime >= '{self.since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'")
        if self.query is not None:
            clauses.append(f"({self.query})")
        return clauses


def _in_state(state: ListStatus) -> str:
    outcome = search_attributes.OUTCOME.name
    if state == "running":
        return f"{outcome} IS NULL AND ExecutionStatus NOT IN {_list(CLOSED)}"
    said = f"{outcome} = {_quoted(state)}"
    unsaid = _UNSAID.get(state)
    return f"({said} OR ({outcome} IS NULL AND ExecutionStatus IN {_list(unsaid)}))" if unsaid else said


def _list(names: tuple[str, ...]) -> str:
    return f"({', '.join(map(_quoted, names))})"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
