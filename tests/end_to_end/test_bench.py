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

from bench.interleaved_runs import run_interleaved
from bench.suite import start_bench
from bench.table import Curves, ResultTable, Row
from bench.timeline import windows
from bench.turn_order import TurnOrder
from tests.support.paths import ROOT

COMPARED = [
    "throughput of 1 run, rounds/s",
    "server CPU per round of 1 run, ms",
    "history after 3 rounds, KiB",
    "history after 3 rounds, events",
    "replay, events/s",
    "memory per open run after 4 rounds, KiB",
]
GUIDE_TOO = [
    "orchestration per round, rounds 1-1, ms",
    "orchestration per round, rounds 2-3, ms",
    "worker CPU per round, ms",
    "start to first model request, ms",
]
OURS = [
    "history after 3 rounds, times the next request",
    "argument to request, round 3, ms",
    "conversations in memory, 6 runs on one worker, %",
    "conversations in memory, 6 runs on two workers, %",
]


async def run_bench(file: Path, *options: str) -> tuple[dict[str, Any], str]:
    """Run the benchmark; return its table and its output."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "--rounds", "3", "--repeats", "1", "--json", str(file), *options),
        cwd=ROOT,
        stdout=PIPE,
        stderr=PIPE,
    )
    printed, errors = await process.communicate()
    assert process.returncode == 0, errors.decode()
    (table,) = json.loads(await asyncio.to_thread(file.read_text))["tables"]
    return table, printed.decode()


async def test_every_contender_finishes_its_run() -> None:
    async with start_bench() as bench:
        runs = await run_interleaved(bench.runners.values(), bench.model, rounds=2, kib=1)
    assert runs.keys() == {"floor", "guide", "naive", "ours"}
    assert {run.failure for run in runs.values()} == {None}
    assert {len(run.timeline.request_times) for run in runs.values()} == {3}, "two rounds of calls, then the conclusion"


@pytest.mark.slow
async def test_a_few_rounds_fill_the_table(tmp_path: Path) -> None:
    table, printed = await run_bench(tmp_path / "bench.json", "--concurrency", "1", "--kills", "0")
    samples = {row["name"]: row["samples"] for row in table["rows"]}
    assert samples.keys() >= {*COMPARED, *GUIDE_TOO, *OURS}
    measured_contenders = {
        name: {contender for contender, values in row.items() if values} for name, row in samples.items()
    }
    assert all(measured_contenders[name] == {"floor", "naive", "ours"} for name in COMPARED)
    assert all(measured_contenders[name] == {"floor", "guide", "naive", "ours"} for name in GUIDE_TOO)
    assert all("ours" in measured_contenders[name] for name in OURS)
    for name, row in samples.items():
        minimum = -1 if name.startswith(("model requests sent", "memory")) else 0
        assert all(math.isfinite(sample) and sample > minimum for values in row.values() for sample in values), name
        assert f"| {name} " in printed
    assert table["notes"] == [f"{name}: all 3 rounds, in every run" for name in ("floor", "naive", "ours", "guide")]


@pytest.mark.slow
async def test_another_worker_continues_the_runs_of_a_killed_worker(tmp_path: Path) -> None:
    table, _ = await run_bench(tmp_path / "bench.json", "--concurrency", "16", "--kills", "1")
    samples = {row["name"]: row["samples"] for row in table["rows"]}
    name = "recovery after SIGKILL, 1 kills of a worker with 8 runs, median, s"
    assert len(samples[name]["ours"]) == 8
    assert "throughput of 16 runs at once, rounds/s" in samples


def test_the_plot_names_all_contenders(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plot needs the extra `bench`")
    from bench.plot import SERIES, draw

    curves = {name: Curves([[2.0, 3.0, 4.0], [2.0]], [1_000, 2_000, 3_000]) for name in SERIES}
    draw(ResultTable("Title", [], [], curves), tmp_path / "bench.svg")
    drawn = (tmp_path / "bench.svg").read_text()
    assert all(f">{label}</text>" in drawn for label, _, _ in SERIES.values())


def test_windows_are_an_early_a_middle_and_a_late_tenth() -> None:
    assert list(windows(100)) == ["1-10", "45-55", "90-100"]
    assert list(windows(50)) == ["1-5", "23-28", "45-50"]
    assert list(windows(2)) == ["1-1", "1-2"]


def test_ratios_are_taken_pair_by_pair() -> None:
    row = Row("time, ms", {"floor": [1.0, 10.0, 2.0], "ours": [2.0, 20.0, 4.0]})
    assert (row.value("ours"), row.ratio("ours", "floor"), row.ratio("ours", "naive")) == (4.0, 2.0, None)
    lines = list(ResultTable("Title", [row], ["a note"], {}).markdown())
    assert [cell.strip() for cell in lines[4].split("|")[1:-1]] == ["time, ms", "2.00", "–", "–", "4.00", "2.00", "–"]
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
