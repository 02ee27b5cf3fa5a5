"""Instrumentations of ``openai`` from PyPI record the requests of a run below our spans, and change no byte of them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from openinference.instrumentation.openai import OpenAIInstrumentor as OpenInference
from opentelemetry.instrumentation.openai_v2 import OpenAIInstrumentor as OpenTelemetry
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from temporalio.client import Client

from tests.support.otlp_receiver import otlp_receiver
from tests.support.settings import KEY
from tests.support.telemetry_harness import telemetry_harness
from watchkeeper.llm import openai_patches
from watchkeeper.testing.faults import raw_body
from watchkeeper.testing.scripts import calls, says

SCRIPT = [calls(("look", {"service": "checkout"})), says("It was the deploy.")]


class Instrumentation:
    """An instrumentation that is active, and the spans that it has recorded."""

    def __init__(self, instrumentor: OpenTelemetry | OpenInference) -> None:
        self.instrumentor = instrumentor
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        instrumentor.instrument(tracer_provider=provider)


@pytest.fixture(params=[OpenTelemetry, OpenInference], ids=["opentelemetry", "openinference"])
def instrumentation(request: pytest.FixtureRequest) -> Iterator[Instrumentation]:
    assert not openai_patches.is_patched()
    active = Instrumentation(request.param())
    assert openai_patches.is_patched()
    yield active
    active.instrumentor.uninstrument()


USAGE = {"gen_ai.usage.input_tokens", "llm.token_count.prompt"}


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    return monkeypatch


async def test_an_instrumentation_sees_each_request_once(
    client: Client, exported: pytest.MonkeyPatch, instrumentation: Instrumentation
) -> None:
    async with otlp_receiver() as received:
        exported.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        async with telemetry_harness(client, SCRIPT, model={"extra_body": {"thinking": {"type": "enabled"}}}) as (
            harness,
            _,
        ):
            result = await (await harness.start()).result()
            await received.until(lambda received: len(received.named("invoke_agent watchkeeper")) == 1)
    assert result.status == "concluded"
    requests = harness.model.requests
    seen = instrumentation.exporter.get_finished_spans()
    assert len(requests) == len(seen) == len(received.named("chat scripted")) == 2
    assert all(USAGE & (span.attributes or {}).keys() for span in seen)
    assert [request.body[:13] for request in requests] == [b'{"messages":['] * 2
    assert all(request.json()["thinking"] == {"type": "enabled"} for request in requests)
    assert harness.model.prefix_violations() == []
    parents = {f"{span.parent.span_id:016x}" for span in seen if span.parent}
    assert parents <= {span.span_id for span in received.named("chat scripted")}
    assert {f"{span.context.trace_id:032x}" for span in seen[-1:] if span.context} == {received.spans[0].trace_id}
    assert not any(KEY in span.to_json() for span in seen), "the key is recorded"


async def test_a_failed_request_is_seen_too(
    client: Client, exported: pytest.MonkeyPatch, instrumentation: Instrumentation
) -> None:
    exported.setenv("OTEL_TRACES_EXPORTER", "none")
    async with telemetry_harness(client, SCRIPT) as (harness, _):
        harness.model.fail_next(503, headers={"retry-after": "0.1"})
        harness.model.faults.append(raw_body(b"<html>", "text/html"))
        result = await (await harness.start()).result()
    assert result.status == "concluded"
    assert len(harness.model.requests) == len(instrumentation.exporter.get_finished_spans()) == 4
