"""Health checks and metrics of the intake, and its behaviour during an outage of Temporal."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from uuid import uuid4

import pytest
from httpx2 import AsyncClient, Response
from prometheus_client.parser import text_string_to_metric_families
from temporalio.client import Client

from tests.end_to_end.chaos.tcp_relay import Relay, run_relay
from tests.support.alert_requests import payload
from tests.support.harness import run_harness
from tests.support.intake_harness import TOKEN, Dispatcher, bearer, running_intake, settings
from tests.unit.intake.test_alerts import STARTED
from watchkeeper.runs.dispatch import dispatch_alerts
from watchkeeper.temporal.client import connect
from watchkeeper.testing.scripts import says
from watchkeeper.watchdog.models import WatchdogCounts

FIRING = payload("alertmanager-firing")


async def ready(http: AsyncClient) -> tuple[int, dict[str, bool]]:
    answer = await http.get("/readyz")
    found: dict[str, bool] = answer.json()
    return answer.status_code, found


async def until(wanted: Callable[[Response], bool], http: AsyncClient, method: str, path: str, body: bytes) -> None:
    async with asyncio.timeout(20):
        while not wanted(await http.request(method, path, content=body)):
            await asyncio.sleep(0.1)


async def test_it_is_ready_when_a_worker_polls(client: Client) -> None:
    async with run_harness(client, [says("Fine.")]) as harness:
        chosen = settings(worker={"task_queue": harness.settings.worker.task_queue})
        async with running_intake(client, Dispatcher().dispatch, chosen) as http:
            async with asyncio.timeout(10):
                while (found := await ready(http))[0] != 200:
                    await asyncio.sleep(0.1)
    assert found == (200, {"temporal": True, "worker": True, "progress": True})
    async with running_intake(client, Dispatcher().dispatch, settings(worker={"task_queue": uuid4().hex})) as http:
        assert await ready(http) == (503, {"temporal": True, "worker": False, "progress": True})


async def test_frequent_checks_ask_temporal_once(client: Client) -> None:
    async with run_relay(client.service_client.config.target_host) as relay:
        far = await connect(relay.address, {}, lazy=True)
        async with running_intake(far, Dispatcher().dispatch) as http:
            assert await ready(http) == (503, {"temporal": True, "worker": False, "progress": True})
            relay.cut(silently=True)
            assert await ready(http) == (503, {"temporal": True, "worker": False, "progress": True})
            await asyncio.sleep(1.1)
            began = time.perf_counter()
            answers = await asyncio.gather(*(ready(http) for _ in range(20)))
    assert answers == [(503, {"temporal": False, "worker": False, "progress": True})] * 20
    assert time.perf_counter() - began < 5


@asynccontextmanager
async def intake_behind_relay(client: Client, *, cut: bool) -> AsyncIterator[tuple[AsyncClient, Relay]]:
    """Run an intake whose connection to Temporal can be cut."""
    async with run_relay(client.service_client.config.target_host) as relay:
        if cut:
            relay.cut(silently=False)
        far = await connect(relay.address, {}, lazy=True)
        async with running_intake(far, dispatch_alerts, settings(worker={"task_queue": uuid4().hex})) as http:
            yield http, relay


def firing() -> bytes:
    return FIRING.replace(b'"groupKey":"', f'"groupKey":"{uuid4().hex}'.encode())


async def test_it_starts_without_temporal_and_accepts_alerts_once_temporal_is_up(client: Client) -> None:
    body = firing()
    async with intake_behind_relay(client, cut=True) as (http, relay):
        alive = await http.get("/healthz")
        early = await http.post("/alerts/open", content=body)
        people = await http.post("/runs", json={"text": "Why?"}, headers=bearer(TOKEN))
        status = await ready(http)
        relay.restore()
        await until(lambda answer: answer.status_code == 200, http, "POST", "/alerts/open", body)
    assert (alive.status_code, alive.json()) == (200, {"alive": True})
    assert (early.status_code, people.status_code) == (503, 503)
    assert "retry-after" in people.headers
    assert status == (503, {"temporal": False, "worker": False, "progress": True})


@pytest.mark.parametrize("silently", [True, False])
async def test_an_outage_costs_a_sender_at_most_the_time_limit(client: Client, silently: bool) -> None:
    async with intake_behind_relay(client, cut=False) as (http, relay):
        await until(lambda answer: answer.status_code == 200, http, "POST", "/alerts/open", firing())
        relay.cut(silently=silently)
        began = time.perf_counter()
        answers = await asyncio.gather(*(http.post("/alerts/open", content=firing()) for _ in range(50)))
        took = time.perf_counter() - began
        alive = await http.get("/healthz")
        relay.restore()
        await until(lambda answer: answer.status_code == 200, http, "POST", "/alerts/open", firing())
    assert {answer.status_code for answer in answers} == {503}
    assert took < 0.9 + 2
    assert alive.status_code == 200


async def test_metrics_can_be_scraped(client: Client) -> None:
    async with running_intake(client, Dispatcher([STARTED]).dispatch) as http:
        for _ in range(3):
            await http.post("/alerts/open", content=FIRING)
        scraped = await http.get("/metrics")
    families = {family.name: family for family in text_string_to_metric_families(scraped.text)}
    assert scraped.headers["content-type"].startswith("text/plain")
    assert families.keys() >= {
        "watchkeeper_intake_alerts",
        "watchkeeper_intake_unknown_severities",
        "watchkeeper_intake_requests",
        "watchkeeper_intake_seconds",
    }
    (count,) = [
        sample.value
        for sample in families["watchkeeper_intake_seconds"].samples
        if sample.name.endswith("_count") and sample.labels == {"source": "open"}
    ]
    assert count == 3


async def test_background_contexts_start_and_stop_with_the_app(client: Client) -> None:
    happened: list[str] = []

    @asynccontextmanager
    async def watching() -> AsyncIterator[None]:
        happened.append("began")
        yield
        happened.append("ended")

    async with running_intake(client, Dispatcher().dispatch, background=[watching()]) as http:
        assert (await http.get("/healthz")).status_code == 200
        assert happened == ["began"]
    assert happened == ["began", "ended"]


async def test_it_is_not_ready_while_runs_are_stuck(client: Client) -> None:
    counts = WatchdogCounts()
    async with run_harness(client, [says("Fine.")]) as harness:
        chosen = settings(worker={"task_queue": harness.settings.worker.task_queue})
        async with running_intake(client, Dispatcher().dispatch, chosen, counts=counts) as http:
            async with asyncio.timeout(10):
                while (await ready(http))[0] != 200:
                    await asyncio.sleep(0.1)
            counts.stuck = 3
            assert await ready(http) == (503, {"temporal": True, "worker": True, "progress": False})
            assert "watchkeeper_watchdog_stuck 3.0" in (await http.get("/metrics")).text
            counts.stuck = 0
            assert (await ready(http))[0] == 200
