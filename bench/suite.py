"""All measurements for one size of results, interleaved."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from bench import memory, recovery, replay_speed, throughput
from bench.cache_hits import measure_cache_hits
from bench.contenders import CONTENDERS
from bench.durable import TemporalRacer, durable
from bench.guide import plain_racer
from bench.process import ChildProcess, spawn
from bench.race import Lap, Racer, race
from bench.request_build import builds
from bench.server import bench_server
from bench.table import Curves, ResultTable, Row
from bench.timeline import windows

WARM_UP_ROUNDS = 2
BUILDS = 20
SHARED_RUNS = 6
SHARED_ROUNDS = 20
MARKS = (10, 50, 100, 200)
"""Rounds after which histories are compared."""

Laps = dict[str, list[Lap]]


@dataclass(frozen=True)
class BenchSize:
    """How much to measure."""

    rounds: int
    kib: int
    repeats: int
    concurrency: int
    """Most runs at once."""
    kills: int


@dataclass(frozen=True)
class Bench:
    """A server, a model and all contenders, ready to measure."""

    server: int
    """Process id of the Temporal server."""
    address: str
    model: ChildProcess
    durables: Mapping[str, TemporalRacer]
    racers: Mapping[str, Racer]

    async def table(self, size: BenchSize) -> ResultTable:
        """Measure everything. Report the current measurement on stderr."""
        _say(f"racing: {size.repeats} x {size.rounds} rounds in turns")
        await race(self.racers.values(), self.model, WARM_UP_ROUNDS, size.kib)
        races = [await race(self.racers.values(), self.model, size.rounds, size.kib) for _ in range(size.repeats)]
        laps = {name: [each[name] for each in races] for name in self.racers}
        rows = [
            *_orchestration(laps, size.rounds),
            _row("start to first model request, ms", laps, lambda lap: [1_000 * lap.timeline.to_first_question]),
            *await self._crowds(size),
            *_histories(laps, size.rounds),
            *await self._lookups(laps, size),
            *await self._recovery(size),
        ]
        notes = [_fate(name, laps[name], size.rounds) for name in laps]
        title = f"{size.rounds} rounds of three calls, results of {size.kib} KiB"
        return ResultTable(title, rows, notes, {name: _curves(all_) for name, all_ in laps.items()})

    async def _crowds(self, size: BenchSize) -> list[Row]:
        _say(f"many runs at once, up to {size.concurrency}")
        return list(
            throughput.rows(
                await throughput.measure(self.durables, self.server, size.concurrency, size.repeats, size.kib)
            )
        )

    async def _lookups(self, laps: Laps, size: BenchSize) -> list[Row]:
        _say("replay, memory and conversations")
        recorded = {name: all_[-1].history for name, all_ in laps.items()}
        return [
            await replay_speed.row({name: history for name, history in recorded.items() if history is not None}),
            await memory.row(self.durables, self.model, size.kib),
            *await self._builds(size.rounds, size.kib),
            *await self._shared(min(SHARED_ROUNDS, size.rounds), size.kib),
        ]

    async def _recovery(self, size: BenchSize) -> list[Row]:
        if not size.kills:
            return []
        _say(f"recovery: killing {size.kills} workers")
        return await recovery.rows(self.durables["ours"], self.model, size.kills, size.kib)

    async def _builds(self, rounds: int, kib: int) -> list[Row]:
        client = await CONTENDERS["ours"].connect(self.address)
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

    async def _shared(self, rounds: int, kib: int) -> list[Row]:
        ours = self.durables["ours"]
        alone = await measure_cache_hits(ours, [ours.worker], runs=SHARED_RUNS, rounds=rounds, kib=kib)
        async with ours.another_worker() as second:
            beside = await measure_cache_hits(ours, [ours.worker, second], runs=SHARED_RUNS, rounds=rounds, kib=kib)
        on = f"{SHARED_RUNS} runs on"
        return [
            Row(f"conversations in memory, {on} one worker, %", {"ours": [100 * alone.rate]}),
            Row(f"conversations in memory, {on} two workers, %", {"ours": [100 * beside.rate]}),
            Row("model requests sent by the less busy worker, %", {"ours": [100 * beside.least]}),
        ]


@asynccontextmanager
async def ready() -> AsyncIterator[Bench]:
    """Start the server, the model and all contenders. Raises DevServerError if no Temporal server is installed."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(bench_server())
        model = await stack.enter_async_context(spawn("model"))
        url = await model.receive()
        durables = {
            name: await stack.enter_async_context(durable(contender, server.address, url))
            for name, contender in CONTENDERS.items()
        }
        guide = await stack.enter_async_context(plain_racer(url))
        yield Bench(server.pid, server.address, model, durables, {**durables, guide.name: guide})


def _say(text: str) -> None:
    print(f"{text} ...", file=sys.stderr, flush=True)


def _row(name: str, laps: Laps, measure: Callable[[Lap], Iterable[float]]) -> Row:
    """Collect the samples of every lap. A run that failed early has none."""
    return Row(
        name, {contender: [sample for lap in all_ for sample in measure(lap)] for contender, all_ in laps.items()}
    )


def _orchestration(laps: Laps, rounds: int) -> Iterator[Row]:
    for name, span in windows(rounds).items():

        def measure(lap: Lap, span: range = span) -> list[float]:
            taken = [1_000 * seconds for seconds in lap.orchestration[span.start : span.stop]]
            return taken if len(taken) == len(span) else []

        yield _row(f"orchestration per round, rounds {name}, ms", laps, measure)
    yield _row("worker CPU per round, ms", laps, lambda lap: [1_000 * lap.cpu / len(lap.timeline.request_times)])


def _histories(laps: Laps, rounds: int) -> Iterator[Row]:
    for mark in dict.fromkeys(min(mark, rounds) for mark in MARKS):

        def size(lap: Lap, mark: int = mark) -> list[float]:
            return [recorded / 1_024 for recorded in lap.timeline.size[mark : mark + 1]]

        def events(lap: Lap, mark: int = mark) -> list[float]:
            return [float(recorded) for recorded in lap.timeline.events[mark : mark + 1]]

        def relative(lap: Lap, mark: int = mark) -> list[float]:
            both = zip(lap.timeline.size[mark : mark + 1], lap.model_calls[mark : mark + 1], strict=False)
            return [recorded / sent for recorded, (_, sent, _) in both if sent]

        yield _row(f"history after {mark} rounds, KiB", laps, size)
        yield _row(f"history after {mark} rounds, events", laps, events)
        yield _row(f"history after {mark} rounds, times the next request", laps, relative)


def _curves(laps: list[Lap]) -> Curves:
    """Return the data for the plot from all laps."""
    return Curves([[1_000 * took for took in lap.orchestration] for lap in laps], laps[-1].timeline.size)


def _fate(name: str, laps: list[Lap], rounds: int) -> str:
    failures = [lap for lap in laps if lap.failure is not None]
    if not failures:
        return f"{name}: all {rounds} rounds, in every run"
    reached = ", ".join(str(len(lap.timeline.request_times)) for lap in failures)
    return f"{name}: failed in {len(failures)} of {len(laps)} runs, in round {reached}: {failures[-1].failure}"
