"""How long a history takes to replay: what a worker pays for a run that it does not hold."""

from __future__ import annotations

import time

from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from bench.contender import Contender


async def replay(contender: Contender, history: WorkflowHistory) -> float:
    """Return the seconds of one replay. Raises what the replay failed with."""
    replayer = Replayer(workflows=[contender.workflow], data_converter=contender.converter)
    began = time.perf_counter()
    await replayer.replay_workflow(history)
    return time.perf_counter() - began
