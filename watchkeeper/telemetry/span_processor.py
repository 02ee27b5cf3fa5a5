"""Exports each span at once, so that a span is exported before Temporal records the result of its activity."""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from concurrent.futures import Future
from typing import NamedTuple

from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from watchkeeper.telemetry.export_health import ExportHealth

EXPORT_WAIT_SECONDS = 0.3
"""How long an activity waits for its span to be exported.

After one timeout, activities stop waiting until an export is this fast again.
"""

QUEUE_SIZE = 4_096
"""Spans that are kept while the collector is unreachable; the oldest are dropped."""

BATCH_SIZE = 512
FIRST_RETRY_SECONDS, LONGEST_RETRY_SECONDS = 1.0, 30.0
"""Time between two attempts to reach the collector; it doubles from the first value to the second."""

SHUTDOWN_SECONDS = 3.0
"""Time limit for the last export of a process."""


class _QueuedSpan(NamedTuple):
    span: ReadableSpan
    exported: Future[None]


class ImmediateSpanProcessor(SpanProcessor):
    """Exports spans in a thread, without delay; spans that end during an export are the next batch."""

    def __init__(self, exporter: SpanExporter, health: ExportHealth) -> None:
        self._exporter = exporter
        self._health = health
        self._changed = threading.Condition()
        self._queue = deque[_QueuedSpan](maxlen=QUEUE_SIZE)
        self._latest = Future[None]()
        self._slow = False
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="spans", daemon=True)

    def on_end(self, span: ReadableSpan) -> None:
        """Queue a span that has ended."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._thread.ident is None:
            self._thread.start()
        with self._changed:
            self._latest = Future()
            self._queue.append(_QueuedSpan(span, self._latest))
            self._changed.notify()

    async def wait_until_exported(self) -> None:
        """Wait until the latest span is exported. Does not wait if the collector is slow or unreachable."""
        if self._slow or self._health.failing or self._thread.ident is None:
            return
        _, pending = await asyncio.wait([asyncio.wrap_future(self._latest)], timeout=EXPORT_WAIT_SECONDS)
        self._slow = bool(pending)

    async def end(self) -> None:
        """Export the queued spans, if the collector is reachable."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread.ident is not None and not (self._slow or self._health.failing):
            await asyncio.to_thread(self._thread.join, SHUTDOWN_SECONDS)
        await asyncio.to_thread(self._exporter.shutdown)

    def _work(self) -> None:
        pause = FIRST_RETRY_SECONDS
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._queue or self._ended)
                batch = [self._queue.popleft() for _ in range(min(BATCH_SIZE, len(self._queue)))]
            if not batch:
                return
            started = time.monotonic()
            succeeded = self._exporter.export([queued.span for queued in batch]) is SpanExportResult.SUCCESS
            self._health.record(succeeded=succeeded)
            if succeeded:
                pause, self._slow = FIRST_RETRY_SECONDS, time.monotonic() - started > EXPORT_WAIT_SECONDS
                for queued in batch:
                    queued.exported.set_result(None)
                continue
            with self._changed:
                # At the end of the queue: a batch that the collector never accepts must not block the other spans.
                self._queue.extend(batch)
                if self._changed.wait_for(lambda: self._ended, pause):
                    return
            pause = min(LONGEST_RETRY_SECONDS, pause * 2)
