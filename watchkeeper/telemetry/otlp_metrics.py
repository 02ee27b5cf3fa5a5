"""Metrics for a collector, pushed as the standard variables say."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Mapping
from typing import Any

from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData, PeriodicExportingMetricReader

from watchkeeper import __version__
from watchkeeper.telemetry.export_health import Collector
from watchkeeper.telemetry.instruments import Instrument
from watchkeeper.telemetry.resource import resource

END_SECONDS = 3.0
"""For the last values of a process."""


class _Exporter(OTLPMetricExporter):
    """Says once when the collector goes away, and once when it is back."""

    def __init__(self) -> None:
        super().__init__()
        self.collector = Collector("metrics")

    def export(self, metrics_data: MetricsData, timeout_millis: float | None = 10_000, **more: Any) -> Any:
        result = super().export(metrics_data, timeout_millis, **more)
        self.collector.took(result is MetricExportResult.SUCCESS)
        return result


class Pushing:
    """Hands values to OpenTelemetry, which exports them every now and then in a thread of its own."""

    def __init__(self) -> None:
        self._exporter = _Exporter()
        reader = PeriodicExportingMetricReader(self._exporter)
        self._provider = MeterProvider([reader], resource=resource(), shutdown_on_exit=False)
        self._meter = self._provider.get_meter("watchkeeper", __version__)
        self._made: dict[str, Any] = {}

    def add(self, instrument: Instrument, value: float, attributes: Mapping[str, str]) -> None:
        """Add to a counter, or observe a value."""
        if instrument.kind == "counter":
            made = self._instrument(instrument, self._meter.create_counter)
            made.add(value, attributes)
        elif instrument.kind == "gauge":
            made = self._instrument(instrument, self._meter.create_gauge)
            made.set(value, attributes)
        else:
            made = self._instrument(instrument, self._meter.create_histogram)
            made.record(value, attributes)

    def _instrument(self, instrument: Instrument, create: Any) -> Any:
        if (made := self._made.get(instrument.name)) is None:
            buckets = {"explicit_bucket_boundaries_advisory": instrument.buckets} if instrument.buckets else {}
            made = create(instrument.name, instrument.unit, instrument.says, **buckets)
            self._made[instrument.name] = made
        return made

    async def end(self) -> None:
        """Push the last values, if the collector takes them soon."""
        ending = threading.Thread(target=self._provider.shutdown, name="metrics", daemon=True)
        ending.start()
        if not self._exporter.collector.away:
            await asyncio.to_thread(ending.join, END_SECONDS)
