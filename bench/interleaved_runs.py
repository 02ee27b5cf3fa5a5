"""Interleaved runs: every contender runs once, round by round in turns."""

from __future__ import annotations

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from typing import Protocol

from temporalio.client import WorkflowHistory

from bench.child_process import ChildProcess
from bench.model_server import ModelCall
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


class Runner(Protocol):
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
        """Run a number of rounds, then leave the turn order."""
        ...


@dataclass(frozen=True)
class RunMeasurement:
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
    def gaps(self) -> list[float]:
        """Seconds of each round outside the model process."""
        return [took - model for took, (model, _, _) in zip(self.timeline.rounds, self.model_calls, strict=False)]


async def run_interleaved(
    runners: Collection[Runner], model: ChildProcess, rounds: int, kib: int
) -> dict[str, RunMeasurement]:
    """Run all contenders, round by round in turns."""
    await model.ask("join", *(runner.name for runner in runners))
    async with asyncio.TaskGroup() as group:
        measurements = {}
        for runner in runners:
            measurements[runner.name] = group.create_task(_measure_run(runner, model, rounds, kib))
            while not (measurements[runner.name].done() or await model.ask("is_waiting", runner.name)):  # noqa: ASYNC110  # another process
                await asyncio.sleep(START_SECONDS)
    return {name: measurement.result() for name, measurement in measurements.items()}


async def _measure_run(runner: Runner, model: ChildProcess, rounds: int, kib: int) -> RunMeasurement:
    cpu = await runner.worker.ask("cpu")
    run = await runner.run(rounds, kib, model)
    cpu = await runner.worker.ask("cpu") - cpu
    recorded = await model.ask("served", runner.name)
    calls: list[ModelCall] = [(took, size, at) for took, size, at in (await runner.worker.ask("served") or recorded)]
    return RunMeasurement(run.timeline(calls), cpu, calls, run.failure, run.history)
