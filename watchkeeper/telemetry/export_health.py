"""Whether the collector takes what it is sent, said once when that changes."""

from __future__ import annotations

import logging

from watchkeeper.telemetry.otel_env import Signal

log = logging.getLogger(__name__)


class Collector:
    """The place that one signal is exported to. Each attempt is told here, by whatever thread makes it."""

    def __init__(self, signal: Signal) -> None:
        self._signal = signal
        self.away = False
        # The exporters say each failure anew, with a line or a stack for every attempt.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)

    def took(self, taken: bool) -> None:
        """Hear whether an export was taken."""
        if taken == (not self.away):
            return
        self.away = not taken
        if taken:
            log.info("the collector of %s takes them again", self._signal)
        else:
            log.warning("the collector takes no %s (OTEL_EXPORTER_OTLP_*); runs go on without", self._signal)
