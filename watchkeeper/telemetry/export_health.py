"""Logs when exports to a collector start to fail, and when they succeed again."""

from __future__ import annotations

import logging

from watchkeeper.telemetry.otel_env import Signal

log = logging.getLogger(__name__)


class ExportHealth:
    """Whether the exports of one signal succeed. The exporter's thread records each result."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self.failing = False
        # The exporters log every failed attempt, some with a stack trace.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)

    def record(self, *, succeeded: bool) -> None:
        """Record the result of an export, and log a change."""
        if succeeded != self.failing:
            return
        self.failing = not succeeded
        if succeeded:
            log.info("the collector accepts %s again", self._signal)
        else:
            log.warning("the collector does not accept %s (OTEL_EXPORTER_OTLP_*); runs continue", self._signal)
