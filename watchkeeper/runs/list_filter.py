"""Filters for lists of runs, as a Temporal list query (pure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from watchkeeper.contracts import RunStatus
from watchkeeper.incident.status_rule import WITHOUT_OUTCOME
from watchkeeper.temporal import search_attributes
from watchkeeper.temporal.search_attributes import Key, WaitingFor

CLOSED = tuple(WITHOUT_OUTCOME)
"""Temporal's statuses of a closed workflow. An open workflow may be Running or Paused."""


@dataclass(frozen=True)
class RunFilter:
    """Conditions that listed runs must meet. None means any."""

    open_only: bool = False
    service: str | None = None
    severity: str | None = None
    team: str | None = None
    source: str | None = None
    """Name of an alert source, or ``person``."""
    state: RunStatus | None = None
    waiting_for: WaitingFor | None = None
    unsupported: bool = False
    """Only runs whose report has unsupported claims."""
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
        clauses = [f"{key.name} = {quoted(value)}" for key, value in keywords if value is not None]
        if self.open_only or self.waiting_for is not None:  # a terminated run keeps its last WaitingFor attribute
            clauses.append(f"ExecutionStatus NOT IN {_list(CLOSED)}")
        if self.state is not None:
            clauses.append(_has_status(self.state))
        if self.unsupported:
            clauses.append(f"{search_attributes.UNSUPPORTED_CLAIMS.name} > 0")
        if self.workflow_id is not None:
            clauses.append(f"WorkflowId = {quoted(self.workflow_id)}")
        if self.since is not None:
            clauses.append(f"StartTime >= '{self.since.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}'")
        if self.query is not None:
            clauses.append(f"({self.query})")
        return clauses


def _has_status(status: RunStatus) -> str:
    outcome = search_attributes.OUTCOME.name
    if status == "running":
        return f"{outcome} IS NULL AND ExecutionStatus NOT IN {_list(CLOSED)}"
    by_outcome = f"{outcome} = {quoted(status)}"
    closed = tuple(end for end, without_outcome in WITHOUT_OUTCOME.items() if without_outcome == status)
    return f"({by_outcome} OR ({outcome} IS NULL AND ExecutionStatus IN {_list(closed)}))" if closed else by_outcome


def _list(names: Iterable[str]) -> str:
    return f"({', '.join(map(quoted, names))})"


def quoted(text: str) -> str:
    """Return a text as a literal of a Temporal list filter."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
