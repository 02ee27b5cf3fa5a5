"""Replay tests: the current workflow code must be able to continue recorded runs.

    @pytest.mark.parametrize("history", histories(Path(__file__).parent / "histories"))
    def test_recorded_runs_replay(history: Path) -> None:
        assert_replays(history)

Record the histories with ``watchkeeper history export``. Needs pytest, but no server and no pytest plugin.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from watchkeeper.replay import replayer
from watchkeeper.replay.history_files import InvalidHistory, RecordedHistory, find_histories, read_history
from watchkeeper.replay.verdict import ReplayVerdict
from workflows.incident import IncidentWorkflow
from workflows.late_delivery import DeliveryWorkflow
from workflows.queue import QueueWorkflow

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

__all__ = ["WORKFLOWS", "InvalidHistory", "ReplayVerdict", "assert_replays", "histories", "replayed"]

WORKFLOWS: tuple[type, ...] = (IncidentWorkflow, QueueWorkflow, DeliveryWorkflow)
"""The workflows that a worker runs."""


def histories(*paths: Path) -> list[ParameterSet]:
    """Return the recorded histories of some folders as test parameters, each with the file's name as its id.

    Raises InvalidHistory if the folders hold no history: a test without histories would always pass.
    """
    import pytest

    return [pytest.param(file, id=file.stem) for file in find_histories(paths)]


def assert_replays(
    history: Path, workflows: Sequence[type] = WORKFLOWS, *, timeout: float = replayer.REPLAY_TIMEOUT
) -> None:
    """Raise AssertionError, with the event and the reason, if the current code differs from a history.

    ``timeout`` is in seconds. Raises InvalidHistory and OSError.
    """
    __tracebackhide__ = True
    verdict = asyncio.run(replayed(history, workflows, timeout=timeout))
    if not verdict.agrees:
        raise AssertionError(f"{verdict}\nTo fix it: {verdict.remedy}")


async def replayed(
    history: Path, workflows: Sequence[type] = WORKFLOWS, *, timeout: float = replayer.REPLAY_TIMEOUT
) -> ReplayVerdict:
    """Replay one recorded history and return the verdict. Raises InvalidHistory and OSError."""

    async def recordings() -> AsyncIterator[RecordedHistory]:
        yield read_history(history)

    async for verdict in replayer.replay_histories(recordings(), workflows, concurrency=1, timeout=timeout):
        return verdict
    raise InvalidHistory(f"{history} was not replayed")
