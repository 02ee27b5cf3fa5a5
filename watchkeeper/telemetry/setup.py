"""All that a worker tells of itself, as its settings and the standard variables want it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry
from temporalio.client import Client
from temporalio.runtime import MetricBuffer
from temporalio.worker import Interceptor

from watchkeeper.config.settings import Settings
from watchkeeper.telemetry.content_capture import Content
from watchkeeper.telemetry.metrics_recorder import Counting
from watchkeeper.telemetry.otel_env import Wanted, wanted
from watchkeeper.telemetry.prometheus import Meters
from watchkeeper.telemetry.run_lookup import Runs
from watchkeeper.telemetry.sdk_metrics import Core, metric_buffer

if TYPE_CHECKING:
    from watchkeeper.telemetry.otlp_metrics import Pushing
    from watchkeeper.telemetry.tracer import Tracing

READ_SECONDS = 5.0
"""Between two times that the SDK's metrics are read where nobody scrapes them."""


@dataclass(frozen=True)
class Telemetry:
    """What one process tells."""

    settings: Settings
    wanted: Wanted
    meters: Meters | None = None
    """None: nothing is counted."""
    tracing: Tracing | None = None
    """None: nothing is traced."""
    buffer: MetricBuffer | None = None
    """For the SDK's runtime; where there is one, the client must be connected by it."""

    @property
    def registry(self) -> CollectorRegistry | None:
        """What Prometheus is told."""
        return self.meters.registry if self.meters else None

    def interceptors(self, client: Client) -> list[Interceptor]:
        """Make what watches the activities of a worker; nothing where nothing is told."""
        if self.meters is None and self.tracing is None:
            return []
        from watchkeeper.telemetry.interceptor import Observing

        runs, telling = Runs(client), None
        if self.tracing is not None:
            from watchkeeper.telemetry.span_recorder import Telling

            content = Content(self.settings.redactor, captured=self.wanted.content)
            telling = Telling(self.tracing, runs, self.settings, content)
        return [Observing(runs, Counting(self.meters, self.settings) if self.meters else None, telling)]


@asynccontextmanager
async def telemetry(settings: Settings, environment: Mapping[str, str]) -> AsyncIterator[Telemetry]:
    """Tell for as long as the context lasts; on leaving, what is left is sent, if that takes but a moment.

    Raises SettingsError where the variables want what there is not.
    """
    asked = wanted(environment)
    async with AsyncExitStack() as stack:
        tracing = _tracing(stack) if asked.traces else None
        pushing = _pushing(stack) if asked.metrics else None
        if pushing is None and settings.telemetry.metrics_port is None:
            yield Telemetry(settings, asked, tracing=tracing)
            return
        meters, buffer = Meters(pushing), metric_buffer()
        core = Core(buffer, pushing)
        meters.registry.register(core)
        reading = asyncio.create_task(_read(core))
        stack.callback(reading.cancel)
        yield Telemetry(settings, asked, meters, tracing, buffer)


def _tracing(stack: AsyncExitStack) -> Tracing:
    from watchkeeper.telemetry.tracer import Tracing

    tracing = Tracing()
    stack.push_async_callback(tracing.end)
    return tracing


def _pushing(stack: AsyncExitStack) -> Pushing:
    from watchkeeper.telemetry.otlp_metrics import Pushing

    pushing = Pushing()
    stack.push_async_callback(pushing.end)
    return pushing


async def _read(core: Core) -> None:
    while True:
        await asyncio.sleep(READ_SECONDS)
        core.read()
