"""All measurements for one size of results, interleaved."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from statistics import median

from bench import alert_rate, idle_runs, memory, recovery, replay_speed, short_runs
from bench.cache_hits import measure_cache_hits
from bench.child_process import ChildProcess, spawn
from bench.contenders import contenders, missing
from bench.guide_loop import start_guide_runner
from bench.interleaved_runs import RunMeasurement, Runner, run_interleaved
from bench.server import bench_server
from bench.table import Curves, ResultTable, Row, load
from bench.temporal_runner import TemporalRunner, start_temporal_runner
from bench.timeline import marks, window

WARM_UP_ROUNDS = 2
SHARED_RUNS = 6
SHARED_ROUNDS = 20

Measurements = dict[str, list[RunMeasurement]]


@dataclass(frozen=True)
class BenchSize:
    """How much to measure."""

    rounds: int
    kib: int
    repeats: int
    concurrency: int
    """Most runs at once."""
    kills: int
    idle: tuple[int, ...]
    """Numbers of idle runs, ascending."""
    alerts: int
    """Alerts sent into living runs."""


@dataclass(frozen=True)
class Bench:
    """A server, a model and all contenders, ready to measure."""

    server: int
    """Process id of the Temporal server."""
    model: ChildProcess
    temporal_runners: Mapping[str, TemporalRunner]
    runners: Mapping[str, Runner]

    async def table(self, size: BenchSize) -> ResultTable:
        """Measure everything. Report the current measurement on stderr."""
        before = load()
        _print_progress(f"interleaved runs: {size.repeats} x {size.rounds} rounds in turns")
        await run_interleaved(self.runners.values(), self.model, WARM_UP_ROUNDS, size.kib)
        repeats = [
            await run_interleaved(self.runners.values(), self.model, size.rounds, size.kib) for _ in range(size.repeats)
        ]
        measurements = {name: [each[name] for each in repeats] for name in self.runners}
        short = await self._short_runs(size)
        rows = [
            *_gaps(measurements, size.rounds),
            *short_runs.rows(short),
            *_histories(measurements, size.rounds),
            *await self._replay_and_memory(measurements, size),
            *await self._alerts_and_idle(size),
            *await self._recovery(size),
        ]
        notes = [
            *(_note(name, measurements[name], size.rounds) for name in measurements),
            *(f"{name}: not measured, because the extra `bench` is not installed" for name in missing()),
            f"load average of the machine: {before} before, {load()} at the end",
        ]
        title = f"{size.rounds} rounds of three calls, results of {size.kib} KiB"
        return ResultTable(
            title, rows, notes, {name: _curves(runs, short, name) for name, runs in measurements.items()}
        )

    async def _short_runs(self, size: BenchSize) -> short_runs.Measured:
        _print_progress(f"short runs at once, up to {size.concurrency}")
        return await short_runs.measure(
            self.temporal_runners, self.model, self.server, size.concurrency, size.kib, once=size.repeats == 1
        )

    async def _replay_and_memory(self, measurements: Measurements, size: BenchSize) -> list[Row]:
        _print_progress("replay, memory and conversations")
        recorded = {name: runs[-1].history for name, runs in measurements.items()}
        found = {name: history for name, history in recorded.items() if history is not None}
        loaded = {name: runner.contender for name, runner in self.temporal_runners.items()}
        return [
            await replay_speed.row(loaded, found),
            await memory.row(self.temporal_runners, self.model, size.kib),
            *await self._cache_hits(min(SHARED_ROUNDS, size.rounds), size.kib),
        ]

    async def _alerts_and_idle(self, size: BenchSize) -> list[Row]:
        _print_progress("alerts into living runs")
        rows = [await alert_rate.row(self.temporal_runners, self.model, size.kib, size.alerts)]
        if size.idle:
            _print_progress(f"idle runs: {', '.join(f'{count:,}' for count in size.idle)}")
            rows += await idle_runs.rows(self.temporal_runners, self.model, size.idle)
        return rows

    async def _recovery(self, size: BenchSize) -> list[Row]:
        if not size.kills:
            return []
        _print_progress(f"recovery: killing {size.kills} workers of each contender")
        return await recovery.rows(self.temporal_runners, self.model, size.kills, size.kib)

    async def _cache_hits(self, rounds: int, kib: int) -> list[Row]:
        ours = self.temporal_runners["ours"]
        alone = await measure_cache_hits(ours, [ours.worker], runs=SHARED_RUNS, rounds=rounds, kib=kib)
        async with ours.start_second_worker() as second:
            with_second = await measure_cache_hits(
                ours, [ours.worker, second], runs=SHARED_RUNS, rounds=rounds, kib=kib
            )
        on = f"{SHARED_RUNS} runs on"
        return [
            Row(f"conversations in memory, {on} one worker, %", {"ours": [100 * alone.rate]}),
            Row(f"conversations in memory, {on} two workers, %", {"ours": [100 * with_second.rate]}),
            Row("model requests sent by the less busy worker, %", {"ours": [100 * with_second.least]}),
        ]


@asynccontextmanager
async def start_bench() -> AsyncIterator[Bench]:
    """Start the server, the model and all contenders. Raises DevServerError if no Temporal server is installed."""
    async with AsyncExitStack() as stack:
        server = await stack.enter_async_context(bench_server())
        model = await stack.enter_async_context(spawn("model_server"))
        url = await model.receive()
        temporal_runners = {
            name: await stack.enter_async_context(start_temporal_runner(contender, server.address, url))
            for name, contender in contenders().items()
        }
        guide = await stack.enter_async_context(start_guide_runner(url))
        yield Bench(server.pid, model, temporal_runners, {**temporal_runners, guide.name: guide})


def _print_progress(text: str) -> None:
    print(f"{text} ... (load {load()})", file=sys.stderr, flush=True)


def _row(name: str, measurements: Measurements, measure: Callable[[RunMeasurement], Iterable[float]]) -> Row:
    """Collect the samples of every lap. A run that failed early has none."""
    return Row(
        name,
        {
            contender: [sample for measurement in runs for sample in measure(measurement)]
            for contender, runs in measurements.items()
        },
    )


def _gaps(measurements: Measurements, rounds: int) -> Iterator[Row]:
    for mark in marks(rounds):
        span = window(mark, rounds)

        def measure(measurement: RunMeasurement, span: range = span) -> list[float]:
            samples = [1_000 * seconds for seconds in measurement.gaps[span.start : span.stop]]
            return samples if len(samples) == len(span) else []

        yield _row(f"gap per round, at round {mark}, ms", measurements, measure)
    yield _row(
        "worker CPU per round, ms",
        measurements,
        lambda measurement: [1_000 * measurement.cpu / len(measurement.timeline.request_times)],
    )
    yield _row(
        "rounds that a run survives",
        measurements,
        lambda measurement: [float(len(measurement.timeline.request_times) - 1)],
    )


def _histories(measurements: Measurements, rounds: int) -> Iterator[Row]:
    for mark in marks(rounds):

        def size(measurement: RunMeasurement, mark: int = mark) -> list[float]:
            return [recorded / 1_024 for recorded in measurement.timeline.size[mark : mark + 1]]

        def events(measurement: RunMeasurement, mark: int = mark) -> list[float]:
            return [float(recorded) for recorded in measurement.timeline.events[mark : mark + 1]]

        def relative(measurement: RunMeasurement, mark: int = mark) -> list[float]:
            both = zip(
                measurement.timeline.size[mark : mark + 1], measurement.model_calls[mark : mark + 1], strict=False
            )
            return [recorded / sent for recorded, (_, sent, _) in both if sent]

        yield _row(f"history after {mark} rounds, KiB", measurements, size)
        yield _row(f"history after {mark} rounds, events", measurements, events)
        yield _row(f"history after {mark} rounds, times the next request", measurements, relative)


def _curves(measurements: list[RunMeasurement], short: short_runs.Measured, name: str) -> Curves:
    """Return the data of a contender for the plots from all laps."""
    return Curves(
        [[1_000 * took for took in measurement.gaps] for measurement in measurements],
        measurements[-1].timeline.size,
        [(count, median(each.rate for each in by_name[name])) for count, by_name in short.items() if name in by_name],
        [(count, median(each.p95 for each in by_name[name])) for count, by_name in short.items() if name in by_name],
    )


def _note(name: str, measurements: list[RunMeasurement], rounds: int) -> str:
    failures = [measurement for measurement in measurements if measurement.failure is not None]
    if not failures:
        return f"{name}: all {rounds} rounds, in every run"
    reached = ", ".join(str(len(measurement.timeline.request_times)) for measurement in failures)
    return f"{name}: failed in {len(failures)} of {len(measurements)} runs, in round {reached}: {failures[-1].failure}"
