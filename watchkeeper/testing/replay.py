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

from watchkeeper.replay import runner
from watchkeeper.replay.history_files import NotAHistory, Recording, files, read
from watchkeeper.replay.verdict import Verdict
from workflows.incident import IncidentWorkflow
from workflows.queue import QueueWorkflow

if TYPE_CHECKING:
    from _pytest.mark import ParameterSet

__all__ = ["WORKFLOWS", "NotAHistory", "Verdict", "assert_replays", "histories", "replayed"]

WORKFLOWS: tuple[type, ...] = (IncidentWorkflow, QueueWorkflow)
"""The workflows that a worker runs."""


def histories(*paths: Path) -> list[ParameterSet]:
    """Return the recorded histories of some folders as test parameters, each with the file's name as its id.

    Raises NotAHistory if the folders hold no history: a test without histories would always pass.
    """
    import pytest

    return [pytest.param(file, id=file.stem) for file in files(paths)]


def assert_replays(history: Path, workflows: Sequence[type] = WORKFLOWS, *, timeout: float = runner.TIMEOUT) -> None:
    """Raise AssertionError, with the event and the reason, if the current code differs from a history.

    ``timeout`` is in seconds. Raises NotAHistory and OSError.
    """
    __tracebackhide__ = True
    verdict = asyncio.run(replayed(history, workflows, timeout=timeout))
    if not verdict.agrees:
        raise AssertionError(f"{verdict}\nTo fix it: {verdict.way_out}")


async def replayed(history: Path, workflows: Sequence[type] = WORKFLOWS, *, timeout: float = runner.TIMEOUT) -> Verdict:
    """Replay one recorded history and return the verdict. Raises NotAHistory and OSError."""

    async def recordings() -> AsyncIterator[Recording]:
        yield read(history)

    async for verdict in runner.replay(recordings(), workflows, lanes=1, timeout=timeout):
        return verdict
    raise NotAHistory(f"{history} was not replayed")
