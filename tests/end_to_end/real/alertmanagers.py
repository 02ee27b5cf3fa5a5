"""Real Alertmanagers, alone or in a cluster, to which a test posts alerts as Prometheus does."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from httpx2 import AsyncClient

from tests.end_to_end.real.monitoring import TOKEN
from tests.end_to_end.real.programs import alertmanager, end_program, start_program
from watchkeeper.contracts import JsonObject
from watchkeeper.temporal.ports import HOST, free_port

GROUP_INTERVAL = 1
"""Seconds between two notifications of one group."""

_RESOLVE_MINUTES = 5


class Alertmanager:
    """One instance, which can be killed and started again on its data."""

    def __init__(self, directory: Path, config: Path, port: int, peers: Sequence[str] = (), cluster: str = "") -> None:
        directory.mkdir()
        self._directory = directory
        self._port = port
        self._arguments = [
            f"--config.file={config}",
            f"--storage.path={directory / 'data'}",
            f"--cluster.listen-address={cluster}",
            *(f"--cluster.peer={peer}" for peer in peers),
            # The second instance does not wait for what the first one says, so that both notify.
            *("--cluster.peer-timeout=1ms", "--cluster.settle-timeout=1s", "--cluster.pushpull-interval=1s"),
        ]
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        """Start it, and return when it is ready."""
        self._process = await start_program(alertmanager(), self._port, self._directory, *self._arguments)

    async def kill(self) -> None:
        """Kill it at once."""
        assert self._process
        self._process.kill()
        await self._process.wait()

    async def end(self) -> None:
        """Stop it, if it runs."""
        if self._process:
            await end_program(self._process)

    async def post(self, http: AsyncClient, alerts: Sequence[JsonObject]) -> None:
        """Post alerts. An instance that has been killed gets none."""
        if self._process and self._process.returncode is None:
            answer = await http.post(f"http://{HOST}:{self._port}/api/v2/alerts", json=list(alerts))
            assert answer.status_code == 200, answer.text

    async def peers(self, http: AsyncClient) -> int:
        """Return how many instances it knows in its cluster, itself included."""
        status = (await http.get(f"http://{HOST}:{self._port}/api/v2/status")).json()
        return len(status["cluster"].get("peers", ()))


@asynccontextmanager
async def run_cluster(
    directory: Path, webhooks: Sequence[Mapping[str, Any]], size: int = 2, group_wait: int = 1
) -> AsyncIterator[list[Alertmanager]]:
    """Run instances that gossip, or one alone, with one group per service. ``group_wait``: seconds."""
    config = directory / "alertmanager.yml"
    (directory / "alertmanager-token").write_text(TOKEN)
    config.write_text(json.dumps(_config(webhooks, directory / "alertmanager-token", group_wait)))
    gossip = [f"{HOST}:{free_port()}" for _ in range(size)] if size > 1 else [""]
    instances = [
        Alertmanager(directory / f"instance-{number}", config, free_port(), [one for one in gossip if one != own], own)
        for number, own in enumerate(gossip)
    ]
    async with AsyncExitStack() as stack:
        for instance in instances:
            stack.push_async_callback(instance.end)
        await asyncio.gather(*(instance.start() for instance in instances))
        yield instances


def make_alert(name: str, began: datetime, over: datetime | None = None, **labels: str) -> JsonObject:
    """Return a critical alert of checkout, as Prometheus posts it."""
    ends = over or datetime.now(UTC) + timedelta(minutes=_RESOLVE_MINUTES)
    return {
        "labels": {"alertname": name, "service": "checkout", "severity": "critical", **labels},
        "annotations": {"summary": f"{name} of checkout", "description": "More than 5 % of the requests fail. " * 5},
        "startsAt": began.isoformat(),
        "endsAt": ends.isoformat(),
        "generatorURL": f"http://prometheus.example.com/graph?g0.expr={name}",
    }


def _config(webhooks: Sequence[Mapping[str, Any]], token: Path, group_wait: int) -> object:
    authorization = {"type": "Bearer", "credentials_file": str(token)}
    common = {"send_resolved": True, "http_config": {"authorization": authorization}}
    return {
        "route": {
            "receiver": "watchkeeper",
            "group_by": ["service"],
            "group_wait": f"{group_wait}s",
            "group_interval": f"{GROUP_INTERVAL}s",
            "repeat_interval": "1h",
        },
        "receivers": [{"name": "watchkeeper", "webhook_configs": [{**common, **webhook} for webhook in webhooks]}],
    }
