"""Real Prometheus and Alertmanager before the toy services, with everything that takes minutes taking seconds."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from httpx2 import AsyncClient

from tests.end_to_end.real.programs import SECONDS, alertmanager, program, prometheus
from tests.end_to_end.real.toy_services import Toy
from tests.support.paths import EXAMPLES
from watchkeeper.temporal.ports import free_port

RULES = EXAMPLES / "rules.yml"

TOKEN = "toy-token"
"""What Alertmanager shows to the receiver of its webhooks, unless told otherwise."""

_WINDOW_SECONDS = 5

WINDOW = f"{_WINDOW_SECONDS}s"
"""Over which the rules, and whoever asks this Prometheus, should measure."""

GROUP_INTERVAL = 2
"""Seconds between what Alertmanager tells of one group."""

Firing = set[tuple[str, str]]
"""Names of alerts, each with its service."""


@dataclass(frozen=True)
class Monitoring:
    """What watches the toy services, and how to look at it."""

    toy: Toy
    prometheus_url: str
    alertmanager_url: str
    http: AsyncClient

    async def firing(self) -> Firing:
        """Return the alerts that Prometheus holds for firing."""
        answer = await self.http.get(f"{self.prometheus_url}/api/v1/alerts")
        alerts = [alert for alert in answer.json()["data"]["alerts"] if alert["state"] == "firing"]
        return {(alert["labels"]["alertname"], alert["labels"]["service"]) for alert in alerts}

    async def until_firing(self, *alerts: tuple[str, str]) -> None:
        """Return when exactly these fire; none given: when nothing does."""
        async with asyncio.timeout(SECONDS):
            while await self.firing() != set(alerts):
                await asyncio.sleep(0.1)

    @staticmethod
    def now() -> datetime:
        """Return the time by which to ask this Prometheus."""
        return datetime.now(UTC)

    async def until_measured(self) -> None:
        """Return when the window holds nothing of what the toy did before, and enough of what it does now."""
        await asyncio.sleep(_WINDOW_SECONDS + 1)
        async with asyncio.timeout(SECONDS):
            while await self._scrapes() < _WINDOW_SECONDS - 1:
                await asyncio.sleep(0.1)

    async def _scrapes(self) -> int:
        query = {"query": f"count_over_time(up[{WINDOW}])"}
        result = (await self.http.get(f"{self.prometheus_url}/api/v1/query", params=query)).json()["data"]["result"]
        return int(result[0]["value"][1]) if result else 0


async def until(true: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Return when something is so. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not true():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def monitoring(
    directory: Path, webhook_url: str, *, token: str = TOKEN, repeat_interval: str = "1h"
) -> AsyncIterator[Monitoring]:
    """Watch toy services by the example rules, and tell of what fires by webhook; groups are services.

    The directory takes configuration, data and logs. What fires is told within about two seconds, and so is what is
    over, which it is when the window holds nothing but what was well.
    """
    ports = free_port(), free_port()
    (directory / "token").write_text(token)
    (directory / "rules.yml").write_text(_hurried(RULES.read_text()))
    async with Toy().running() as toy, AsyncClient(timeout=5) as http:
        manager = _written(directory / "alertmanager.yml", _routing(webhook_url, directory / "token", repeat_interval))
        scraping = _written(directory / "prometheus.yml", _scraping(toy.url, f"127.0.0.1:{ports[1]}"))
        async with (
            program(
                *(alertmanager(), ports[1], directory),
                *(f"--config.file={manager}", f"--storage.path={directory / 'alertmanager'}"),
                "--cluster.listen-address=",
            ) as alertmanager_url,
            program(
                *(prometheus(), ports[0], directory),
                *(f"--config.file={scraping}", f"--storage.tsdb.path={directory / 'prometheus'}"),
                "--rules.alert.resend-delay=5s",
            ) as prometheus_url,
        ):
            yield Monitoring(toy, prometheus_url, alertmanager_url, http)


def _hurried(rules: str) -> str:
    """Let rules of minutes decide in seconds."""
    return re.sub(r"\[\w+\]( offset \w+)?", f"[{WINDOW}]", re.sub(r"for: \w+", "for: 0s", _without_no_traffic(rules)))


def _without_no_traffic(rules: str) -> str:
    """Leave out the one rule that is about hours, which seconds cannot stand for."""
    kept, found, _ = rules.partition("      # A service that is gone")
    assert found, "the example rules have changed"
    return kept


def _written(path: Path, configuration: object) -> Path:
    """Write a configuration; JSON is YAML too."""
    path.write_text(json.dumps(configuration))
    return path


def _scraping(toy_url: str, alertmanager_address: str) -> object:
    target = toy_url.removeprefix("http://")
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager_address]}]}]},
        "scrape_configs": [{"job_name": "toy", "static_configs": [{"targets": [target]}]}],
    }


def _routing(webhook_url: str, token: Path, repeat_interval: str) -> object:
    authorization = {"type": "Bearer", "credentials_file": str(token)}
    webhook = {"url": webhook_url, "send_resolved": True, "http_config": {"authorization": authorization}}
    return {
        "route": {
            "receiver": "watchkeeper",
            "group_by": ["service"],
            "group_wait": "0s",
            "group_interval": f"{GROUP_INTERVAL}s",
            "repeat_interval": repeat_interval,
        },
        "receivers": [{"name": "watchkeeper", "webhook_configs": [webhook]}],
    }
