"""The fault matrix: every fault at every point, several in parallel, and the table of results."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.end_to_end.chaos import faults
from tests.end_to_end.chaos.faults import Baseline, Fault, Outcome
from tests.end_to_end.chaos.incidents import FULL, INCIDENTS, STOPPED
from tests.end_to_end.chaos.run_checks import run_baseline
from tests.end_to_end.chaos.scripted_run import Environment, scripted_run

PARALLEL_FAULTS = 5
"""How many faults run at a time. Each starts a few processes."""

SHORT_CUT_SECONDS = 1.0
LONG_CUT_SECONDS = 7.0
"""Shorter and longer than the time after which the server considers a worker dead."""


@dataclass
class Row:
    """One row of the table: faults of one kind."""

    name: str
    faults: Sequence[Fault]
    parallel: int = PARALLEL_FAULTS
    outcomes: list[Outcome] = field(default_factory=list)

    async def inject(self, environment: Environment, baseline: Baseline) -> None:
        """Inject all faults of this row."""
        parallel = asyncio.Semaphore(self.parallel)

        async def inject_one(fault: Fault) -> None:
            async with parallel:
                self.outcomes += await fault(environment, baseline)

        await asyncio.gather(*map(inject_one, self.faults))

    def cells(self) -> list[str]:
        """Return the cells of the table."""
        verdicts = [outcome.verdict for outcome in self.outcomes]
        finished = sum(not verdict.lost for verdict in verdicts)
        repeated, duplicated = (sum(len(getattr(v, name)) for v in verdicts) for name in ("repeated", "duplicated"))
        return [self.name, *map(str, (len(verdicts), finished, repeated, duplicated)), self._recovery()]

    def _recovery(self) -> str:
        times = [outcome.recovery for outcome in self.outcomes if outcome.recovery is not None]
        return f"{median(times):.1f} s, worst {max(times):.1f} s" if times else ""

    def problems(self) -> list[str]:
        """Return a message for each problem and its point."""
        return [
            f"{self.name}, {outcome.where} (after {outcome.events_at_fault} events): {problem}"
            for outcome in self.outcomes
            for problem in outcome.verdict
        ]


HEADINGS = ["fault", "points tried", "runs finished", "calls repeated", "effects duplicated", "next step"]


async def take_baseline(environment: Environment) -> Baseline:
    """Run each incident without a fault."""
    baseline = Baseline()
    for incident in INCIDENTS.values():
        async with scripted_run(environment, incident) as run:
            baseline.results[incident.name] = await run_baseline(run)
            baseline.events[incident.name] = len(run.follower.events)
    return baseline


def full_matrix(baseline: Baseline) -> list[Row]:
    """Return all faults at all points."""
    points = [(i, number) for i in INCIDENTS.values() for number in range(1, baseline.events[i.name] + 1)]
    calls = [(incident, call) for incident in INCIDENTS.values() for call in incident.calls]
    return [
        Row(
            "worker killed, then another started", [faults.kill_after(*point, second_worker=False) for point in points]
        ),
        Row("worker killed, another running", [faults.kill_after(*point, second_worker=True) for point in points]),
        Row(
            "worker killed between effect and recording, then another started",
            [faults.kill_before_recording(*call, second_worker=False) for call in calls],
        ),
        Row(
            "worker killed between effect and recording, another running",
            [faults.kill_before_recording(*call, second_worker=True) for call in calls],
        ),
        Row("network cut", [*_network_cuts(baseline, 8)]),
        *_shared_fault_rows(baseline, 3),
    ]


def sample_matrix(baseline: Baseline) -> list[Row]:
    """Return a few faults of each kind, for the normal test run."""
    events, second_worker = baseline.events["full"], ((FULL, 30), (STOPPED, 40))
    killed: list[Fault] = [
        *(faults.kill_after(FULL, number, second_worker=False) for number in (5, 24, 52, events - 15)),
        *(faults.kill_after(*point, second_worker=True) for point in second_worker),
        *(faults.kill_before_recording(FULL, call, second_worker=False) for call in ("r2", "r2.0", "r2.1", "report")),
        faults.cut_network(FULL, 40, LONG_CUT_SECONDS, silently=True, second_worker=True),
    ]
    return [
        Row("worker killed, network cut", killed),
        Row("back ends frozen", [faults.fault_for_all_runs(FULL, 25, faults.freeze_back_ends)]),
        Row("Temporal server killed", [faults.fault_for_all_runs(FULL, BEFORE_WAIT, faults.kill_server, waiting=True)]),
    ]


def _network_cuts(baseline: Baseline, count: int) -> list[Fault]:
    return [
        faults.cut_network(FULL, number, seconds, silently=silently, second_worker=second_worker)
        for seconds, silently, second_worker in (
            (SHORT_CUT_SECONDS, False, False),
            (LONG_CUT_SECONDS, True, False),
            (LONG_CUT_SECONDS, True, True),
            (LONG_CUT_SECONDS, False, True),
        )
        for number in _evenly_spaced(baseline.events["full"], count)
    ]


def _shared_fault_rows(baseline: Baseline, count: int) -> list[Row]:
    """Return the faults that affect all runs: one fault at a time, the Temporal server last."""
    numbers = _evenly_spaced(baseline.events["full"], count)
    shared_faults = {
        "model frozen": faults.freeze_model,
        "back ends frozen": faults.freeze_back_ends,
        "model killed": faults.kill_model,
        "back ends killed": faults.kill_back_ends,
        "Temporal server killed in a round": faults.kill_server,
    }
    rows = [
        Row(name, [faults.fault_for_all_runs(FULL, number, shared_fault) for number in numbers], parallel=1)
        for name, shared_fault in shared_faults.items()
    ]
    waiting = faults.fault_for_all_runs(FULL, BEFORE_WAIT, faults.kill_server, waiting=True)
    return [*rows, Row("Temporal server killed in a wait", [waiting] * count, parallel=1)]


BEFORE_WAIT = 46
"""Number of an event shortly before the run waits for a person."""


def _evenly_spaced(events: int, count: int) -> list[int]:
    return [events * (2 * n + 1) // (2 * count) for n in range(count)]
