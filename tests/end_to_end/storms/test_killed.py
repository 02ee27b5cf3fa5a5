"""Kills in the midst of a storm lose no group of alerts and double none, counted from end to end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.end_to_end.storms.counts import count, until_closed
from tests.end_to_end.storms.groups import groups
from tests.end_to_end.storms.sender import sending
from tests.end_to_end.storms.site import site

AT_ONCE = 20


@pytest.mark.parametrize(
    ("many", "workers", "faults", "pause"),
    [
        pytest.param(40, 1, 6, 1.0, id="40", marks=pytest.mark.timeout(180)),
        pytest.param(500, 2, 15, 20.0, id="500", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
async def test_no_kill_loses_or_doubles_a_group(
    tmp_path: Path, many: int, workers: int, faults: int, pause: float
) -> None:
    there = groups(many)
    async with site(tmp_path) as place, sending(place.url, AT_ONCE) as sender:

        def progress() -> float:
            done = [
                (group.taken > 0) + (group.workflow_id in place.reports.delivered) + group.resolved for group in there
            ]
            return sum(done) / (3 * many)

        await asyncio.gather(place.start_intake(), *(place.start_worker() for _ in range(workers)))
        injecting = asyncio.create_task(place.inject_faults(progress, faults))
        async with asyncio.TaskGroup() as storm:
            for number, group in enumerate(there):
                storm.create_task(sender.live(group, pause, place.reports.of if number % 2 else None))
        await injecting
        await until_closed(place.temporal.client, there)
        counted = await count(place, there)
    sender.tell_how_it_went(f"killed: {', '.join(place.killed)}; {counted}")
    assert counted.problems == []
    assert counted.conversations + counted.unasked == many
    assert len(place.killed) == faults
    assert set(sender.statuses) <= {0, 200, 202, 503}
