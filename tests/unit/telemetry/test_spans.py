"""The spans of a run, as a collector receives them."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
import time

import pytest
from temporalio.client import Client

from tests.support.alert_sender import Sender, until_reported
from tests.support.harness import concludes, failure, until_waiting
from tests.support.otlp_receiver import ReceivedTelemetry, otlp_receiver
from tests.support.span_tree import root_of
from tests.support.telemetry_harness import telemetry_harness
from watchkeeper import __version__
from watchkeeper.contracts import Decision, TellRequest
from watchkeeper.telemetry import span_ids, span_processor
from watchkeeper.telemetry.otel_env import CAPTURE_CONTENT
from watchkeeper.telemetry.tracer import RunTracer, SpanData
from watchkeeper.temporal.ports import HOST, free_port
from watchkeeper.testing.scripts import calls, says
from workflows.incident import IncidentWorkflow

SCRIPT = [
    calls(("look", {"service": "checkout"}), ("refusing", {}), ("unreachable", {})),
    says("**It was the deploy.** Roll it back."),
]

CONTENT_SAMPLES = ("checkout", "error_rate", "the deploy", "no such index", "Checkout fails")


@pytest.fixture
def exporter_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (CAPTURE_CONTENT, "OTEL_SDK_DISABLED", "OTEL_TRACES_EXPORTER", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")


async def run_once(received: ReceivedTelemetry, client: Client, **settings: object) -> tuple[str, str]:
    """Run SCRIPT until its root span is received; return workflow id and first execution run id."""
    async with telemetry_harness(client, SCRIPT, **settings) as (harness, _):
        run = await harness.start()
        await run.result()
        await received.until(lambda received: len(received.named("invoke_agent watchkeeper")) == 1)
    return run.id, run.first_execution_run_id or ""


@pytest.mark.usefixtures("exporter_variables")
async def test_a_run_is_one_trace_by_the_genai_conventions(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with otlp_receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        workflow_id, run = await run_once(received, client)
    root_of(received.spans)
    names = sorted(span.name for span in received.spans)
    assert names == sorted(
        [
            *("brief", "chat scripted", "chat scripted", "review", "deliver log", "invoke_agent watchkeeper"),
            *("execute_tool look", "execute_tool refusing", "execute_tool unreachable", "execute_tool unreachable"),
        ]
    )
    for span in received.spans:
        assert span.trace_id == f"{span_ids.trace_id(run):032x}"
        assert span.attributes["gen_ai.conversation.id"] == span.attributes["temporal.workflow_id"] == workflow_id
        assert span.attributes["watchkeeper.run.id"] == run
        assert span.attributes["gen_ai.agent.name"] == "watchkeeper"
        assert span.start_time <= span.end_time
    first, last = received.named("chat scripted")
    assert first.kind == 3, "CLIENT: a model is another program"
    assert first.attributes["gen_ai.operation.name"] == "chat"
    assert first.attributes["gen_ai.provider.name"] == first.attributes["server.address"] == HOST
    assert first.attributes["gen_ai.request.model"] == "scripted"
    assert first.attributes["gen_ai.usage.input_tokens"] > 0
    assert first.attributes["gen_ai.usage.output_tokens"] > 0
    assert (first.attributes["gen_ai.response.finish_reasons"], first.attributes["watchkeeper.round"]) == (
        ["tool_calls"],
        1,
    )
    assert (last.attributes["gen_ai.response.finish_reasons"], last.attributes["watchkeeper.round"]) == (["stop"], 2)
    assert first.attributes["gen_ai.response.id"]
    (root,) = received.named("invoke_agent watchkeeper")
    assert root.attributes["gen_ai.agent.version"] == __version__
    assert (root.attributes["watchkeeper.outcome"], root.attributes["watchkeeper.rounds"]) == ("concluded", 2)
    assert root.start_time <= min(span.start_time for span in received.spans)
    (look,) = received.named("execute_tool look")
    assert look.attributes["gen_ai.tool.call.id"] == "r1.0"
    assert (look.attributes["gen_ai.tool.type"], look.attributes["watchkeeper.call.status"]) == ("function", "ok")


@pytest.mark.usefixtures("exporter_variables")
async def test_failed_spans_have_the_type_of_their_error(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with otlp_receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"{received.url}/v1/traces")
        await run_once(received, client)
    (refusing,) = received.named("execute_tool refusing")
    assert (refusing.is_error, refusing.attributes["error.type"]) == (True, "tool_error")
    tried = received.named("execute_tool unreachable")
    assert [span.attributes["error.type"] for span in tried] == ["ToolUnavailable"] * 2
    assert [span.attributes["watchkeeper.attempt"] for span in tried] == [1, 2]


@pytest.mark.usefixtures("exporter_variables")
async def test_a_refusal_and_a_failed_run_have_error_spans(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with otlp_receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        async with telemetry_harness(client, SCRIPT, model={"api_key": "a-key-that-the-model-refuses"}) as (harness, _):
            await failure(await harness.start())
            await received.until(lambda received: len(received.named("invoke_agent watchkeeper")) == 1)
    root_of(received.spans)
    (chat,) = received.named("chat scripted")
    assert (chat.is_error, chat.attributes["error.type"]) == (True, "ModelAuthentication")
    assert chat.events == ["watchkeeper.refused"]
    (root,) = received.named("invoke_agent watchkeeper")
    assert (root.is_error, root.attributes["error.type"]) == (True, "failed")


@pytest.mark.usefixtures("exporter_variables")
async def test_content_is_not_exported_by_default(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with otlp_receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        await run_once(received, client)
    assert [sample for sample in CONTENT_SAMPLES if sample in received.text] == []


@pytest.mark.usefixtures("exporter_variables")
async def test_captured_content_has_no_secrets(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    secret = {"vault": {"password": "error_rate"}}  # text in a tool result
    async with otlp_receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        monkeypatch.setenv(CAPTURE_CONTENT, "true")
        await run_once(received, client, tools=secret)
    (look,) = received.named("execute_tool look")
    assert json.loads(look.attributes["gen_ai.tool.call.arguments"]) == {"service": "checkout"}
    assert json.loads(look.attributes["gen_ai.tool.call.result"]) == {"service": "checkout", "(secret)": 0.182}
    _, last = received.named("chat scripted")
    asked = json.loads(last.attributes["gen_ai.input.messages"])
    assert [message["role"] for message in asked] == ["system", "user", "assistant", "tool", "tool", "tool"]
    assert asked[1]["parts"][0]["content"].startswith("Checkout fails.")
    assert [part["name"] for part in asked[2]["parts"]] == ["look", "refusing", "unreachable"]
    (answer,) = json.loads(last.attributes["gen_ai.output.messages"])
    assert answer == {
        "role": "assistant",
        "parts": [{"type": "text", "content": "**It was the deploy.** Roll it back."}],
    }
    assert "503" in received.named("execute_tool unreachable")[0].status_message
    assert [sample for sample in CONTENT_SAMPLES if sample not in received.text] == ["error_rate"]


@pytest.mark.usefixtures("exporter_variables")
@pytest.mark.parametrize(
    "variables",
    [{}, {"OTEL_SDK_DISABLED": "true"}, {"OTEL_TRACES_EXPORTER": "none"}],
    ids=lambda variables: "-".join(variables) or "no-variable",
)
async def test_nothing_is_exported_by_default(
    client: Client, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str]
) -> None:
    async with otlp_receiver() as received:
        if variables:
            monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        async with telemetry_harness(client, [says("Fine.")]) as (harness, process):
            assert process.interceptors(client) == []
            await (await harness.start()).result()
    assert received.spans == []


@pytest.mark.usefixtures("exporter_variables")
@pytest.mark.parametrize("answers", ["refuses", "hangs"])
async def test_only_the_first_span_waits_for_a_collector(answers: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_server(hang, HOST)
    port = server.sockets[0].getsockname()[1] if answers == "hangs" else free_port()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{HOST}:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    tracer, waits = RunTracer(), list[float]()
    async with server:
        for number in range(1, 20):
            started = time.perf_counter()
            await tracer.export(SpanData("a span", trace_id=1, span_id=number, started_ns=1, ended_ns=2))
            waits.append(time.perf_counter() - started)
        await tracer.end()
        while any(thread.name == "spans" for thread in threading.enumerate()):  # it would log into the next test
            await asyncio.sleep(0.05)
    wait = span_processor.EXPORT_WAIT_SECONDS
    assert waits[0] == pytest.approx(wait, abs=0.1)
    assert sum(waits[1:]) < wait


@pytest.mark.usefixtures("exporter_variables")
async def test_a_collector_receives_all_spans_when_it_is_reachable_again(
    client: Client, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://{HOST}:{port}")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    rounds = 6
    script = [*(calls(("look", {"service": "checkout"})) for _ in range(rounds)), says("Fine.")]

    def logged() -> list[str]:
        return [record.message for record in caplog.records if "collector" in record.message]

    with caplog.at_level(logging.INFO):
        async with telemetry_harness(client, script) as (harness, _):
            await (await harness.start()).result()
            async with asyncio.timeout(20):
                while not logged():
                    await asyncio.sleep(0.1)
            async with otlp_receiver(port) as received:
                await received.until(lambda received: len(received.named("invoke_agent watchkeeper")) == 1)
                await received.until(lambda received: len(received.named("execute_tool look")) == rounds)
    root_of(received.spans)
    assert logged() == [
        "the collector does not accept traces (OTEL_EXPORTER_OTLP_*); runs continue",
        "the collector accepts traces again",
    ]


@pytest.mark.usefixtures("exporter_variables")
async def test_a_call_that_waits_for_approval_has_a_span_only_after_it_ran(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = [calls(("restart", {"service": "checkout"})), says("Restarted.")]
    async with otlp_receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        async with telemetry_harness(client, script) as (harness, _):
            run = await harness.start()
            await until_waiting(run, "r1.0")
            assert received.named("execute_tool restart") == []
            await run.execute_update(IncidentWorkflow.decide, Decision(call="r1.0", approved=True, by="ada"))
            await run.result()
            await received.until(lambda received: len(received.named("invoke_agent watchkeeper")) == 1)
    assert len(received.named("execute_tool restart")) == 1


@pytest.mark.usefixtures("exporter_variables")
async def test_a_follow_up_is_a_child_of_the_investigation(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with otlp_receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", received.url)
        async with telemetry_harness(client, concludes("**Cause:** a deploy.", "It still is.")) as (harness, _):
            sender = Sender.on(harness)
            run = sender.run(await sender.fire())
            await until_reported(run)
            await run.execute_update(IncidentWorkflow.tell, TellRequest(text="And now?", by="ann"))
            await received.until(lambda received: len(received.named("invoke_agent watchkeeper")) == 2)
            await sender.resolve()
            await run.result()
    root = root_of(received.spans)
    (follow_up,) = [span for span in received.named("invoke_agent watchkeeper") if span.parent_id]
    assert (follow_up.parent_id, follow_up.attributes["watchkeeper.follow_up"]) == (root.span_id, 1)
    assert root.attributes["watchkeeper.source"] == sender.source.name
    assert [chat.parent_id for chat in received.named("chat scripted")] == [root.span_id] * 3
