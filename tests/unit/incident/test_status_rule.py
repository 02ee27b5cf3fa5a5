"""The rule for the status of a run, and the lists that apply it on the server."""

from __future__ import annotations

from itertools import product
from typing import get_args

import pytest

from watchkeeper.contracts import RunStatus
from watchkeeper.incident.status_rule import WITHOUT_OUTCOME, TemporalEnd, read_outcome, run_status

OUTCOMES: tuple[RunStatus | None, ...] = (None, *(status for status in get_args(RunStatus) if status != "running"))
ENDS: tuple[TemporalEnd | None, ...] = (None, *get_args(TemporalEnd))


@pytest.mark.parametrize(("outcome", "end"), list(product(OUTCOMES, ENDS)))
def test_an_outcome_is_the_status_however_the_run_closes(outcome: RunStatus | None, end: TemporalEnd | None) -> None:
    status = run_status(outcome, end)
    if outcome is not None:
        assert status == outcome
    elif end is None:
        assert status == "running"
    else:
        assert status == WITHOUT_OUTCOME[end] in ("concluded", "failed", "stopped")


def test_every_end_of_a_workflow_has_a_status() -> None:
    assert set(WITHOUT_OUTCOME) == set(get_args(TemporalEnd))


@pytest.mark.parametrize("text", [None, "", "paused", "Concluded", *get_args(RunStatus)])
def test_only_a_known_outcome_is_read(text: str | None) -> None:
    assert read_outcome(text) == (text if text in get_args(RunStatus) else None)
