"""From a failing service to a delivered report, through real Prometheus, Alertmanager, intake, Temporal and worker."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from httpx2 import AsyncClient
from temporalio.client import Client

from tests.end_to_end.chaos.temporal_server import TemporalServer, run_server
from tests.end_to_end.real.monitoring import TOKEN, WINDOW, Monitoring, run_monitoring
from tests.end_to_end.real.programs import SECONDS
from tests.support.harness import Harness, run_harness
from watchkeeper.cli.intake import serve_intake
from watchkeeper.contracts import JsonObject
from watchkeeper.temporal.client import connect
from watchkeeper.temporal.ports import free_port
from watchkeeper.testing.scripts import ScriptedReply, calls, says
from watchkeeper.tool_calling.catalogue import discover_tools

pytestmark = pytest.mark.real

TOOLS = {"get_service_health": discover_tools()["get_service_health"]}


def investigate(request: JsonObject) -> ScriptedReply:
    """A scripted model: it reads the health of checkout and reports it, and whether it knows the last episode."""
    messages = request["messages"]
    if messages[-1]["role"] == "user" and "is resolved now" not in messages[-1]["content"]:
        return calls(("get_service_health", {"service": "checkout"}))
    health = json.loads(messages[-1]["content"])
    known = "again, as before: " if "Its report begins" in messages[1]["content"] else ""
    verdict = "healthy" if health["status"] == "healthy" else "unknown"
    return says(f"Verdict: {verdict}\n\nCheckout: {known}{health['status']}, {health['error_rate']:.0%} errors [r1.0]")


@dataclass
class Scene:
    temporal: TemporalServer
    monitoring: Monitoring
    harness: Harness
    intake: str
    http: AsyncClient
    reports: Path

    async def run(self) -> JsonObject:
        """Return the open or last run of the group from the intake."""
        (listed, *_) = (await self.http.get(f"{self.intake}/runs")).json()["runs"]
        found: JsonObject = (await self.http.get(f"{self.intake}/runs/{listed['run']}")).json()
        return found

    async def wait_until(self, condition: Callable[[JsonObject], object]) -> JsonObject:
        """Wait until a condition is true of the run; return the run."""
        async with asyncio.timeout(SECONDS):
            while True:
                answer = await self.http.get(f"{self.intake}/runs")
                if answer.is_success and answer.json()["runs"] and condition(run := await self.run()):
                    return run
                await asyncio.sleep(0.2)


@asynccontextmanager
async def run_scene(directory: Path) -> AsyncIterator[Scene]:
    port, reports = free_port(), directory / "reports"
    source = {"kind": "alertmanager", "tokens": [TOKEN]}
    async with (
        run_server() as temporal,
        run_monitoring(directory, f"http://127.0.0.1:{port}/alerts/prometheus") as monitoring,
        AsyncClient(timeout=5) as http,
    ):
        settings: dict[str, Any] = {
            "prometheus": {"url": monitoring.prometheus_url, "window": WINDOW},
            "reports": {"directory": reports},
            "sources": {"prometheus": source},
            "intake": {"port": port},
            "watchdog": {"journal": directory / "watchdog.db"},
        }
        client: Client = await connect(temporal.address, lazy=True)
        async with (
            run_harness(temporal.client, investigate, tools=TOOLS, **settings) as harness,
            serve_intake(client, harness.settings) as intake,
        ):
            yield Scene(temporal, monitoring, harness, intake, http, reports)


@pytest.mark.timeout(180)
async def test_a_service_fails_recovers_and_fails_again(tmp_path: Path) -> None:
    async with run_scene(tmp_path) as scene:
        toy = scene.monitoring.toy
        toy.fail("checkout")
        first = await scene.wait_until(lambda run: run["status"] == "concluded")
        assert first["report"]["summary"].startswith("Checkout: degraded, ")
        assert first["service"] == "checkout"
        assert [alert["status"] for alert in first["alerts"]] == ["firing"]

        toy.slow_down("checkout")
        joined = await scene.wait_until(lambda run: run["follow_ups"])
        assert {alert["title"].partition(":")[0] for alert in joined["alerts"]} == {"HighErrorRate", "HighLatency"}
        assert joined["first_run_id"] == first["first_run_id"]

        toy.recover("checkout")
        closed = await scene.wait_until(lambda run: run["closed_at"])
        assert {alert["status"] for alert in closed["alerts"]} == {"resolved"}

        await scene.temporal.kill()
        toy.fail("checkout")
        await scene.monitoring.wait_until_firing(("HighErrorRate", "checkout"))
        assert (await scene.http.get(f"{scene.intake}/readyz")).status_code == 503
        await asyncio.sleep(3)
        await scene.temporal.start()
        second = await scene.wait_until(
            lambda run: run["first_run_id"] != first["first_run_id"] and run["status"] == "concluded"
        )
        assert second["run"] == first["run"]
        assert second["report"]["summary"].startswith("Checkout: again, as before: ")
        toy.recover("checkout")
        await scene.wait_until(lambda run: run["first_run_id"] == second["first_run_id"] and run["closed_at"])
        listed = (await scene.http.get(f"{scene.intake}/runs")).json()["runs"]
        delivered = sorted(path.name for path in scene.reports.iterdir())
    assert len(listed) == 2
    reports = [name for name in delivered if "follow-up" not in name]
    assert len(reports) == 2, delivered
