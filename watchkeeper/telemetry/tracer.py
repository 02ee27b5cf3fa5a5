"""Spans made of facts: when something began and ended, its ids, its parent, all of them known beforehand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from opentelemetry.context import Context
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.sdk.trace.sampling import Decision
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from watchkeeper import __version__
from watchkeeper.telemetry.export_health import ExportHealth
from watchkeeper.telemetry.resource import resource
from watchkeeper.telemetry.span_processor import Sending

Value: TypeAlias = str | int | float | list[str]


@dataclass(frozen=True)
class Fact:
    """Something that happened within a run."""

    name: str
    trace_id: int
    span_id: int
    began: int
    """Unix nanoseconds, as all times here."""
    ended: int
    parent_id: int | None = None
    """None: it is the root."""
    client: bool = False
    """It was a request to another program."""
    attributes: Mapping[str, Value] = field(default_factory=dict)
    failed: str | None = None
    """What to say of a failure, perhaps nothing; None: it did not fail."""
    events: list[tuple[str, Mapping[str, Value]]] = field(default_factory=list)


class _Given(IdGenerator):
    """The ids that the next span is to have."""

    trace_id = 0
    span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class Tracing:
    """Tells what happened to the collector that the environment names."""

    def __init__(self) -> None:
        self._ids = _Given()
        self._sending = Sending(OTLPSpanExporter(), ExportHealth("traces"))
        self._provider = TracerProvider(resource=resource(), id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(self._sending)
        self._tracer = self._provider.get_tracer("watchkeeper", __version__)

    async def tell(self, fact: Fact) -> None:
        """Send a span, and return when it is taken or the collector takes too long."""
        self._ids.trace_id, self._ids.span_id = fact.trace_id, fact.span_id
        span = self._tracer.start_span(
            fact.name,
            context=self._below(fact.trace_id, fact.parent_id),
            kind=SpanKind.CLIENT if fact.client else SpanKind.INTERNAL,
            attributes=fact.attributes,
            start_time=fact.began,
        )
        for name, attributes in fact.events:
            span.add_event(name, attributes, timestamp=fact.ended)
        if fact.failed is not None:
            span.set_status(Status(StatusCode.ERROR, fact.failed or None))
        span.end(fact.ended)
        if span.get_span_context().trace_flags.sampled:
            await self._sending.sent()

    def _below(self, trace_id: int, parent_id: int | None) -> Context:
        """Return where a span is made: below one that may be sent later, by another worker, or never."""
        if parent_id is None:
            return Context()
        decision = self._provider.sampler.should_sample(None, trace_id, "").decision
        flags = TraceFlags(TraceFlags.SAMPLED if decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT)
        return set_span_in_context(
            NonRecordingSpan(SpanContext(trace_id, parent_id, is_remote=True, trace_flags=flags)), Context()
        )

    async def end(self) -> None:
        """Send what is left."""
        await self._sending.end()
