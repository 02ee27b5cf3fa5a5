"""A run that cannot be briefed: no one is paged for a person's mistake, and someone for an alert."""

from __future__ import annotations

from typing import Any

import pytest
from temporalio.client import Client

from tests.activities.test_deliver import ORIGIN, TOOLS
from tests.support.harness import failure, run_harness
from tests.support.settings import paging_tables
from watchkeeper.contracts import LimitChanges, ToolChoice
from watchkeeper.demo.world import World
from watchkeeper.testing.scripts import says

MISTAKES: list[tuple[dict[str, Any], str]] = [
    ({"service": "chekout"}, "UnknownService"),
    ({"tool_choice": ToolChoice(mode="named", function="lok")}, "UnknownTool"),
    ({"tool_choice": ToolChoice(mode="named")}, "UnknownTool"),
    ({"limits": LimitChanges(cost=1)}, "PricesUnknown"),
]


@pytest.mark.parametrize(("mistake", "kind"), MISTAKES)
async def test_a_mistake_of_a_person_pages_no_one(
    client: Client, world: World, mistake: dict[str, Any], kind: str
) -> None:
    async with run_harness(client, [says("Fine.")], tools=TOOLS, **paging_tables(world, team="payments")) as harness:
        ended, _, result = await failure(await harness.start(severity="critical", **mistake))
    assert (ended, result.status) == (kind, "failed")
    assert harness.model.requests == []
    assert world.pages.events == []


async def test_an_alert_whose_run_cannot_be_briefed_pages(client: Client, world: World) -> None:
    async with run_harness(client, [says("Fine.")], tools=TOOLS, **paging_tables(world, team="payments")) as harness:
        ended, _, _ = await failure(await harness.start(service="chekout", origin=ORIGIN))
    assert ended == "UnknownService"
    assert [page.team for page in world.pages.incidents] == ["payments"]
