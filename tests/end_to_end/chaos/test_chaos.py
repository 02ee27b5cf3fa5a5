"""A sample of the fault matrix. `make chaos` runs every fault at every point."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from temporalio.api.enums.v1 import EventType

from tests.end_to_end.chaos.hosts import run_hosts
from tests.end_to_end.chaos.incidents import FULL
from tests.end_to_end.chaos.matrix import sample_matrix, take_baseline
from tests.end_to_end.chaos.scripted_run import Environment, scripted_run
from tests.end_to_end.chaos.tcp_relay import run_relay
from tests.end_to_end.chaos.temporal_server import run_server
from workflows.tool_calls import UNCERTAIN

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
async def environment() -> AsyncIterator[Environment]:
    async with run_server() as server, run_hosts() as hosts:
        yield Environment(server, hosts)


async def test_a_run_survives_every_fault(environment: Environment) -> None:
    baseline = await take_baseline(environment)
    for row in sample_matrix(baseline):
        await row.inject(environment, baseline)
        assert row.problems() == []


async def test_a_once_call_is_not_started_when_its_task_arrives_too_late(environment: Environment) -> None:
    async with run_relay(environment.server.address, delay=0.2) as relay, scripted_run(environment, FULL) as run:

        def recorded(kind: EventType.ValueType) -> bool:
            return kind in [event.event_type for event in run.follower.events[run.scheduled("r2.1") :]]

        await run.start_worker("first", address=relay.address)
        await run.start()
        await run.follower.wait_until(lambda: run.scheduled("r2.1") > 0)
        relay.cut(silently=True)
        await run.follower.wait_until(lambda: recorded(EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT))
        relay.restore()
        assert await run.wait_for_end()
        tool_results = run.arrivals[-2].tool_results
    assert "r2.1" not in [arrival.call for arrival in run.arrivals]
    assert [UNCERTAIN in text for text in tool_results].count(True) == 1
