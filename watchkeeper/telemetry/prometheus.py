"""The meters of a worker: for Prometheus, and for a collector where the environment names one."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from watchkeeper import __version__
from watchkeeper.telemetry import instruments
from watchkeeper.telemetry.instruments import Instrument

_UNITS = {"s": "seconds", "USD": "usd"}


class Pushed(Protocol):
    """Takes values for a collector (``watchkeeper.telemetry.otlp_metrics``)."""

    def add(self, instrument: Instrument, value: float, attributes: Mapping[str, str]) -> None:
        """Add to a counter, set a gauge, or observe a value."""


class Meters:
    """Counts everything in both places."""

    def __init__(self, pushing: Pushed | None = None) -> None:
        self.registry = CollectorRegistry()
        self._pushing = pushing
        self._kept = {each.name: _made(each, self.registry) for each in instruments.ALL}
        build = Gauge(
            "watchkeeper_build_info", "The version that runs, as a label.", ["version"], registry=self.registry
        )
        build.labels(__version__).set(1)

    def add(self, instrument: Instrument, value: float, **labels: str) -> None:
        """Add to a counter, or observe a value; an empty label means that there is none."""
        kept = self._kept[instrument.name]
        known = kept.labels(*(labels[name] for name in instrument.labels)) if instrument.labels else kept
        if isinstance(known, Counter):
            known.inc(value)
        else:
            known.observe(value)
        if self._pushing is not None:
            self._pushing.add(instrument, value, {name: text for name, text in labels.items() if text})

    def expect(self, instrument: Instrument, **labels: str) -> None:
        """Show a counter before anything is counted: Prometheus sees no increase in one that appears with a 1."""
        self._kept[instrument.name].labels(*(labels[name] for name in instrument.labels))


def prometheus_name(name: str, unit: str | None = None) -> str:
    """Write a name of OpenTelemetry as Prometheus does, the unit behind it; of counters without ``_total``."""
    written = name.replace(".", "_")
    unit = _UNITS.get(unit or "", "")
    return f"{written}_{unit}" if unit and not written.endswith(f"_{unit}") else written


def _made(instrument: Instrument, registry: CollectorRegistry) -> Any:
    name, labels = prometheus_name(instrument.name, instrument.unit), _labels(instrument.labels)
    if instrument.kind == "counter":
        return Counter(name, instrument.says, labels, registry=registry)
    return Histogram(name, instrument.says, labels, registry=registry, buckets=instrument.buckets)


def _labels(names: Iterable[str]) -> list[str]:
    return [name.replace(".", "_") for name in names]
