"""Storms with nothing killed: a group is one run however often it is told of, and of many groups none is lost."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from tests.end_to_end.storms.counts import count, executions, until_closed
from tests.end_to_end.storms.groups import groups
from tests.end_to_end.storms.sender import sending
from tests.end_to_end.storms.site import site

pytestmark = pytest.mark.timeout(300)

IDENTICAL = 1_000
AT_ONCE = 50


async def test_a_thousand_identical_deliveries_are_one_run(tmp_path: Path) -> None:
    (group,) = there = groups(1)
    async with site(tmp_path) as place, sending(place.url, AT_ONCE) as sender:
        await asyncio.gather(place.start_intake(), place.start_worker())
        await asyncio.gather(*(sender.tell(group) for _ in range(IDENTICAL)))
        await place.reports.of(group)
        await sender.tell(group, "resolved")
        await until_closed(place.temporal.client, there)
        counted = await count(place, there)
    sender.tell_how_it_went(counted)
    assert counted.problems == []
    assert (group.taken, sender.statuses[200]) == (IDENTICAL + 1, IDENTICAL + 1)
    assert set(sender.statuses) <= {200, 503}
    assert counted.repeated_questions == counted.repeated_reports == 0


async def test_a_group_of_fifty_alerts_is_one_run(tmp_path: Path) -> None:
    (group,) = there = groups(1, size=50)
    async with site(tmp_path) as place, sending(place.url, AT_ONCE) as sender:
        await asyncio.gather(place.start_intake(), place.start_worker())
        await sender.tell(group)
        await place.reports.of(group)
        told = place.model.requests[0].json()["messages"]
        await sender.tell(group, "resolved")
        await until_closed(place.temporal.client, there)
        counted = await count(place, there)
    assert counted.problems == []
    assert "(and 49 more)" in told[1]["content"]


@pytest.mark.parametrize("many", [pytest.param(200, id="200"), pytest.param(2_000, id="2000", marks=pytest.mark.slow)])
async def test_of_many_groups_at_once_all_become_runs(tmp_path: Path, many: int) -> None:
    there = groups(many)
    async with site(tmp_path) as place, sending(place.url, AT_ONCE) as sender:
        await place.start_intake()
        began = asyncio.get_running_loop().time()
        await asyncio.gather(*map(sender.tell, there))
        took = asyncio.get_running_loop().time() - began
        async with asyncio.timeout(30):
            while len(listed := await executions(place.temporal.client)) < many:
                await asyncio.sleep(0.2)
    sender.tell_how_it_went(f"{many} groups in {took:.1f} s; {dict(sender.refusals)}")
    assert set(sender.statuses) <= {200, 503}
    assert listed.keys() == {group.workflow_id for group in there}
    assert [len(chain) for chain in listed.values()] == [1] * many
