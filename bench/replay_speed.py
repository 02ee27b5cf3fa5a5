"""Replay speed: the cost of a run that the worker does not have in its cache."""

from __future__ import annotations

import time
from collections.abc import Mapping

from temporalio.client import WorkflowHistory

from bench.contender import Contender
from bench.table import Row

REPLAYS = 3


async def row(contenders: Mapping[str, Contender], histories: Mapping[str, WorkflowHistory]) -> Row:
    """Replay one history of each contender, in turns."""
    rates: dict[str, list[float]] = {name: [] for name in histories}
    for _ in range(REPLAYS):
        for name, history in histories.items():
            rates[name].append(len(history.events) / await _replay(contenders[name], history))
    return Row("replay, events/s", rates)


async def _replay(contender: Contender, history: WorkflowHistory) -> float:
    """Return the seconds of one replay. Raises the error of a failed replay."""
    replayer = contender.replayer()
    started_at = time.perf_counter()
    await replayer.replay_workflow(history)
    return time.perf_counter() - started_at
