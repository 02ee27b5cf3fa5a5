"""Kills during a storm lose no group of alerts and duplicate none, counted from end to end."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.end_to_end.storms.counts import count_storm, wait_until_closed
from tests.end_to_end.storms.groups import make_groups
from tests.end_to_end.storms.sender import alert_sender
from tests.end_to_end.storms.site import run_site

CONNECTIONS = 20


@pytest.mark.parametrize(
    ("group_count", "workers", "fault_count", "pause"),
    [
        pytest.param(40, 1, 6, 1.0, id="40", marks=pytest.mark.timeout(180)),
        pytest.param(500, 2, 15, 20.0, id="500", marks=[pytest.mark.slow, pytest.mark.timeout(900)]),
    ],
)
async def test_no_kill_loses_or_duplicates_a_group(
    tmp_path: Path, group_count: int, workers: int, fault_count: int, pause: float
) -> None:
    groups = make_groups(group_count)
    async with run_site(tmp_path) as site, alert_sender(site.url, CONNECTIONS) as sender:

        def progress() -> float:
            steps = [
                (group.accepted > 0) + (group.workflow_id in site.reports.delivered) + group.resolved
                for group in groups
            ]
            return sum(steps) / (3 * group_count)

        await asyncio.gather(site.start_intake(), *(site.start_worker() for _ in range(workers)))
        fault_task = asyncio.create_task(site.inject_faults(progress, fault_count))
        async with asyncio.TaskGroup() as storm:
            for number, group in enumerate(groups):
                storm.create_task(sender.send_lifecycle(group, pause, site.reports.wait_for if number % 2 else None))
        await fault_task
        await wait_until_closed(site.temporal.client, groups)
        counted = await count_storm(site, groups)
    sender.print_summary(f"killed: {', '.join(site.killed)}; {counted}")
    assert counted.problems == []
    assert counted.conversations + counted.without_model_call == group_count
    assert len(site.killed) == fault_count
    assert set(sender.statuses) <= {0, 200, 202, 503}
