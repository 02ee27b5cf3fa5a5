"""For the tests of those who change the workflow or write tools: recorded runs must go on with the code of today.

    @pytest.mark.parametrize("history", histories(Path(__file__).parent / "histories"))
    def test_recorded_runs_go_on(history: Path) -> None:
        assert_replays(history)

Record the histories with ``watchkeeper history export``. Needs pytest, and neither a server nor a plugin.
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
"""What our workers run."""


def histories(*paths: Path) -> list[ParameterSet]:
    """Return the recorded histories in some folders as parameters of a test, each by its name.

    Raises NotAHistory where there is none: a gate without histories would let everything pass.
    """
    import pytest

    return [pytest.param(file, id=file.stem) for file in files(paths)]


def assert_replays(history: Path, workflows: Sequence[type] = WORKFLOWS, *, timeout: float = runner.TIMEOUT) -> None:
    """Fail a test, saying at which event and why, if the code of today does not do what a history says.

    ``timeout`` is in seconds. Raises NotAHistory and OSError.
    """
    __tracebackhide__ = True
    verdict = asyncio.run(replayed(history, workflows, timeout=timeout))
    if not verdict.agrees:
        raise AssertionError(f"{verdict}\nTo mend it: {verdict.way_out}")


async def replayed(history: Path, workflows: Sequence[type] = WORKFLOWS, *, timeout: float = runner.TIMEOUT) -> Verdict:
    """Return the verdict of replaying one recorded history. Raises NotAHistory and OSError."""

    async def recordings() -> AsyncIterator[Recording]:
        yield read(history)

    async for verdict in runner.replay(recordings(), workflows, lanes=1, timeout=timeout):
        return verdict
    raise NotAHistory(f"{history} was not replayed")
