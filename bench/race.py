"""A race: every contender runs once, round by round in turns."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from temporalio.client import WorkflowHistory

from bench.model import ModelCall
from bench.process import ChildProcess
from bench.timeline import Timeline

START_SECONDS = 0.005
"""How often to check whether a run has sent its first model request."""


class FinishedRun(Protocol):
    """A finished run."""

    @property
    def failure(self) -> str | None:
        """Why the run failed, or None."""
        ...

    @property
    def history(self) -> WorkflowHistory | None:
        """Its history; None if it is not recorded."""
        ...

    def timeline(self, model_calls: list[ModelCall]) -> Timeline:
        """The time at which each round began."""
        ...


class Racer(Protocol):
    """A contender that is ready to run."""

    @property
    def name(self) -> str:
        """Name of the contender."""
        ...

    @property
    def worker(self) -> ChildProcess:
        """The process that runs it."""
        ...

    async def run(self, rounds: int, kib: int, model: ChildProcess) -> FinishedRun:
        """Run a number of rounds, then leave the race."""
        ...


@dataclass(frozen=True)
class Lap:
    """The measurements of one run."""

    timeline: Timeline
    cpu: float
    """CPU seconds of the worker process."""
    model_calls: list[ModelCall]
    """Time, size and arrival of each model request."""
    failure: str | None
    """Why the run failed, or None."""
    history: WorkflowHistory | None

    @property
    def orchestration(self) -> list[float]:
        """Seconds of each round outside the model process."""
        return [took - model for took, (model, _, _) in zip(self.timeline.rounds, self.model_calls, strict=False)]


async def race(racers: Collection[Racer], model: ChildProcess, rounds: int, kib: int) -> dict[str, Lap]:
    """Run all contenders, round by round in turns."""
    await model.ask("join", *(racer.name for racer in racers))
    async with asyncio.TaskGroup() as group:
        laps = {}
        for racer in racers:
            laps[racer.name] = group.create_task(_lap(racer, model, rounds, kib))
            while not (laps[racer.name].done() or await model.ask("waits", racer.name)):  # noqa: ASYNC110  # another process
                await asyncio.sleep(START_SECONDS)
    return {name: lap.result() for name, lap in laps.items()}


async def _lap(racer: Racer, model: ChildProcess, rounds: int, kib: int) -> Lap:
    cpu = await racer.worker.ask("cpu")
    run = await racer.run(rounds, kib, model)
    cpu = await racer.worker.ask("cpu") - cpu
    recorded = await model.ask("served", racer.name)
    calls: list[ModelCall] = [(took, size, at) for took, size, at in (await racer.worker.ask("served") or recorded)]
    return Lap(run.timeline(calls), cpu, calls, run.failure, run.history)
