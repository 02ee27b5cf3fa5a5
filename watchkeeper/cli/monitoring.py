"""What ``worker`` and ``dev`` tell of themselves besides their log: the page for Prometheus and health checks."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from temporalio.client import Client
from temporalio.runtime import (
    LogForwardingConfig,
    LoggingConfig,
    MetricBuffer,
    Runtime,
    TelemetryConfig,
    TelemetryFilter,
)

if TYPE_CHECKING:
    from watchkeeper.telemetry.setup import Telemetry

KEYS = "telemetry.metrics_host and telemetry.metrics_port"


def forward(metrics: MetricBuffer | None) -> None:
    """Have the SDK's core write into our log, and put what it measures into ``metrics``; before the client is made."""
    forwarded = LogForwardingConfig(
        logging.getLogger("temporalio.core"), append_target_to_name=False, prepend_target_on_message=False
    )
    logged = LoggingConfig(TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarded)
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=logged, metrics=metrics, attach_service_name=False)))


@asynccontextmanager
async def serving_itself(client: Client, telemetry: Telemetry) -> AsyncIterator[str | None]:
    """Serve a worker's page where the settings want it, and give its address. Raises CannotListen."""
    section, metrics = telemetry.settings.telemetry, telemetry.metrics
    if section.metrics_port is None or metrics is None:
        yield None
        return
    from watchkeeper.intake.server import serve
    from watchkeeper.telemetry.http_endpoint import worker_app
    from watchkeeper.temporal.task_queue import WorkerProbe

    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
    app = worker_app(metrics.scrape, WorkerProbe(client, telemetry.settings.worker.task_queue, client.identity))
    async with serve(app, section.metrics_host, section.metrics_port, KEYS) as address:
        yield address
