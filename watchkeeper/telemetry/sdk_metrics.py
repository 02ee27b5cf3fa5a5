"""Temporal's own metrics, as its SDK keeps them: for the same page and the same collector as ours."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import accumulate

from prometheus_client.core import Metric
from prometheus_client.registry import Collector
from temporalio.runtime import (
    BUFFERED_METRIC_KIND_COUNTER,
    BUFFERED_METRIC_KIND_GAUGE,
    BufferedMetric,
    BufferedMetricUpdate,
    MetricBuffer,
    MetricBufferDurationFormat,
)

from watchkeeper.telemetry.instruments import Instrument, Kind
from watchkeeper.telemetry.prometheus import Pushed, prometheus_name

UPDATES = 100_000
"""How many the SDK keeps between two times that they are read; it drops what comes beyond."""

BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)
"""Seconds; fine where workers are fast, far enough to see tasks wait for a worker."""

_Labels = tuple[tuple[str, str], ...]


def metric_buffer() -> MetricBuffer:
    """Make the buffer for the SDK's runtime, which must be made before the client."""
    return MetricBuffer(UPDATES, duration_format=MetricBufferDurationFormat.SECONDS)


@dataclass
class _Series:
    value: float = 0.0
    """Of a counter or a gauge; of a histogram its sum."""
    counts: list[int] = field(default_factory=lambda: [0] * (len(BUCKETS) + 1))


@dataclass
class _Kept:
    metric: BufferedMetric
    series: dict[_Labels, _Series] = field(default_factory=dict)

    @property
    def kind(self) -> Kind:
        if self.metric.kind == BUFFERED_METRIC_KIND_COUNTER:
            return "counter"
        return "gauge" if self.metric.kind == BUFFERED_METRIC_KIND_GAUGE else "histogram"


class Core(Collector):
    """Adds up what the SDK's buffer holds, whenever it is read."""

    def __init__(self, buffer: MetricBuffer, pushing: Pushed | None = None) -> None:
        self._buffer = buffer
        self._pushing = pushing
        self._kept: dict[str, _Kept] = {}

    def read(self) -> None:
        """Take what the buffer holds."""
        for update in self._buffer.retrieve_updates():
            self._take(update)

    def describe(self) -> list[Metric]:
        """Name no metric beforehand: which there are, only the SDK knows."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Give all metrics, for Prometheus."""
        self.read()
        for kept in self._kept.values():
            name = prometheus_name(kept.metric.name, kept.metric.unit)
            metric = Metric(name, kept.metric.description or kept.metric.name, kept.kind)
            for labels, series in kept.series.items():
                _sample(metric, name, kept.kind, dict(labels), series)
            yield metric

    def _take(self, update: BufferedMetricUpdate) -> None:
        metric, labels = update.metric, {name: str(value) for name, value in update.attributes.items()}
        kept = self._kept.setdefault(metric.name, _Kept(metric))
        series = kept.series.setdefault(tuple(sorted(labels.items())), _Series())
        if kept.kind == "gauge":
            series.value = update.value
        else:
            series.value += update.value
        if kept.kind == "histogram":
            series.counts[bisect_left(BUCKETS, update.value)] += 1
        if self._pushing is not None:
            buckets = BUCKETS if kept.kind == "histogram" else ()
            unit, says = metric.unit or "1", metric.description or ""
            self._pushing.add(Instrument(metric.name, kept.kind, unit, says, buckets=buckets), update.value, labels)


def _sample(metric: Metric, name: str, kind: Kind, labels: dict[str, str], series: _Series) -> None:
    if kind != "histogram":
        metric.add_sample(f"{name}_total" if kind == "counter" else name, labels, series.value)
        return
    bounds = [*map(str, BUCKETS), "+Inf"]
    for bound, count in zip(bounds, accumulate(series.counts), strict=True):
        metric.add_sample(f"{name}_bucket", {**labels, "le": bound}, count)
    metric.add_sample(f"{name}_count", labels, sum(series.counts))
    metric.add_sample(f"{name}_sum", labels, series.value)
