"""A real OTLP receiver, and the spans and metric names that it received, as plain values."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from watchkeeper.temporal.ports import HOST, free_port

SECONDS = 20.0


@dataclass(frozen=True)
class ReceivedSpan:
    """One span. Ids are hexadecimal, times Unix nanoseconds."""

    name: str
    trace_id: str
    span_id: str
    parent_id: str
    kind: int
    start_time: int
    end_time: int
    is_error: bool
    status_message: str
    events: list[str]
    attributes: dict[str, Any]


@dataclass
class ReceivedTelemetry:
    """What a receiver at ``url`` has received so far."""

    url: str
    spans: list[ReceivedSpan] = field(default_factory=list)
    metrics: set[str] = field(default_factory=set)

    async def until(self, predicate: Callable[[ReceivedTelemetry], bool]) -> None:
        """Return when the predicate is true."""
        async with asyncio.timeout(SECONDS):
            while not predicate(self):
                await asyncio.sleep(0.05)

    def named(self, name: str) -> list[ReceivedSpan]:
        """Return the spans with this name, by start time."""
        return sorted((span for span in self.spans if span.name == name), key=lambda span: span.start_time)

    @property
    def text(self) -> str:
        """All spans as text, to search for content that must not be exported."""
        return repr(self.spans)


@asynccontextmanager
async def otlp_receiver(port: int | None = None) -> AsyncIterator[ReceivedTelemetry]:
    """Receive OTLP over HTTP for as long as the context lasts."""
    try:
        from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings
    except OSError as error:
        pytest.skip(f"oteltap has no native library for this machine: {error}")
    port = port or free_port()
    received = ReceivedTelemetry(f"http://{HOST}:{port}")
    async with OtelTapHttpProtobufReceiver(OtelTapHttpProtobufReceiverSettings(http_port=port)) as receiver:
        tasks = [
            asyncio.create_task(_read_spans(receiver, received)),
            asyncio.create_task(_read_metrics(receiver, received)),
        ]
        yield received
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read_spans(receiver: Any, received: ReceivedTelemetry) -> None:
    async for span in receiver.stream_traces():
        received.spans.append(
            ReceivedSpan(
                name=span.name,
                trace_id=span.trace_id.hex(),
                span_id=span.span_id.hex(),
                parent_id=span.parent_span_id.hex(),
                kind=span.kind,
                start_time=span.start_time_unix_nano,
                end_time=span.end_time_unix_nano,
                is_error=span.status.code == 2,
                status_message=span.status.message,
                events=[event.name for event in span.events],
                attributes={attribute.key: _value(attribute.value) for attribute in span.attributes},
            )
        )


async def _read_metrics(receiver: Any, received: ReceivedTelemetry) -> None:
    async for metric in receiver.stream_metrics():
        received.metrics.add(metric.name)


def _value(value: Any) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case kind:
            return getattr(value, kind)
