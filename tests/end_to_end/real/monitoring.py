"""Real Prometheus and Alertmanager that watch the toy services, with seconds instead of minutes in all intervals."""

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
from tests.end_to_end.real.toy_services import ToyServices
from tests.support.paths import EXAMPLES
from watchkeeper.temporal.ports import free_port

RULES = EXAMPLES / "rules.yml"

TOKEN = "toy-token"
"""Default bearer token of Alertmanager's webhooks."""

_WINDOW_SECONDS = 5

WINDOW = f"{_WINDOW_SECONDS}s"
"""The window of the rules and of queries to this Prometheus."""

GROUP_INTERVAL = 2
"""Seconds between Alertmanager's notifications of one group."""

Firing = set[tuple[str, str]]
"""Pairs of alert name and service."""


@dataclass(frozen=True)
class Monitoring:
    """The running programs and their addresses."""

    toy: ToyServices
    prometheus_url: str
    alertmanager_url: str
    http: AsyncClient

    async def firing(self) -> Firing:
        """Return the firing alerts of Prometheus."""
        answer = await self.http.get(f"{self.prometheus_url}/api/v1/alerts")
        alerts = [alert for alert in answer.json()["data"]["alerts"] if alert["state"] == "firing"]
        return {(alert["labels"]["alertname"], alert["labels"]["service"]) for alert in alerts}

    async def wait_until_firing(self, *alerts: tuple[str, str]) -> None:
        """Wait until exactly these alerts fire; without arguments, until no alert fires."""
        async with asyncio.timeout(SECONDS):
            while await self.firing() != set(alerts):
                await asyncio.sleep(0.1)

    @staticmethod
    def now() -> datetime:
        """Return the time to use in queries to this Prometheus."""
        return datetime.now(UTC)

    async def wait_until_measured(self) -> None:
        """Wait until the window contains only samples of the current behaviour, and enough of them."""
        await asyncio.sleep(_WINDOW_SECONDS + 1)
        async with asyncio.timeout(SECONDS):
            while await self._scrapes() < _WINDOW_SECONDS - 1:
                await asyncio.sleep(0.1)

    async def _scrapes(self) -> int:
        query = {"query": f"count_over_time(up[{WINDOW}])"}
        result = (await self.http.get(f"{self.prometheus_url}/api/v1/query", params=query)).json()["data"]["result"]
        return int(result[0]["value"][1]) if result else 0


async def wait_until(condition: Callable[[], bool], seconds: float = SECONDS) -> None:
    """Wait until a condition is true. Raises TimeoutError."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.05)


@asynccontextmanager
async def run_monitoring(
    directory: Path, webhook_url: str, *, token: str = TOKEN, repeat_interval: str = "1h"
) -> AsyncIterator[Monitoring]:
    """Run toy services, Prometheus with the example rules, and Alertmanager with one group per service.

    The directory receives configuration, data and logs. Alertmanager sends a firing or resolved alert within about
    two seconds. An alert resolves when the window contains only good samples.
    """
    ports = free_port(), free_port()
    (directory / "token").write_text(token)
    (directory / "rules.yml").write_text(_shorten_windows(RULES.read_text()))
    async with ToyServices().running() as toy, AsyncClient(timeout=5) as http:
        alertmanager_file = _write_json(
            directory / "alertmanager.yml", _alertmanager_config(webhook_url, directory / "token", repeat_interval)
        )
        prometheus_file = _write_json(
            directory / "prometheus.yml", _prometheus_config(toy.url, f"127.0.0.1:{ports[1]}")
        )
        async with (
            program(
                *(alertmanager(), ports[1], directory),
                *(f"--config.file={alertmanager_file}", f"--storage.path={directory / 'alertmanager'}"),
                "--cluster.listen-address=",
            ) as alertmanager_url,
            program(
                *(prometheus(), ports[0], directory),
                *(f"--config.file={prometheus_file}", f"--storage.tsdb.path={directory / 'prometheus'}"),
                "--rules.alert.resend-delay=5s",
            ) as prometheus_url,
        ):
            yield Monitoring(toy, prometheus_url, alertmanager_url, http)


def _shorten_windows(rules: str) -> str:
    """Replace the windows of the rules by seconds."""
    return re.sub(
        r"\[\w+\]( offset \w+)?", f"[{WINDOW}]", re.sub(r"for: \w+", "for: 0s", _remove_no_traffic_rule(rules))
    )


def _remove_no_traffic_rule(rules: str) -> str:
    """Remove the one rule about hours, which seconds cannot replace."""
    kept, found, _ = rules.partition("      # A service that is gone")
    assert found, "the example rules have changed"
    return kept


def _write_json(path: Path, configuration: object) -> Path:
    """Write a configuration as JSON, which is valid YAML."""
    path.write_text(json.dumps(configuration))
    return path


def _prometheus_config(toy_url: str, alertmanager_address: str) -> object:
    target = toy_url.removeprefix("http://")
    return {
        "global": {"scrape_interval": "1s", "scrape_timeout": "1s", "evaluation_interval": "1s"},
        "rule_files": ["rules.yml"],
        "alerting": {"alertmanagers": [{"static_configs": [{"targets": [alertmanager_address]}]}]},
        "scrape_configs": [{"job_name": "toy", "static_configs": [{"targets": [target]}]}],
    }


def _alertmanager_config(webhook_url: str, token: Path, repeat_interval: str) -> object:
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
