"""The metrics of Temporal's SDK, recorded on our meter so that they are exposed and exported with ours.

The SDK core can also export over OTLP or serve Prometheus itself, but not both, and Prometheus only at a separate port.
``docs/decisions/0016-metrics-use-the-opentelemetry-sdk.md`` has the measurements.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_GAUGE,
    BufferedMetric,
    BufferedMetricUpdate,
    MetricBuffer,
    MetricBufferDurationFormat,
)

if TYPE_CHECKING:
    from opentelemetry.metrics import Meter

BUFFER_SIZE = 100_000
"""Updates that the SDK keeps between two transfers; it drops further ones."""

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds: from the latency of a fast worker to that of tasks that wait for one."""


def metric_buffer() -> MetricBuffer:
    """Create the buffer for the SDK's runtime, which must exist before the client."""
    return MetricBuffer(BUFFER_SIZE, duration_format=MetricBufferDurationFormat.SECONDS)


class SdkMetrics:
    """Transfers the SDK's buffered updates to instruments of the same names."""

    def __init__(self, buffer: MetricBuffer, meter: Meter) -> None:
        self._buffer = buffer
        self._meter = meter
        self._recorders: dict[str, Callable[..., Any]] = {}

    def transfer(self) -> None:
        """Record all updates since the last transfer. Of a gauge, only the last value counts."""
        try:
            updates = self._buffer.retrieve_updates()
        except RuntimeError:  # no runtime uses the buffer yet
            return
        # Half of all updates set one of ten gauges. The SDK shares one dict between updates with the same attributes.
        gauges: dict[tuple[str, int], BufferedMetricUpdate] = {}
        for update in updates:
            if update.metric.kind == BUFFERED_METRIC_KIND_GAUGE:
                gauges[update.metric.name, id(update.attributes)] = update
            else:
                self._record(update)
        for update in gauges.values():
            self._record(update)

    def _record(self, update: BufferedMetricUpdate) -> None:
        record = self._recorders.get(update.metric.name) or self._create(update.metric)
        record(update.value, {name: str(value) for name, value in update.attributes.items()})

    def _create(self, metric: BufferedMetric) -> Callable[..., Any]:
        definition = (metric.name, metric.unit or "1", metric.description or metric.name)
        record: Callable[..., Any]
        if metric.kind == BUFFERED_METRIC_KIND_COUNTER:
            record = self._meter.create_counter(*definition).add
        elif metric.kind == BUFFERED_METRIC_KIND_GAUGE:
            record = self._meter.create_gauge(*definition).set
        else:
            record = self._meter.create_histogram(*definition, explicit_bucket_boundaries_advisory=BUCKETS).record
        self._recorders[metric.name] = record
        return record
