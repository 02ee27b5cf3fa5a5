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
from watchkeeper.telemetry.content_capture import ContentCapture
from watchkeeper.telemetry.instruments import WorkerInstruments
from watchkeeper.telemetry.interceptor import TelemetryInterceptor
from watchkeeper.telemetry.metrics_recorder import MetricsRecorder
from watchkeeper.telemetry.otel_env import ExportSettings, export_settings
from watchkeeper.telemetry.run_lookup import RunLookup
from watchkeeper.telemetry.sdk_metrics import SdkMetrics, metric_buffer

if TYPE_CHECKING:
    from watchkeeper.telemetry.tracer import RunTracer

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
    exports: ExportSettings
    metrics: WorkerMetrics | None = None
    """None: neither scraped nor exported."""
    tracer: RunTracer | None = None
    """None: no traces."""

    @property
    def buffer(self) -> MetricBuffer | None:
        """The metric buffer for the SDK's runtime, which must be created before the client."""
        return self.metrics.buffer if self.metrics else None

    def interceptors(self, client: Client) -> list[Interceptor]:
        """Create the interceptors that observe a worker's activities; none if telemetry is off."""
        if self.metrics is None and self.tracer is None:
            return []
        runs, metrics, spans = RunLookup(client), None, None
        if self.metrics is not None:
            metrics = MetricsRecorder(self.metrics.instruments, self.settings)
        if self.tracer is not None:
            from watchkeeper.telemetry.span_recorder import SpanRecorder

            content = ContentCapture(self.settings.redactor, captured=self.exports.content)
            spans = SpanRecorder(self.tracer, runs, self.settings, content)
        return [TelemetryInterceptor(runs, metrics, spans)]


@asynccontextmanager
async def telemetry(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[Telemetry]:
    """Set up telemetry for as long as the context lasts. On exit, the last spans and values are exported.

    Raises SettingsError if the variables name an exporter or a protocol that is not supported.
    """
    exports = export_settings(environment)
    async with AsyncExitStack() as stack:
        tracer = _tracer(stack) if exports.traces else None
        metrics = None
        if exports.metrics or settings.telemetry.metrics_port is not None:
            metrics = _metrics(stack, otlp=exports.metrics)
        yield Telemetry(settings, exports, metrics, tracer)


def _tracer(stack: AsyncExitStack) -> RunTracer:
    from watchkeeper.telemetry.tracer import RunTracer

    tracer = RunTracer()
    stack.push_async_callback(tracer.end)
    return tracer


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
