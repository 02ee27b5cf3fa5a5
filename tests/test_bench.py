"""The benchmark runs, and its table says what was measured."""

from __future__ import annotations

import asyncio
import json
import math
import sys
from asyncio.subprocess import PIPE
from pathlib import Path

import pytest

from bench.baton import Baton
from bench.table import Row, Table
from bench.timeline import windows

ROOT = Path(__file__).parent.parent
COMPARED = [
    "orchestration per round, rounds 1-1, ms",
    "orchestration per round, rounds 2-3, ms",
    "worker CPU per round, ms",
    "start to first question, ms",
    "history after 3 rounds, KiB",
    "history after 3 rounds, events",
    "replay, per round, ms",
]
OURS = [
    "history after 3 rounds, times the next request",
    "argument to request, round 3, ms",
    "conversations in memory, 6 runs on one worker, %",
    "conversations in memory, 6 runs on two workers, %",
]


async def test_a_few_rounds_fill_the_table(tmp_path: Path) -> None:
    file = tmp_path / "bench.json"
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bench", "--rounds", "3", "--repeats", "1", "--json", str(file)),
        cwd=ROOT,
        stdout=PIPE,
        stderr=PIPE,
    )
    printed, complaints = await process.communicate()
    assert process.returncode == 0, complaints.decode()
    (table,) = json.loads(await asyncio.to_thread(file.read_text))["tables"]
    samples = {row["name"]: row["samples"] for row in table["rows"]}
    assert samples.keys() >= {*COMPARED, *OURS}
    assert all(samples[name].keys() == {"floor", "naive", "ours"} for name in COMPARED)
    assert all(samples[name]["ours"] for name in (*COMPARED, *OURS))
    for name, row in samples.items():
        least = -1 if name.startswith("questions put") else 0
        assert all(math.isfinite(sample) and sample > least for taken in row.values() for sample in taken), name
        assert f"| {name} " in printed.decode()
    assert table["notes"] == [f"{name}: all 3 rounds, every time" for name in ("floor", "naive", "ours")]


def test_a_tenth_of_the_rounds_is_early_middle_and_late() -> None:
    assert list(windows(100)) == ["1-10", "45-55", "90-100"]
    assert list(windows(50)) == ["1-5", "23-28", "45-50"]
    assert list(windows(2)) == ["1-1", "1-2"]


def test_ratios_are_taken_pair_by_pair() -> None:
    row = Row("time, ms", {"floor": [1.0, 10.0, 2.0], "ours": [2.0, 20.0, 4.0]})
    assert (row.value("ours"), row.ratio("ours", "floor"), row.ratio("naive", "floor")) == (4.0, 2.0, None)
    lines = list(Table("Title", [row], ["a note"]).markdown())
    assert [cell.strip() for cell in lines[4].split("|")[1:-1]] == ["time, ms", "2.00", "–", "4.00", "2.00", "–", "–"]
    assert lines[-1] == "- a note"


@pytest.fixture
async def baton() -> Baton:
    baton = Baton()
    baton.join(["one", "two"])
    return baton


async def race(baton: Baton, name: str, went: list[str], turns: int) -> None:
    for _ in range(turns):
        await baton.turn(name)
        went.append(name)
    baton.leave(name)


async def test_all_get_as_many_turns_one_after_the_other(baton: Baton) -> None:
    went: list[str] = []
    await asyncio.gather(race(baton, "one", went, 5), race(baton, "two", went, 5))
    assert [set(went[turn : turn + 2]) for turn in range(0, 10, 2)] == [{"one", "two"}] * 5


async def test_one_that_left_is_not_waited_for(baton: Baton) -> None:
    went: list[str] = []
    await asyncio.gather(race(baton, "one", went, 1), race(baton, "two", went, 3))
    assert sorted(went) == ["one", "two", "two", "two"]


async def test_nobody_goes_before_all_are_there(baton: Baton) -> None:
    first = asyncio.create_task(baton.turn("one"))
    await asyncio.sleep(0.05)
    assert baton.waits("one") and not first.done()
    baton.leave("two")
    await first


async def test_who_does_not_race_never_waits(baton: Baton) -> None:
    await asyncio.wait_for(baton.turn("stranger"), 1)
