"""The benchmark runs, and its table says what was measured."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from asyncio.subprocess import PIPE
from pathlib import Path
from typing import Any

import pytest

from bench.race import race
from bench.suite import ready
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
PLAIN_TOO = [
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


async def measured(file: Path, *options: str) -> tuple[dict[str, Any], str]:
    """Run the benchmark; return its table and what it printed."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "--rounds", "3", "--repeats", "1", "--json", str(file), *options),
        cwd=ROOT,
        stdout=PIPE,
        stderr=PIPE,
    )
    printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    (table,) = json.loads(await asyncio.to_thread(file.read_text))["tables"]
    return table, printed.decode()


async def test_every_contender_finishes_a_race() -> None:
    async with ready() as bench:
        laps = await race(bench.racers.values(), bench.model, rounds=2, kib=1)
    assert laps.keys() == {"floor", "guide", "naive", "ours"}
    assert {lap.failure for lap in laps.values()} == {None}
    assert {len(lap.timeline.request_times) for lap in laps.values()} == {3}, "two rounds of calls, then the conclusion"


@pytest.mark.slow
async def test_a_few_rounds_fill_the_table(tmp_path: Path) -> None:
    table, printed = await measured(tmp_path / "bench.json", "--concurrency", "1", "--kills", "0")
    samples = {row["name"]: row["samples"] for row in table["rows"]}
    assert samples.keys() >= {*COMPARED, *PLAIN_TOO, *OURS}
    told = {name: {contender for contender, taken in row.items() if taken} for name, row in samples.items()}
    assert all(told[name] == {"floor", "naive", "ours"} for name in COMPARED)
    assert all(told[name] == {"floor", "guide", "naive", "ours"} for name in PLAIN_TOO)
    assert all("ours" in told[name] for name in OURS)
    for name, row in samples.items():
        least = -1 if name.startswith(("model requests sent", "memory")) else 0
        assert all(math.isfinite(sample) and sample > least for taken in row.values() for sample in taken), name
        assert f"| {name} " in printed
    assert table["notes"] == [f"{name}: all 3 rounds, in every run" for name in ("floor", "naive", "ours", "guide")]


@pytest.mark.slow
async def test_a_killed_worker_s_runs_are_taken_up(tmp_path: Path) -> None:
    table, _ = await measured(tmp_path / "bench.json", "--concurrency", "16", "--kills", "1")
    samples = {row["name"]: row["samples"] for row in table["rows"]}
    name = "recovery after SIGKILL, 1 kills of a worker with 8 runs, median, s"
    assert len(samples[name]["ours"]) == 8
    assert "throughput of 16 runs at once, rounds/s" in samples


def test_the_plot_names_all_that_are_shown(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="the plot takes the extra `bench`")
    from bench.plot import SHOWN, draw

    curves = {name: Curves([[2.0, 3.0, 4.0], [2.0]], [1_000, 2_000, 3_000]) for name in SHOWN}
    draw(ResultTable("Title", [], [], curves), tmp_path / "bench.svg")
    drawn = (tmp_path / "bench.svg").read_text()
    assert all(f">{label}</text>" in drawn for label, _, _ in SHOWN.values())


def test_a_tenth_of_the_rounds_is_early_middle_and_late() -> None:
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
async def order() -> TurnOrder:
    order = TurnOrder()
    order.join(["one", "two"])
    return order


async def take_turns(order: TurnOrder, name: str, went: list[str], turns: int) -> None:
    for _ in range(turns):
        await order.turn(name)
        went.append(name)
    order.leave(name)


async def test_all_get_as_many_turns_one_after_the_other(order: TurnOrder) -> None:
    went: list[str] = []
    await asyncio.gather(take_turns(order, "one", went, 5), take_turns(order, "two", went, 5))
    assert [set(went[turn : turn + 2]) for turn in range(0, 10, 2)] == [{"one", "two"}] * 5


async def test_one_that_left_is_not_waited_for(order: TurnOrder) -> None:
    went: list[str] = []
    await asyncio.gather(take_turns(order, "one", went, 1), take_turns(order, "two", went, 3))
    assert sorted(went) == ["one", "two", "two", "two"]


async def test_nobody_goes_before_all_are_there(order: TurnOrder) -> None:
    first = asyncio.create_task(order.turn("one"))
    await asyncio.sleep(0.05)
    assert order.waits("one") and not first.done()
    order.leave("two")
    await first


async def test_who_does_not_race_never_waits(order: TurnOrder) -> None:
    await asyncio.wait_for(order.turn("stranger"), 1)
