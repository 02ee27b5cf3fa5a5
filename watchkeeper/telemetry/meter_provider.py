"""The OpenTelemetry meter provider of one process: scraped by Prometheus and, if configured, exported over OTLP."""

from __future__ import annotations

import asyncio
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.exporter.prometheus import PrometheusMetricReader
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExportResult,
    MetricReader,
    MetricsData,
    PeriodicExportingMetricReader,
)
from prometheus_client import CollectorRegistry

from watchkeeper import __version__
from watchkeeper.telemetry.export_health import ExportHealth
from watchkeeper.telemetry.resource import resource

SHUTDOWN_SECONDS = 3.0
"""Time limit for the last export of a process."""

UNREACHABLE_SHUTDOWN_SECONDS = 0.1
"""The same while the collector is unreachable."""


class _OtlpExporter(OTLPMetricExporter):
    """Reports each result to ``health``."""

    def __init__(self) -> None:
        super().__init__()
        self.health = ExportHealth("metrics")

    def export(self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **options: Any) -> Any:
        result = super().export(metrics_data, timeout_millis, **options)
        self.health.record(succeeded=result is MetricExportResult.SUCCESS)
        return result


class ProcessMeterProvider:
    """The meter of one process, and its readers; it is not OpenTelemetry's global meter provider.

    ``registry`` serves Prometheus. With ``otlp``, a thread exports every OTEL_METRIC_EXPORT_INTERVAL.
    """

    def __init__(self, *, otlp: bool) -> None:
        self.registry = CollectorRegistry()
        readers: list[MetricReader] = [
            PrometheusMetricReader(disable_target_info=True, scope_info_enabled=False, registry=self.registry)
        ]
        self._exporter = _OtlpExporter() if otlp else None
        if self._exporter is not None:
            readers.append(PeriodicExportingMetricReader(self._exporter))
        self._provider = MeterProvider(readers, resource=resource(), shutdown_on_exit=False)
        # OTEL_SDK_DISABLED stops exports (watchkeeper.telemetry.otel_env), not the page that Prometheus scrapes.
        self._provider._disabled = False
        self.meter = self._provider.get_meter("watchkeeper", __version__)

    async def shutdown(self) -> None:
        """Export the last values, within a time limit."""
        unreachable = self._exporter is not None and self._exporter.health.failing
        seconds = UNREACHABLE_SHUTDOWN_SECONDS if unreachable else SHUTDOWN_SECONDS
        await asyncio.to_thread(self._provider.shutdown, seconds * 1_000)
