"""Monitoring of ``worker`` and ``dev``: the SDK's log and metrics, and the endpoint for metrics and health."""

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


def forward_sdk_log(metrics: MetricBuffer | None) -> None:
    """Write the log of the SDK's core into ours and its measurements into ``metrics``. Call it before connecting."""
    forwarded = LogForwardingConfig(
        logging.getLogger("temporalio.core"), append_target_to_name=False, prepend_target_on_message=False
    )
    logging_config = LoggingConfig(TelemetryFilter(core_level="WARN", other_level="ERROR"), forwarding=forwarded)
    telemetry = TelemetryConfig(logging=logging_config, metrics=metrics, attach_service_name=False)
    Runtime.set_default(Runtime(telemetry=telemetry))


@asynccontextmanager
async def serve_monitoring(
    client: Client, telemetry: Telemetry, *, local_only: bool = False
) -> AsyncIterator[str | None]:
    """Serve metrics and health while the context is open; yield the address, or None if it is not configured.

    ``local_only``: only to this machine, not to web pages of other hosts. Raises ListenError.
    """
    section, metrics = telemetry.settings.telemetry, telemetry.metrics
    if section.metrics_port is None or metrics is None:
        yield None
        return
    from watchkeeper.intake.local_hosts import LocalHostMiddleware
    from watchkeeper.intake.server import serve
    from watchkeeper.telemetry.http_endpoint import worker_app
    from watchkeeper.temporal.task_queue import WorkerProbe

    for name in ("uvicorn", "uvicorn.error"):
        logging.getLogger(name).setLevel(logging.WARNING)
    app = worker_app(metrics.scrape, WorkerProbe(client, telemetry.settings.worker.task_queue, client.identity))
    if local_only:
        app.add_middleware(LocalHostMiddleware)
    async with serve(app, section.metrics_host, section.metrics_port, KEYS) as address:
        yield address
