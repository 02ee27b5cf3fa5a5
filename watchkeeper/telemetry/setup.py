"""Sets up the telemetry of a worker process, as its settings and the standard OpenTelemetry variables configure it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, generate_latest
from temporalio.client import Client
from temporalio.runtime import MetricBuffer
from temporalio.worker import Interceptor

from watchkeeper import __version__
from watchkeeper.config.settings import Settings
from watchkeeper.telemetry.instruments import WorkerInstruments
from watchkeeper.telemetry.otel_env import Wanted, wanted
from watchkeeper.telemetry.sdk_metrics import SdkMetrics, metric_buffer

if TYPE_CHECKING:
    from watchkeeper.telemetry.tracer import Tracing

TRANSFER_SECONDS = 5.0
"""Interval at which the SDK's metrics are read, apart from scrapes."""


@dataclass(frozen=True)
class WorkerMetrics:
    """The metrics of a worker process."""

    registry: CollectorRegistry
    instruments: WorkerInstruments
    sdk: SdkMetrics
    buffer: MetricBuffer
    """For the SDK's runtime, with which the client must be connected."""

    def scrape(self) -> bytes:
        """Return all metrics as Prometheus text."""
        self.sdk.transfer()
        return generate_latest(self.registry)


@dataclass(frozen=True)
class Telemetry:
    """The telemetry of one worker process."""

    settings: Settings
    wanted: Wanted
    metrics: WorkerMetrics | None = None
    """None: neither scraped nor exported."""
    tracing: Tracing | None = None
    """None: no traces."""

    @property
    def buffer(self) -> MetricBuffer | None:
        """The metric buffer for the SDK's runtime, which must be created before the client."""
        return self.metrics.buffer if self.metrics else None

    def interceptors(self, client: Client) -> list[Interceptor]:
        """Create the interceptors that observe a worker's activities; none if telemetry is off."""
        if self.metrics is None and self.tracing is None:
            return []
        from watchkeeper.telemetry.content_capture import Content
        from watchkeeper.telemetry.interceptor import Observing
        from watchkeeper.telemetry.metrics_recorder import MetricsRecorder
        from watchkeeper.telemetry.run_lookup import Runs

        runs, telling = Runs(client), None
        if self.tracing is not None:
            from watchkeeper.telemetry.span_recorder import Telling

            content = Content(self.settings.redactor, captured=self.wanted.content)
            telling = Telling(self.tracing, runs, self.settings, content)
        return [
            Observing(runs, MetricsRecorder(self.metrics.instruments, self.settings) if self.metrics else None, telling)
        ]


@asynccontextmanager
async def telemetry(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[Telemetry]:
    """Set up telemetry for as long as the context lasts. On exit, the last spans and values are exported.

    Raises SettingsError if the variables name an exporter or a protocol that does not exist here.
    """
    asked = wanted(environment)
    async with AsyncExitStack() as stack:
        tracing = _tracing(stack) if asked.traces else None
        metrics = None
        if asked.metrics or settings.telemetry.metrics_port is not None:
            metrics = _metrics(stack, otlp=asked.metrics)
        yield Telemetry(settings, asked, metrics, tracing)


def _tracing(stack: AsyncExitStack) -> Tracing:
    from watchkeeper.telemetry.tracer import Tracing

    tracing = Tracing()
    stack.push_async_callback(tracing.end)
    return tracing


def _metrics(stack: AsyncExitStack, *, otlp: bool) -> WorkerMetrics:
    from watchkeeper.telemetry.meter_provider import ProcessMeterProvider

    provider, buffer = ProcessMeterProvider(otlp=otlp), metric_buffer()
    stack.push_async_callback(provider.shutdown)
    build = Gauge("watchkeeper_build_info", "Version, as a label.", ["version"], registry=provider.registry)
    build.labels(__version__).set(1)
    sdk = SdkMetrics(buffer, provider.meter)
    stack.callback(sdk.transfer)
    stack.callback(asyncio.create_task(_transfer(sdk)).cancel)
    return WorkerMetrics(provider.registry, WorkerInstruments(provider.meter), sdk, buffer)


async def _transfer(sdk: SdkMetrics) -> None:
    while True:
        await asyncio.sleep(TRANSFER_SECONDS)
        sdk.transfer()
