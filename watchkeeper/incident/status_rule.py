"""The status of a run: one rule, which every view of a run uses (pure).

A run has the outcome of its first investigation as its status from the moment that its report is written: while the
report is delivered, while the run stays open for follow-ups, and after it has closed, in any way. A run without a
report has the status of its end in Temporal, and is ``running`` before that.

The outcome is recorded in the search attribute ``Outcome``, which is in the history of the run and in lists of runs.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal, TypeAlias, get_args

from watchkeeper.contracts import RunStatus

TemporalEnd: TypeAlias = Literal["Completed", "Failed", "Canceled", "Terminated", "TimedOut"]
"""How a workflow closed, as Temporal's list filters spell it."""

WITHOUT_OUTCOME: Mapping[TemporalEnd, RunStatus] = {
    "Completed": "concluded",
    "Failed": "failed",
    "Canceled": "stopped",
    "Terminated": "stopped",
    "TimedOut": "failed",
}
"""The status of a run that closed before it had an outcome."""


_STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)


def read_outcome(text: str | None) -> RunStatus | None:
    """Return the outcome that a search attribute holds; None if it is not set."""
    return next((status for status in _STATUSES if status == text), None)


def run_status(outcome: RunStatus | None, end: TemporalEnd | None) -> RunStatus:
    """Return the status of a run.

    Args:
        outcome: How its first investigation ended; None before its report is written.
        end: How its workflow closed; None while it is open.
    """
    return outcome or ("running" if end is None else WITHOUT_OUTCOME[end])
