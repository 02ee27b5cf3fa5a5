"""Filters for lists of runs, as a Temporal list query (pure)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal, TypeAlias

from watchkeeper.temporal import search_attributes
from watchkeeper.temporal.search_attributes import Key, WaitingFor

ListStatus: TypeAlias = Literal["running", "concluded", "limit_reached", "failed", "stopped"]
"""Status of a run in a list. A run that stays open after its report has the status of the report."""

CLOSED = ("Completed", "Failed", "Canceled", "Terminated", "TimedOut")
"""Temporal's statuses of a closed workflow. An open workflow may be Running or Paused."""

_WITHOUT_OUTCOME: dict[ListStatus, tuple[str, ...]] = {
    "concluded": ("Completed",),
    "failed": ("Failed", "TimedOut"),
    "stopped": ("Canceled", "Terminated"),
}
"""Temporal's statuses that decide for a run that was closed before it set its outcome."""


@dataclass(frozen=True)
class RunFilter:
    """Conditions that listed runs must meet. None means any."""

    open_only: bool = False
    service: str | None = None
    severity: str | None = None
    team: str | None = None
    source: str | None = None
    """Name of an alert source, or ``person``."""
    state: ListStatus | None = None
    waiting_for: WaitingFor | None = None
    since: datetime | None = None
    """Earliest start."""
    query: str | None = None
    """Additional condition in the syntax of Temporal list filters."""
    workflow_id: str | None = None

    @property
    def narrows(self) -> bool:
        """Whether the filter has any condition, so that a list may hold only some executions of a workflow id."""
        return self != RunFilter()

    def clauses(self) -> list[str]:
        """Return the conditions in the syntax of Temporal list filters, to be joined by AND."""
        keywords: tuple[tuple[Key, str | None], ...] = (
            (search_attributes.SERVICE, self.service),
            (search_attributes.SEVERITY, self.severity),
            (search_attributes.TEAM, self.team),
            (search_attributes.SOURCE, self.source),
            (search_attributes.WAITING_FOR, self.waiting_for),
        )
        clauses = [f"{key.name} = {_quoted(value)}" for key, value in keywords if value is not None]
        if self.open_only or self.waiting_for is not None:  # a terminated run keeps its last WaitingFor attribute
            clauses.append(f"ExecutionStatus NOT IN {_list(CLOSED)}")
        if self.state is not None:
            clauses.append(_has_status(self.state))
        if self.workflow_id is not None:
            clauses.append(f"WorkflowId = {_quoted(self.workflow_id)}")
        if self.since is not None:
            clauses.append(f"StartTime >= '{self.since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'")
        if self.query is not None:
            clauses.append(f"({self.query})")
        return clauses


def _has_status(status: ListStatus) -> str:
    outcome = search_attributes.OUTCOME.name
    if status == "running":
        return f"{outcome} IS NULL AND ExecutionStatus NOT IN {_list(CLOSED)}"
    by_outcome = f"{outcome} = {_quoted(status)}"
    closed = _WITHOUT_OUTCOME.get(status)
    return f"({by_outcome} OR ({outcome} IS NULL AND ExecutionStatus IN {_list(closed)}))" if closed else by_outcome


def _list(names: tuple[str, ...]) -> str:
    return f"({', '.join(map(_quoted, names))})"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
