"""Exports spans whose ids, times and parent are all known beforehand."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TypeAlias

from opentelemetry.context import Context, attach, detach
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
from watchkeeper.telemetry.span_processor import ImmediateSpanProcessor

AttributeValue: TypeAlias = str | int | float | list[str]


@dataclass(frozen=True)
class SpanData:
    """A finished span."""

    name: str
    trace_id: int
    span_id: int
    started_ns: int
    """Unix nanoseconds."""
    ended_ns: int
    parent_id: int | None = None
    """None: this is the root."""
    is_client: bool = False
    """Whether it is a request to another program."""
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    error_message: str | None = None
    """Possibly empty; None: no error."""
    events: list[tuple[str, Mapping[str, AttributeValue]]] = field(default_factory=list)


class _FixedIdGenerator(IdGenerator):
    """Returns the ids of the next span."""

    trace_id = 0
    span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class RunTracer:
    """Exports spans to the collector that the environment configures."""

    def __init__(self) -> None:
        self._ids = _FixedIdGenerator()
        self._processor = ImmediateSpanProcessor(OTLPSpanExporter(), ExportHealth("traces"))
        self._provider = TracerProvider(resource=resource(), id_generator=self._ids, shutdown_on_exit=False)
        self._provider.add_span_processor(self._processor)
        self._tracer = self._provider.get_tracer("watchkeeper", __version__)

    async def export(self, data: SpanData) -> None:
        """Export a span. Returns when the collector has accepted it, or when the wait limit is reached."""
        self._ids.trace_id, self._ids.span_id = data.trace_id, data.span_id
        span = self._tracer.start_span(
            data.name,
            context=self._parent(data.trace_id, data.parent_id),
            kind=SpanKind.CLIENT if data.is_client else SpanKind.INTERNAL,
            attributes=data.attributes,
            start_time=data.started_ns,
        )
        for name, attributes in data.events:
            span.add_event(name, attributes, timestamp=data.ended_ns)
        if data.error_message is not None:
            span.set_status(Status(StatusCode.ERROR, data.error_message or None))
        span.end(data.ended_ns)
        if span.get_span_context().trace_flags.sampled:
            await self._processor.wait_until_exported()

    @contextmanager
    def as_current(self, trace_id: int, span_id: int) -> Iterator[None]:
        """Make a span that is exported later the parent of the spans that instrumentations of other packages start."""
        token = attach(self._parent(trace_id, span_id))
        try:
            yield
        finally:
            detach(token)

    def _parent(self, trace_id: int, parent_id: int | None) -> Context:
        """Return the context of a parent that is exported later, possibly by another worker, or never."""
        if parent_id is None:
            return Context()
        decision = self._provider.sampler.should_sample(None, trace_id, "").decision
        flags = TraceFlags(TraceFlags.SAMPLED if decision is Decision.RECORD_AND_SAMPLE else TraceFlags.DEFAULT)
        return set_span_in_context(
            NonRecordingSpan(SpanContext(trace_id, parent_id, is_remote=True, trace_flags=flags)), Context()
        )

    async def end(self) -> None:
        """Export the last spans."""
        await self._processor.end()
