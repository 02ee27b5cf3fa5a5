"""From a service that really fails to a delivered report, through everything that is between them."""

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
from tests.end_to_end.real.monitoring import TOKEN, WINDOW, Monitoring, monitoring
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
    """A model that looks at the health of checkout, and says what it read of it and of the last episode."""
    messages = request["messages"]
    if messages[-1]["role"] == "user" and "has recovered" not in messages[-1]["content"]:
        return calls(("get_service_health", {"service": "checkout"}))
    health = json.loads(messages[-1]["content"])
    known = "again, as before: " if "Its report began" in messages[1]["content"] else ""
    return says(f"Checkout: {known}{health['status']}, {health['error_rate']:.0%} errors")


@dataclass
class Scene:
    temporal: TemporalServer
    watched: Monitoring
    harness: Harness
    intake: str
    http: AsyncClient
    reports: Path

    async def run(self) -> JsonObject:
        """The living or last run of the group, as the intake shows it."""
        (listed, *_) = (await self.http.get(f"{self.intake}/runs")).json()["runs"]
        found: JsonObject = (await self.http.get(f"{self.intake}/runs/{listed['run']}")).json()
        return found

    async def until(self, so: Callable[[JsonObject], object]) -> JsonObject:
        """Return the run when something is so of it."""
        async with asyncio.timeout(SECONDS):
            while True:
                answer = await self.http.get(f"{self.intake}/runs")
                if answer.is_success and answer.json()["runs"] and so(run := await self.run()):
                    return run
                await asyncio.sleep(0.2)


@asynccontextmanager
async def scene(directory: Path) -> AsyncIterator[Scene]:
    port, reports = free_port(), directory / "reports"
    source = {"kind": "alertmanager", "tokens": [TOKEN]}
    async with (
        run_server() as temporal,
        monitoring(directory, f"http://127.0.0.1:{port}/alerts/prometheus") as watched,
        AsyncClient(timeout=5) as http,
    ):
        settings: dict[str, Any] = {
            "prometheus": {"url": watched.prometheus_url, "window": WINDOW},
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
            yield Scene(temporal, watched, harness, intake, http, reports)


@pytest.mark.timeout(180)
async def test_a_service_fails_recovers_and_fails_again(tmp_path: Path) -> None:
    async with scene(tmp_path) as at:
        toy = at.watched.toy
        toy.fail("checkout")
        first = await at.until(lambda run: run["status"] == "concluded")
        assert first["report"]["summary"].startswith("Checkout: degraded, ")
        assert first["service"] == "checkout"
        assert [alert["status"] for alert in first["alerts"]] == ["firing"]

        toy.crawl("checkout")
        joined = await at.until(lambda run: run["follow_ups"])
        assert {alert["title"].partition(":")[0] for alert in joined["alerts"]} == {"HighErrorRate", "HighLatency"}
        assert joined["first_run_id"] == first["first_run_id"]

        toy.heal("checkout")
        over = await at.until(lambda run: run["closed_at"])
        assert {alert["status"] for alert in over["alerts"]} == {"resolved"}

        await at.temporal.kill()
        toy.fail("checkout")
        await at.watched.until_firing(("HighErrorRate", "checkout"))
        assert (await at.http.get(f"{at.intake}/readyz")).status_code == 503
        await asyncio.sleep(3)
        await at.temporal.start()
        second = await at.until(
            lambda run: run["first_run_id"] != first["first_run_id"] and run["status"] == "concluded"
        )
        assert second["run"] == first["run"]
        assert second["report"]["summary"].startswith("Checkout: again, as before: ")
        toy.heal("checkout")
        await at.until(lambda run: run["first_run_id"] == second["first_run_id"] and run["closed_at"])
        listed = (await at.http.get(f"{at.intake}/runs")).json()["runs"]
        delivered = sorted(path.name for path in at.reports.iterdir())
    assert len(listed) == 2
    whole = [name for name in delivered if "follow-up" not in name]
    assert len(whole) == 2, delivered
