"""The benchmark runs and fills its table."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from bench.contenders import PEERS, missing
from bench.interleaved_runs import run_interleaved
from bench.short_runs import ShortRuns
from bench.suite import start_bench
from bench.table import Curves, ResultTable, Row
from bench.timeline import marks, window
from bench.turn_order import TurnOrder
from tests.support.paths import ROOT

ON_TEMPORAL = {"floor", "naive", *PEERS, "ours"}
COMPARED = [
    "start to first model request, ms",
    "1 short run, rounds/s",
    "1 short run, p95 of a run, s",
    "1 short run, worker CPU per round, ms",
    "1 short run, server CPU per round, ms",
    "16 short runs at once, rounds/s",
    "16 short runs at once, p95 of a run, s",
    "history after 3 rounds, KiB",
    "history after 3 rounds, events",
    "replay, events/s",
    "memory per open run after 4 rounds, KiB",
    "alerts into 16 living runs, alerts/s",
]
GUIDE_TOO = [
    "gap per round, at round 3, ms",
    "worker CPU per round, ms",
    "rounds that a run survives",
]
WITHOUT_FLOOR = [
    "history after 3 rounds, times the next request",
    "recovery after SIGKILL, 1 kills of a worker with 8 runs, median, s",
    "recovery after SIGKILL, 1 kills of a worker with 8 runs, worst, s",
]
IDLE = [
    "3 idle runs, memory of the worker, MiB",
    "3 idle runs, worker CPU, ms/s",
    "3 idle runs, server CPU, ms/s",
    "3 idle runs, alert to model request, ms",
]
OURS = [
    "conversations in memory, 6 runs on one worker, %",
    "conversations in memory, 6 runs on two workers, %",
]
with_peers = pytest.mark.skipif(bool(missing()), reason=f"{missing()} need the extra `bench`")


async def run_bench(file: Path, *options: str) -> tuple[dict[str, Any], str]:
    """Run the benchmark; return its table and its output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "--small", "--rounds", "3", "--json", str(file), *options),
        cwd=ROOT,
        stdout=PIPE,
        stderr=PIPE,
    )
    printed, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    (table,) = json.loads(await asyncio.to_thread(file.read_text))["tables"]
    return table, printed.decode()


@with_peers
async def test_every_contender_finishes_its_run() -> None:
    async with start_bench() as bench:
        runs = await run_interleaved(bench.runners.values(), bench.model, rounds=2, kib=1)
    assert runs.keys() == ON_TEMPORAL | {"guide"}
    assert {run.failure for run in runs.values()} == {None}
    assert {len(run.timeline.request_times) for run in runs.values()} == {3}, "two rounds of calls, then the conclusion"


@with_peers
@pytest.mark.slow
@pytest.mark.timeout(1_200)
async def test_a_few_rounds_fill_the_table(tmp_path: Path) -> None:
    table, printed = await run_bench(tmp_path / "bench.json", "--idle", "3", "--alerts", "32", "--docs", str(tmp_path))
    samples = {row["name"]: row["samples"] for row in table["rows"]}
    assert samples.keys() >= {*COMPARED, *GUIDE_TOO, *WITHOUT_FLOOR, *IDLE, *OURS}
    measured = {name: {contender for contender, values in row.items() if values} for name, row in samples.items()}
    assert all(measured[name] == ON_TEMPORAL for name in COMPARED)
    assert all(measured[name] == ON_TEMPORAL | {"guide"} for name in GUIDE_TOO)
    assert all(measured[name] == ON_TEMPORAL - {"floor"} for name in WITHOUT_FLOOR)
    assert all(measured[name] == ON_TEMPORAL - {"naive"} for name in IDLE)
    assert all("ours" in measured[name] for name in OURS)
    assert {len(values) for name, values in samples[WITHOUT_FLOOR[1]].items() if name != "floor"} == {8}
    for name, row in samples.items():
        minimum = -1 if "CPU" in name or name.startswith(("model requests sent", "memory")) else 0
        assert all(math.isfinite(sample) and sample > minimum for values in row.values() for sample in values), name
        assert f"| {name} " in printed
    ended = [f"{name}: all 3 rounds, in every run" for name in ("floor", "naive", *PEERS, "ours", "guide")]
    assert table["notes"][:-1] == ended
    assert table["notes"][-1].startswith("load average of the machine: ")
    assert "| replay, events/s " in (tmp_path / "bench.md").read_text()
    assert "pydantic-ai with Temporal" in (tmp_path / "bench.svg").read_text()


def test_the_plot_names_all_contenders(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plot needs the extra `bench`")
    from bench.plot import SERIES, draw

    measured = Curves([[2.0, 3.0, 4.0], [2.0]], [1_000, 2_000, 3_000], [(1, 20.0), (16, 40.0)], [(1, 0.2), (16, 2.0)])
    curves = dict.fromkeys(SERIES, measured)
    draw(ResultTable("Title", [], [], curves), tmp_path / "bench.svg")
    drawn = (tmp_path / "bench.svg").read_text()
    assert all(f">{label}</text>" in drawn for label, _, _ in SERIES.values())


def test_rounds_are_compared_around_marks() -> None:
    assert (marks(200), marks(60), marks(3)) == ([10, 50, 100, 200], [10, 50], [3])
    assert (window(10, 200), window(200, 200), window(3, 3)) == (range(5, 15), range(195, 200), range(3))


def test_most_short_runs_end_within_p95() -> None:
    runs = ShortRuns(400, 10.0, [float(seconds) for seconds in range(101)], 0.1, 1.0, None)
    assert (runs.rate, runs.p95) == (40.0, 95.0)
    assert ShortRuns(4, 2.0, [2.0], 0.1, 1.0, None).p95 == 2.0


def test_ratios_are_taken_pair_by_pair() -> None:
    row = Row("time, ms", {"floor": [1.0, 10.0, 2.0], "ours": [2.0, 20.0, 4.0]})
    assert (row.value("ours"), row.ratio("ours", "floor"), row.ratio("ours", "pydantic-ai")) == (4.0, 2.0, None)
    lines = list(ResultTable("Title", [row], ["a note"], {}).markdown())
    cells = [cell.strip() for cell in lines[4].split("|")[1:-1]]
    assert cells == ["time, ms", "2.00", "–", "–", "–", "–", "4.00", "2.00", "–", "–"]
    assert lines[-1] == "- a note"


@pytest.fixture
async def turns() -> TurnOrder:
    turns = TurnOrder()
    turns.join(["one", "two"])
    return turns


async def take_turns(turns: TurnOrder, name: str, order: list[str], count: int) -> None:
    for _ in range(count):
        await turns.wait_turn(name)
        order.append(name)
    turns.leave(name)


async def test_contenders_alternate(turns: TurnOrder) -> None:
    order: list[str] = []
    await asyncio.gather(take_turns(turns, "one", order, 5), take_turns(turns, "two", order, 5))
    assert [set(order[turn : turn + 2]) for turn in range(0, 10, 2)] == [{"one", "two"}] * 5


async def test_a_contender_that_left_gets_no_turn(turns: TurnOrder) -> None:
    order: list[str] = []
    await asyncio.gather(take_turns(turns, "one", order, 1), take_turns(turns, "two", order, 3))
    assert sorted(order) == ["one", "two", "two", "two"]


async def test_the_first_turn_begins_when_all_contenders_wait(turns: TurnOrder) -> None:
    first = asyncio.create_task(turns.wait_turn("one"))
    await asyncio.sleep(0.05)
    assert turns.is_waiting("one") and not first.done()
    turns.leave("two")
    await first


async def test_a_contender_that_has_not_joined_does_not_wait(turns: TurnOrder) -> None:
    await asyncio.wait_for(turns.wait_turn("stranger"), 1)
