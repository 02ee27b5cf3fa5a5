"""Sending spans before their steps are recorded, so that a worker's death loses none, and waiting for nobody."""

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

PATIENCE = 0.3
"""Seconds that a step waits for its span to be taken; once it was in vain, none waits until one is taken as soon."""

KEPT = 4_096
"""Spans that wait for a collector that is away; the oldest give way."""

BATCH = 512
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between two attempts to reach it, doubling from the one to the other."""

END_SECONDS = 3.0
"""For the last spans of a process."""


class _Waiting(NamedTuple):
    span: ReadableSpan
    taken: Future[None]


class Sending(SpanProcessor):
    """Sends spans in a thread of its own, at once, as many together as have come meanwhile."""

    def __init__(self, exporter: SpanExporter, health: ExportHealth) -> None:
        self._exporter = exporter
        self._health = health
        self._changed = threading.Condition()
        self._waiting = deque[_Waiting](maxlen=KEPT)
        self._latest = Future[None]()
        self._behind = False
        self._ended = False
        self._thread = threading.Thread(target=self._work, name="spans", daemon=True)

    def on_end(self, span: ReadableSpan) -> None:
        """Take a span that is over."""
        if span.context is None or not span.context.trace_flags.sampled:
            return
        if self._thread.ident is None:
            self._thread.start()
        with self._changed:
            self._latest = Future()
            self._waiting.append(_Waiting(span, self._latest))
            self._changed.notify()

    async def sent(self) -> None:
        """Wait until the span that was over last is taken, unless the collector keeps us waiting."""
        if self._behind or self._health.failing or self._thread.ident is None:
            return
        _, late = await asyncio.wait([asyncio.wrap_future(self._latest)], timeout=PATIENCE)
        self._behind = bool(late)

    async def end(self) -> None:
        """Send what is left, if the collector takes it."""
        with self._changed:
            self._ended = True
            self._changed.notify()
        if self._thread.ident is not None and not (self._behind or self._health.failing):
            await asyncio.to_thread(self._thread.join, END_SECONDS)
        await asyncio.to_thread(self._exporter.shutdown)

    def _work(self) -> None:
        pause = FIRST_PAUSE
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._waiting or self._ended)
                batch = [self._waiting.popleft() for _ in range(min(BATCH, len(self._waiting)))]
            if not batch:
                return
            began = time.monotonic()
            taken = self._exporter.export([each.span for each in batch]) is SpanExportResult.SUCCESS
            self._health.record(succeeded=taken)
            if taken:
                pause, self._behind = FIRST_PAUSE, time.monotonic() - began > PATIENCE
                for each in batch:
                    each.taken.set_result(None)
                continue
            with self._changed:
                # Behind those that wait: one that the collector will never take must not keep them back.
                self._waiting.extend(batch)
                if self._changed.wait_for(lambda: self._ended, pause):
                    return
            pause = min(LONGEST_PAUSE, pause * 2)
