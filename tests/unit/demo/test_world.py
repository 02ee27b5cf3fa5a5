from dataclasses import astuple

import pytest
from httpx2 import AsyncClient, ReadError

from watchkeeper.demo.world import World
from watchkeeper.testing import faults


async def test_every_back_end_has_its_own_server(world: World) -> None:
    urls = astuple(world.urls)
    assert len(set(urls)) == 7
    assert all(url.startswith("http://127.0.0.1:") for url in urls)


async def test_two_worlds_are_independent(http: AsyncClient, world: World) -> None:
    async with World.running() as other:
        await http.get(f"{world.urls.loki_url}/ready")
        assert (len(world.loki.requests), len(other.loki.requests)) == (1, 0)
        assert not set(astuple(world.urls)) & set(astuple(other.urls))


async def test_a_world_can_start_at_another_time() -> None:
    async with World.running(started_at=1_700_000_000) as world:
        assert world.scenario.started_at == 1_700_000_000


async def test_one_back_end_fails_without_the_others(http: AsyncClient, world: World) -> None:
    world.prometheus.fail_next(503)
    assert (await http.get(f"{world.urls.prometheus_url}/-/ready")).status_code == 503
    assert (await http.get(f"{world.urls.loki_url}/ready")).status_code == 200
    assert (await http.get(f"{world.urls.prometheus_url}/-/ready")).status_code == 200


async def test_a_page_whose_reply_is_lost_was_sent(http: AsyncClient, world: World) -> None:
    event = {
        "routing_key": world.routing_keys["checkout"],
        "event_action": "trigger",
        "dedup_key": "run/r2.0",
        "payload": {"summary": "checkout fails", "source": "test", "severity": "critical"},
    }
    world.pagerduty_events.faults.append(faults.lose_reply())
    url = f"{world.urls.pagerduty_events_url}/v2/enqueue"
    with pytest.raises(ReadError):
        await http.post(url, json=event)
    assert (await http.post(url, json=event)).status_code == 202
    assert (len(world.pages.events), len(world.pages.incidents)) == (2, 1)
    assert [request.json()["dedup_key"] for request in world.pagerduty_events.requests] == ["run/r2.0"] * 2
