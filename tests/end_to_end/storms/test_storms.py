"""Storms without faults: a group is one run however often its alert is delivered, and no group is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.end_to_end.storms.counts import count_storm, list_executions, wait_until_closed
from tests.end_to_end.storms.groups import make_groups
from tests.end_to_end.storms.sender import alert_sender
from tests.end_to_end.storms.site import run_site

pytestmark = pytest.mark.timeout(300)

IDENTICAL = 1_000
CONNECTIONS = 50


async def test_a_thousand_identical_deliveries_are_one_run(tmp_path: Path) -> None:
    (group,) = groups = make_groups(1)
    async with run_site(tmp_path) as site, alert_sender(site.url, CONNECTIONS) as sender:
        await asyncio.gather(site.start_intake(), site.start_worker())
        await asyncio.gather(*(sender.deliver(group) for _ in range(IDENTICAL)))
        await site.reports.wait_for(group)
        await sender.deliver(group, "resolved")
        await wait_until_closed(site.temporal.client, groups)
        counted = await count_storm(site, groups)
    sender.print_summary(counted)
    assert counted.problems == []
    assert (group.accepted, sender.statuses[200]) == (IDENTICAL + 1, IDENTICAL + 1)
    assert set(sender.statuses) <= {200, 503}
    assert counted.repeated_model_calls == counted.repeated_reports == 0


async def test_a_group_of_fifty_alerts_is_one_run(tmp_path: Path) -> None:
    (group,) = groups = make_groups(1, size=50)
    async with run_site(tmp_path) as site, alert_sender(site.url, CONNECTIONS) as sender:
        await asyncio.gather(site.start_intake(), site.start_worker())
        await sender.deliver(group)
        await site.reports.wait_for(group)
        messages = site.model.requests[0].json()["messages"]
        await sender.deliver(group, "resolved")
        await wait_until_closed(site.temporal.client, groups)
        counted = await count_storm(site, groups)
    assert counted.problems == []
    assert "(and 49 more)" in messages[1]["content"]


@pytest.mark.parametrize("count", [pytest.param(200, id="200"), pytest.param(2_000, id="2000", marks=pytest.mark.slow)])
async def test_many_groups_at_once_all_become_runs(tmp_path: Path, count: int) -> None:
    groups = make_groups(count)
    async with run_site(tmp_path) as site, alert_sender(site.url, CONNECTIONS) as sender:
        await site.start_intake()
        started = asyncio.get_running_loop().time()
        await asyncio.gather(*map(sender.deliver, groups))
        seconds = asyncio.get_running_loop().time() - started
        async with asyncio.timeout(30):
            while len(listed := await list_executions(site.temporal.client)) < count:
                await asyncio.sleep(0.2)
    sender.print_summary(f"{count} groups in {seconds:.1f} s; {dict(sender.refusals)}")
    assert set(sender.statuses) <= {200, 503}
    assert listed.keys() == {group.workflow_id for group in groups}
    assert [len(chain) for chain in listed.values()] == [1] * count
