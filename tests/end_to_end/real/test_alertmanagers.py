"""Real Alertmanagers: a cluster that loses an instance, and groups of thousands of alerts. None is lost or doubled."""

from __future__ import annotations

import asyncio
import json
import re
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient, HTTPError
from temporalio.client import Client

from tests.end_to_end.chaos.temporal_server import TemporalServer, run_server
from tests.end_to_end.real.alertmanagers import Alertmanager, make_alert, run_cluster
from tests.end_to_end.real.monitoring import TOKEN
from tests.end_to_end.real.receiver import Receiver
from tests.support.harness import LOOK, run_harness
from watchkeeper.cli.intake import serve_intake
from watchkeeper.contracts import JsonObject
from watchkeeper.temporal.client import connect
from watchkeeper.temporal.ports import HOST, free_port
from watchkeeper.testing.scripts import ScriptedReply, calls, says

pytestmark = [pytest.mark.real, pytest.mark.timeout(240)]

SECONDS = 90.0
ALERTS = 5_000
"""As many as the example lets Alertmanager send at once."""


def investigate(request: JsonObject) -> ScriptedReply:
    """A scripted model: it looks at the service once, and reports."""
    has_looked = any(message["role"] == "tool" for message in request["messages"])
    return says("Verdict: unknown\n\nCheckout fails: 18.2 % errors [r1.0].") if has_looked else calls(LOOK)


@dataclass
class Scene:
    """An intake and a worker, and the reports and requests of what they did."""

    temporal: TemporalServer
    http: AsyncClient
    intake: str
    reports: Path
    first_prompts: list[str]

    async def runs(self) -> list[JsonObject]:
        """Return all runs, in full."""
        listed = (await self.http.get(f"{self.intake}/runs")).json()["runs"]
        return [(await self.http.get(f"{self.intake}/runs/{run['run']}")).json() for run in listed]

    async def until(self, condition: Callable[[JsonObject], object]) -> JsonObject:
        """Wait until a condition is true of the one run; return the run."""
        async with asyncio.timeout(SECONDS):
            while True:
                try:
                    runs = await self.runs()
                except (HTTPError, KeyError):
                    runs = []  # Temporal is down
                assert len(runs) <= 1, [run["run"] for run in runs]
                if runs and condition(runs[0]):
                    return runs[0]
                await asyncio.sleep(0.3)

    async def answers(self) -> Counter[str]:
        """Return how often the intake has answered with each status."""
        text = (await self.http.get(f"{self.intake}/metrics")).text
        found = re.findall(r'watchkeeper_intake_requests_total\{code="(\d+)",source="am"\} ([\d.]+)', text)
        return Counter({code: int(float(number)) for code, number in found})


@asynccontextmanager
async def run_scene(directory: Path, port: int) -> AsyncIterator[Scene]:
    reports, prompts = directory / "reports", list[str]()

    def answer(request: JsonObject) -> ScriptedReply:
        prompts.append(json.dumps(request["messages"]))
        return investigate(request)

    async with run_server() as temporal, AsyncClient(timeout=20) as http:
        settings: dict[str, Any] = {
            "reports": {"directory": reports},
            "services": {"checkout": {"team": "payments"}},
            "sources": {"am": {"kind": "alertmanager", "tokens": [TOKEN]}},
            "intake": {"port": port},
            "watchdog": {"journal": directory / "watchdog.db"},
        }
        client: Client = await connect(temporal.address, lazy=True)
        async with (
            run_harness(temporal.client, answer, **settings) as harness,
            serve_intake(client, harness.settings) as intake,
        ):
            yield Scene(temporal, http, intake, reports, prompts)


def statuses(run: JsonObject) -> dict[str, str]:
    """Return the status of each alert of a run, by the name of the alert."""
    return {alert["title"].partition(":")[0]: alert["status"] for alert in run["alerts"]}


class Prometheus:
    """Posts the same alerts to all instances again and again, as each Prometheus does."""

    def __init__(self, instances: Sequence[Alertmanager], http: AsyncClient) -> None:
        self._instances = instances
        self._http = http
        self._alerts: dict[str, JsonObject] = {}
        self._began: dict[str, datetime] = {}

    async def fire(self, name: str) -> None:
        """Let an alert fire."""
        self._began[name] = datetime.now(UTC)
        await self.post()

    async def resolve_all(self) -> None:
        """Resolve every alert."""
        over = datetime.now(UTC)
        self._alerts = {name: make_alert(name, began, over) for name, began in self._began.items()}
        await self.post()

    async def post(self) -> None:
        """Post what fires now, or what has resolved."""
        sent = list(self._alerts.values()) or [make_alert(name, began) for name, began in self._began.items()]
        await asyncio.gather(*(instance.post(self._http, sent) for instance in self._instances))

    async def post_for_ever(self) -> None:
        """Post every second."""
        while True:
            await self.post()
            await asyncio.sleep(1)


async def test_a_cluster_that_loses_an_instance_has_one_run(tmp_path: Path) -> None:
    port = free_port()
    webhook = {"url": f"http://{HOST}:{port}/alerts/am"}
    async with run_scene(tmp_path, port) as scene, run_cluster(tmp_path, [webhook]) as instances:
        async with asyncio.timeout(SECONDS):
            while [await instance.peers(scene.http) for instance in instances] != [2, 2]:
                await asyncio.sleep(0.1)
        prometheus = Prometheus(instances, scene.http)
        await prometheus.fire("HighErrorRate")
        posting = asyncio.create_task(prometheus.post_for_ever())
        first = await scene.until(lambda run: run["status"] == "concluded")
        async with asyncio.timeout(SECONDS):
            while (await scene.answers())["200"] < 2:  # both instances have notified
                await asyncio.sleep(0.1)

        await instances[0].kill()
        await prometheus.fire("HighLatency")
        joined = await scene.until(lambda run: len(run["alerts"]) == 2 and run["follow_ups"])
        assert joined["first_run_id"] == first["first_run_id"]

        await scene.temporal.kill()
        await prometheus.fire("QueueGrows")
        async with asyncio.timeout(SECONDS):
            while not (await scene.answers())["503"]:
                await asyncio.sleep(0.1)
        await scene.temporal.start()
        await scene.until(lambda run: len(run["alerts"]) == 3)

        await instances[0].start()  # it knows nothing of what the other one has sent since
        await prometheus.post()
        await asyncio.sleep(5)
        still = await scene.until(lambda run: True)
        assert set(statuses(still).values()) == {"firing"}
        assert not still["closed_at"]

        await prometheus.resolve_all()
        closed = await scene.until(lambda run: run["closed_at"])
        await asyncio.sleep(3)  # the other instance says the same
        posting.cancel()
        answers, after = await scene.answers(), await scene.runs()
    assert [run["first_run_id"] for run in after] == [first["first_run_id"]]
    assert statuses(closed) == dict.fromkeys(("HighErrorRate", "HighLatency", "QueueGrows"), "resolved")
    delivered = [path.name for path in scene.reports.iterdir() if path.suffix == ".md"]
    assert len([name for name in delivered if "follow-up" not in name]) == 1, delivered
    assert len(delivered) == len(set(delivered)) == 1 + len(closed["follow_ups"])
    assert answers["200"] >= 5, "two of the first alert, one of each other one, and one of the end"
    assert answers.keys() <= {"200", "202", "503"}


@pytest.mark.parametrize(
    ("alerts", "max_alerts"),
    [(300, ALERTS), (ALERTS, ALERTS), (ALERTS, 1_000)],
    ids=["300", "5000", "5000 cut to 1000"],
)
async def test_a_large_group_of_a_real_alertmanager_is_one_run(tmp_path: Path, alerts: int, max_alerts: int) -> None:
    port, receiver = free_port(), Receiver(TOKEN)
    async with receiver.serve_webhook() as recorded, run_scene(tmp_path, port) as scene:
        webhooks = [
            {"url": f"http://{HOST}:{port}/alerts/am", "max_alerts": max_alerts},
            {"url": recorded, "max_alerts": max_alerts},
        ]
        async with run_cluster(tmp_path, webhooks, size=1, group_wait=5) as (instance,):
            began = datetime.now(UTC)  # Alertmanager waits for the whole group only if it has just begun
            sent = [make_alert("PodCrashes", began, pod=f"checkout-{number}", job="kube") for number in range(alerts)]
            await instance.post(scene.http, sent)
            reported = await scene.until(lambda run: run["status"] == "concluded")
            prompt = scene.first_prompts[0]
            over = datetime.now(UTC)
            await instance.post(
                scene.http,
                [
                    make_alert("PodCrashes", began, over, pod=f"checkout-{number}", job="kube")
                    for number in range(alerts)
                ],
            )
            if alerts <= max_alerts:
                closed = await scene.until(lambda run: run["closed_at"])
            else:
                await asyncio.sleep(5)
                closed = await scene.until(lambda run: True)
        size = len(receiver.endpoint.requests[0].body)
        answers = await scene.answers()
    listed = min(alerts, max_alerts)
    assert 500 * listed < size < 2_000 * listed, f"{size:,} bytes"
    assert len(json.loads(receiver.endpoint.requests[0].body)["alerts"]) == listed
    assert answers.keys() <= {"200", "503"}
    assert answers["503"] <= 5
    assert f"(and {listed - 1} more)" in reported["text"]
    cut = f"the sender left {alerts - max_alerts} alerts out of this group (its max_alerts)"
    assert (cut in prompt) is (alerts > max_alerts)
    assert closed["first_run_id"] == reported["first_run_id"]
    assert bool(closed["closed_at"]) is (alerts <= max_alerts), "what is left out may fire"


async def test_thousands_of_alerts_join_the_run_of_one(tmp_path: Path) -> None:
    port, began = free_port(), datetime.now(UTC)
    webhook = {"url": f"http://{HOST}:{port}/alerts/am", "max_alerts": ALERTS}
    async with run_scene(tmp_path, port) as scene, run_cluster(tmp_path, [webhook], size=1) as (instance,):
        await instance.post(scene.http, [make_alert("HighErrorRate", began)])
        first = await scene.until(lambda run: run["status"] == "concluded")
        pods = [make_alert("PodCrashes", began, pod=f"checkout-{number}") for number in range(ALERTS - 1)]
        await instance.post(scene.http, pods)
        await scene.until(lambda run: run["follow_ups"])
        over = datetime.now(UTC)
        await instance.post(
            scene.http,
            [
                make_alert("HighErrorRate", began, over),
                *(make_alert("PodCrashes", began, over, pod=f"checkout-{number}") for number in range(ALERTS - 1)),
            ],
        )
        closed = await scene.until(lambda run: run["closed_at"])
        answers = await scene.answers()
    assert closed["first_run_id"] == first["first_run_id"]
    assert set(statuses(closed).values()) == {"resolved"}
    assert answers.keys() <= {"200", "503"}
