"""All measurements for one size of results, interleaved."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from uuid import uuid4

from bench.building import builds
from bench.lineup import CONTENDERS
from bench.process import Answering, spawned
from bench.race import Lap, Racer, race
from bench.replaying import replay
from bench.sharing import held
from bench.table import Row, Table
from bench.timeline import windows

WARM_UP_ROUNDS = 2
REPLAYS = 3
BUILDS = 20
SHARED_RUNS = 6
SHARED_ROUNDS = 20
MARKS = (10, 50, 100)
"""Rounds after which histories are compared."""

Laps = dict[str, list[Lap]]


class Bench:
    """A server and a model to measure with."""

    def __init__(self, address: str, model: Answering, model_url: str) -> None:
        self._address = address
        self._model = model
        self._model_url = model_url

    async def table(self, rounds: int, kib: int, repeats: int) -> Table:
        """Measure runs of so many rounds of three results of so many KiB."""
        async with AsyncExitStack() as stack:
            racers = await self._racers(stack)
            await race(racers.values(), self._model, WARM_UP_ROUNDS, kib)
            races = [await race(racers.values(), self._model, rounds, kib) for _ in range(repeats)]
            shared = await self._shared(racers["ours"], min(SHARED_ROUNDS, rounds), kib)
        laps = {name: [each[name] for each in races] for name in CONTENDERS}
        rows = [
            *_orchestration(laps, rounds),
            _row("worker CPU per round, ms", laps, lambda lap: [1_000 * lap.cpu / len(lap.timeline.asked)]),
            _row("start to first question, ms", laps, lambda lap: [1_000 * lap.timeline.to_first_question]),
            *_histories(laps, rounds),
            await _replays(laps),
            *await self._builds(rounds, kib),
            *shared,
        ]
        notes = [_fate(name, laps[name], rounds) for name in laps]
        return Table(f"{rounds} rounds of three calls, results of {kib} KiB", rows, notes)

    async def _racers(self, stack: AsyncExitStack) -> dict[str, Racer]:
        racers = {}
        for name, contender in CONTENDERS.items():
            queue = f"bench-{name}-{uuid4()}"
            worker = await stack.enter_async_context(self._worker(name, queue))
            racers[name] = Racer(contender, await contender.connect(self._address), worker, queue)
        for racer in racers.values():
            await racer.worker.heard()
        return racers

    def _worker(self, name: str, queue: str) -> AbstractAsyncContextManager[Answering]:
        return spawned("work", name, self._address, queue, self._model_url)

    async def _builds(self, rounds: int, kib: int) -> list[Row]:
        client = await CONTENDERS["ours"].connect(self._address)
        rows = []
        for number in dict.fromkeys((min(MARKS[0], rounds), rounds)):
            async with builds(client, number, kib) as ways:
                seconds = {name: [await way.seconds()] for name, way in ways.items()}
                for _ in range(BUILDS):
                    for name, way in ways.items():
                        seconds[name].append(await way.seconds())
            samples = {name: [1_000 * took for took in taken[1:]] for name, taken in seconds.items()}
            rows.append(Row(f"argument to request, round {number}, ms", samples))
        return rows

    async def _shared(self, ours: Racer, rounds: int, kib: int) -> list[Row]:
        alone = await held(ours, [ours.worker], runs=SHARED_RUNS, rounds=rounds, kib=kib)
        async with self._worker("ours", ours.queue) as second:
            await second.heard()
            beside = await held(ours, [ours.worker, second], runs=SHARED_RUNS, rounds=rounds, kib=kib)
        on = f"{SHARED_RUNS} runs on"
        return [
            Row(f"conversations in memory, {on} one worker, %", {"ours": [100 * alone.rate]}),
            Row(f"conversations in memory, {on} two workers, %", {"ours": [100 * beside.rate]}),
            Row("questions put by the less busy of the two, %", {"ours": [100 * beside.least]}),
        ]


def _row(name: str, laps: Laps, measure: Callable[[Lap], Iterable[float]]) -> Row:
    """Take the samples of every lap; one that died too early leaves none."""
    return Row(
        name, {contender: [sample for lap in all_ for sample in measure(lap)] for contender, all_ in laps.items()}
    )


def _orchestration(laps: Laps, rounds: int) -> Iterator[Row]:
    for name, span in windows(rounds).items():

        def measure(lap: Lap, span: range = span) -> list[float]:
            taken = [1_000 * seconds for seconds in lap.orchestration[span.start : span.stop]]
            return taken if len(taken) == len(span) else []

        yield _row(f"orchestration per round, rounds {name}, ms", laps, measure)


def _histories(laps: Laps, rounds: int) -> Iterator[Row]:
    for mark in dict.fromkeys(min(mark, rounds) for mark in MARKS):

        def size(lap: Lap, mark: int = mark) -> list[float]:
            return [recorded / 1_024 for recorded in lap.timeline.size[mark : mark + 1]]

        def events(lap: Lap, mark: int = mark) -> list[float]:
            return [float(recorded) for recorded in lap.timeline.events[mark : mark + 1]]

        def relative(lap: Lap, mark: int = mark) -> list[float]:
            both = zip(lap.timeline.size[mark : mark + 1], lap.served[mark : mark + 1], strict=False)
            return [recorded / sent for recorded, (_, sent) in both if sent]

        yield _row(f"history after {mark} rounds, KiB", laps, size)
        yield _row(f"history after {mark} rounds, events", laps, events)
        yield _row(f"history after {mark} rounds, times the next request", laps, relative)


async def _replays(laps: Laps) -> Row:
    seconds: dict[str, list[float]] = {name: [] for name in laps}
    for _ in range(REPLAYS):
        for name, all_ in laps.items():
            lap = all_[-1]
            seconds[name].append(1_000 * await replay(CONTENDERS[name], lap.history) / len(lap.timeline.asked))
    return Row("replay, per round, ms", seconds)


def _fate(name: str, laps: list[Lap], rounds: int) -> str:
    deaths = [lap for lap in laps if lap.death is not None]
    if not deaths:
        return f"{name}: all {rounds} rounds, every time"
    reached = ", ".join(str(len(lap.timeline.asked)) for lap in deaths)
    return f"{name}: died in {len(deaths)} of {len(laps)} runs, in round {reached}: {deaths[-1].death}"
