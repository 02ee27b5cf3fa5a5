"""A real receiver of OTLP, and what it received, as plain values."""

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
class Told:
    """One span."""

    name: str
    trace: str
    span: str
    parent: str
    kind: int
    began: int
    ended: int
    failed: bool
    says: str
    events: list[str]
    facts: dict[str, Any]


@dataclass
class Tap:
    """What came so far."""

    url: str
    spans: list[Told] = field(default_factory=list)
    metrics: list[str] = field(default_factory=list)

    async def until(self, holds: Callable[[Tap], bool]) -> None:
        """Return when enough has come."""
        async with asyncio.timeout(SECONDS):
            while not holds(self):
                await asyncio.sleep(0.05)

    def named(self, name: str) -> list[Told]:
        """The spans of a name, in the order in which they began."""
        return sorted((span for span in self.spans if span.name == name), key=lambda span: span.began)

    @property
    def text(self) -> str:
        """All that was told, to look for what must not be told."""
        return repr(self.spans)


@asynccontextmanager
async def tapping(port: int | None = None) -> AsyncIterator[Tap]:
    """Receive for as long as the context lasts."""
    try:
        from oteltap import OtelTapHttpProtobufReceiver, OtelTapHttpProtobufReceiverSettings
    except OSError as error:
        pytest.skip(f"oteltap has no native library for this machine: {error}")
    at = port or free_port()
    settings = OtelTapHttpProtobufReceiverSettings(http_port=at)
    tap = Tap(f"http://{HOST}:{at}")
    async with OtelTapHttpProtobufReceiver(settings) as receiver:
        reading = [
            asyncio.create_task(_read_spans(receiver, tap)),
            asyncio.create_task(_read_metrics(receiver, tap)),
        ]
        yield tap
        for task in reading:
            task.cancel()
        await asyncio.gather(*reading, return_exceptions=True)


async def _read_spans(receiver: Any, tap: Tap) -> None:
    async for span in receiver.stream_traces():
        tap.spans.append(
            Told(
                name=span.name,
                trace=span.trace_id.hex(),
                span=span.span_id.hex(),
                parent=span.parent_span_id.hex(),
                kind=span.kind,
                began=span.start_time_unix_nano,
                ended=span.end_time_unix_nano,
                failed=span.status.code == 2,
                says=span.status.message,
                events=[event.name for event in span.events],
                facts={fact.key: _value(fact.value) for fact in span.attributes},
            )
        )


async def _read_metrics(receiver: Any, tap: Tap) -> None:
    async for metric in receiver.stream_metrics():
        tap.metrics.append(metric.name)


def _value(value: Any) -> Any:
    match value.WhichOneof("value"):
        case "array_value":
            return [_value(item) for item in value.array_value.values]
        case kind:
            return getattr(value, kind)
