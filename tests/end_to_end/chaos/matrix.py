"""The matrix: every fault at every point, several at a time, and the table of results."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import median

from tests.end_to_end.chaos import faults
from tests.end_to_end.chaos.faults import Baseline, Fault, Outcome
from tests.end_to_end.chaos.incidents import INCIDENTS, STOPPED, WHOLE
from tests.end_to_end.chaos.player import Ground, playing
from tests.end_to_end.chaos.verdict import undisturbed

LANES = 5
"""Blows at a time; each is a few processes."""

SHORT_CUT_SECONDS = 1.0
LONG_CUT_SECONDS = 7.0
"""Shorter and longer than the silence after which a worker is taken for dead."""


@dataclass
class Row:
    """One line of the table: faults of one kind."""

    name: str
    faults: Sequence[Fault]
    lanes: int = LANES
    outcomes: list[Outcome] = field(default_factory=list)

    async def play(self, ground: Ground, baseline: Baseline) -> None:
        """Inject all faults."""
        lanes = asyncio.Semaphore(self.lanes)

        async def run(inject: Fault) -> None:
            async with lanes:
                self.outcomes += await inject(ground, baseline)

        await asyncio.gather(*map(run, self.faults))

    def cells(self) -> list[str]:
        """Count what came of them."""
        verdicts = [outcome.verdict for outcome in self.outcomes]
        finished = sum(not verdict.lost for verdict in verdicts)
        repeated, doubled = (sum(len(getattr(v, name)) for v in verdicts) for name in ("repeated", "doubled"))
        return [self.name, *map(str, (len(verdicts), finished, repeated, doubled)), self._recovery()]

    def _recovery(self) -> str:
        times = [outcome.recovery for outcome in self.outcomes if outcome.recovery is not None]
        return f"{median(times):.1f} s, at worst {max(times):.1f} s" if times else ""

    def problems(self) -> list[str]:
        """Say what went wrong, where."""
        return [
            f"{self.name}, {outcome.where} (fault at event {outcome.fault_event}): {problem}"
            for outcome in self.outcomes
            for problem in outcome.verdict
        ]


HEADINGS = ["fault", "points tried", "runs finished", "calls repeated", "effects doubled", "next step"]


async def take_baseline(ground: Ground) -> Baseline:
    """Play each incident undisturbed."""
    baseline = Baseline()
    for incident in INCIDENTS.values():
        async with playing(ground, incident) as play:
            baseline.results[incident.name] = await undisturbed(play)
            baseline.events[incident.name] = len(play.following.events)
    return baseline


def whole(baseline: Baseline) -> list[Row]:
    """List all faults at all points."""
    points = [(i, number) for i in INCIDENTS.values() for number in range(1, baseline.events[i.name] + 1)]
    calls = [(incident, call) for incident in INCIDENTS.values() for call in incident.calls]
    return [
        Row("worker killed, another started", [faults.kill_after(*point, another_up=False) for point in points]),
        Row("worker killed, another up", [faults.kill_after(*point, another_up=True) for point in points]),
        Row(
            "worker killed between effect and recording, another started",
            [faults.kill_before_recording(*call, another_up=False) for call in calls],
        ),
        Row(
            "worker killed between effect and recording, another up",
            [faults.kill_before_recording(*call, another_up=True) for call in calls],
        ),
        Row("network cut", [*_cuts(baseline, 8)]),
        *_shared(baseline, 3),
    ]


def sample(baseline: Baseline) -> list[Row]:
    """List a few faults of each kind, for `make test`."""
    whole, another_up = baseline.events["whole"], ((WHOLE, 30), (STOPPED, 40))
    killed: list[Fault] = [
        *(faults.kill_after(WHOLE, number, another_up=False) for number in (5, 24, 52, whole - 15)),
        *(faults.kill_after(*point, another_up=True) for point in another_up),
        *(faults.kill_before_recording(WHOLE, call, another_up=False) for call in ("r2", "r2.0", "r2.1", "report")),
        faults.cut_network(WHOLE, 40, LONG_CUT_SECONDS, silently=True, another_up=True),
    ]
    return [
        Row("worker killed, network cut", killed),
        Row("back ends frozen", [faults.trouble_for_all(WHOLE, 25, faults.freeze_back_ends)]),
        Row("Temporal server killed", [faults.trouble_for_all(WHOLE, WAITS_AT, faults.kill_server, waiting=True)]),
    ]


def _cuts(baseline: Baseline, each: int) -> list[Fault]:
    return [
        faults.cut_network(WHOLE, number, seconds, silently=silently, another_up=another_up)
        for seconds, silently, another_up in (
            (SHORT_CUT_SECONDS, False, False),
            (LONG_CUT_SECONDS, True, False),
            (LONG_CUT_SECONDS, True, True),
            (LONG_CUT_SECONDS, False, True),
        )
        for number in _spread(baseline.events["whole"], each)
    ]


def _shared(baseline: Baseline, each: int) -> list[Row]:
    """List the faults that affect all runs at once, one at a time. Those of the server are last."""
    numbers = _spread(baseline.events["whole"], each)
    troubles = {
        "model frozen": faults.freeze_model,
        "back ends frozen": faults.freeze_back_ends,
        "model killed": faults.kill_model,
        "back ends killed": faults.kill_back_ends,
        "Temporal server killed in a round": faults.kill_server,
    }
    rows = [
        Row(name, [faults.trouble_for_all(WHOLE, number, trouble) for number in numbers], lanes=1)
        for name, trouble in troubles.items()
    ]
    waiting = faults.trouble_for_all(WHOLE, WAITS_AT, faults.kill_server, waiting=True)
    return [*rows, Row("Temporal server killed in a wait", [waiting] * each, lanes=1)]


WAITS_AT = 46
"""An event shortly before the run waits for a person."""


def _spread(events: int, count: int) -> list[int]:
    return [events * (2 * n + 1) // (2 * count) for n in range(count)]
