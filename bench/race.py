"""A race: every contender once, round by round in turns, and what each took."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from temporalio.client import WorkflowHistory

from bench.model import Served
from bench.process import Answering
from bench.timeline import Timeline

START_SECONDS = 0.005
"""How often to look whether a run asks its first question."""


class Run(Protocol):
    """A run that is over."""

    @property
    def death(self) -> str | None:
        """Why it did not come to its end."""
        ...

    @property
    def history(self) -> WorkflowHistory | None:
        """What was recorded of it."""
        ...

    def timeline(self, served: list[Served]) -> Timeline:
        """When each round began."""
        ...


class Racer(Protocol):
    """A contender, ready."""

    @property
    def name(self) -> str:
        """Name of the contender."""
        ...

    @property
    def worker(self) -> Answering:
        """Its process."""
        ...

    async def run(self, rounds: int, kib: int, model: Answering) -> Run:
        """Go through so many rounds, and tell the model when it is over."""
        ...


@dataclass(frozen=True)
class Lap:
    """What one run took."""

    timeline: Timeline
    cpu: float
    """Seconds of the worker process."""
    served: list[Served]
    """What each question was to the model."""
    death: str | None
    """Why it did not come to its end."""
    history: WorkflowHistory | None

    @property
    def orchestration(self) -> list[float]:
        """Seconds of each round that were not spent in the model server."""
        return [took - model for took, (model, _, _) in zip(self.timeline.rounds, self.served, strict=False)]


async def race(racers: Collection[Racer], model: Answering, rounds: int, kib: int) -> dict[str, Lap]:
    """Let all go through their rounds in turns."""
    await model.ask("join", *(racer.name for racer in racers))
    async with asyncio.TaskGroup() as group:
        laps = {}
        for racer in racers:
            laps[racer.name] = group.create_task(_lap(racer, model, rounds, kib))
            while not (laps[racer.name].done() or await model.ask("waits", racer.name)):  # noqa: ASYNC110 # elsewhere
                await asyncio.sleep(START_SECONDS)
    return {name: lap.result() for name, lap in laps.items()}


async def _lap(racer: Racer, model: Answering, rounds: int, kib: int) -> Lap:
    cpu = await racer.worker.ask("cpu")
    run = await racer.run(rounds, kib, model)
    cpu = await racer.worker.ask("cpu") - cpu
    asked = await model.ask("served", racer.name)
    served: list[Served] = [(took, size, at) for took, size, at in (await racer.worker.ask("served") or asked)]
    return Lap(run.timeline(served), cpu, served, run.death, run.history)
