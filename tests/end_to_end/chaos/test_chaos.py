"""A sample of the matrix: `make chaos` injects every fault at every point."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.api.enums.v1 import EventType

from tests.end_to_end.chaos.hosts import hosts
from tests.end_to_end.chaos.incidents import WHOLE
from tests.end_to_end.chaos.matrix import sample, take_baseline
from tests.end_to_end.chaos.player import Ground, playing
from tests.end_to_end.chaos.tcp_relay import relaying
from tests.end_to_end.chaos.temporal_server import server
from workflows.tool_calls import UNCERTAIN

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
async def ground() -> AsyncIterator[Ground]:
    async with server() as running, hosts() as around:
        yield Ground(running, around)


async def test_a_run_survives_whatever_befalls_it(ground: Ground) -> None:
    baseline = await take_baseline(ground)
    for row in sample(baseline):
        await row.play(ground, baseline)
        assert row.problems() == []


async def test_what_may_happen_once_is_not_begun_when_its_task_comes_too_late(ground: Ground) -> None:
    async with relaying(ground.server.address, delay=0.2) as relay, playing(ground, WHOLE) as play:

        def recorded(kind: EventType.ValueType) -> bool:
            return kind in [event.event_type for event in play.following.events[play.scheduled("r2.1") :]]

        await play.work("first", address=relay.address)
        await play.begin()
        await play.following.until(lambda: play.scheduled("r2.1") > 0)
        relay.cut(silently=True)
        await play.following.until(lambda: recorded(EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT))
        relay.mend()
        assert await play.until_over()
        told = play.arrivals[-2].told
    assert "r2.1" not in [arrival.call for arrival in play.arrivals]
    assert [UNCERTAIN in text for text in told].count(True) == 1
