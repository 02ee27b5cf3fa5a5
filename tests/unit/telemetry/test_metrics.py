"""The metrics, the health checks and the JSON log of a worker process."""

from __future__ import annotations

import asyncio
import json
import logging
import re
import shutil
import signal
import subprocess
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from httpx2 import AsyncClient
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from temporalio.client import Client

from tests.support.harness import failure, run_harness
from tests.support.otlp_receiver import otlp_receiver
from tests.support.paths import EXAMPLES
from tests.support.program import Program, Running
from tests.support.settings import KEY
from tests.support.telemetry_harness import telemetry_harness
from watchkeeper.contracts import RunInput
from watchkeeper.intake import metrics as intake_metrics
from watchkeeper.telemetry.http_endpoint import worker_app
from watchkeeper.telemetry.meter_provider import ProcessMeterProvider
from watchkeeper.temporal import activity_options
from watchkeeper.temporal.ports import HOST, free_port
from watchkeeper.temporal.task_queue import WorkerProbe, WorkerStatus
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import ScriptedReply, calls, says
from watchkeeper.watchdog.models import WatchdogCounts
from workflows.incident import IncidentWorkflow

DOCS = EXAMPLES.parent / "docs"

SCRIPT = [
    calls(("search_logs", {"service": "checkout", "query": "Null"}), ("no_such_tool", {})),
    says("**It was the deploy.**"),
]

WRONG_KEY = {"api_key": "a-key-that-the-model-refuses"}


@dataclass(frozen=True)
class Exposition:
    """Metrics in Prometheus text format."""

    text: str

    def value(self, name: str, **labels: str) -> float | None:
        """Return the value of the first sample with these labels; an empty label is the same as none."""
        for family in text_string_to_metric_families(self.text):
            for sample in family.samples:
                if sample.name == name and all(sample.labels.get(key, "") == text for key, text in labels.items()):
                    return float(sample.value)
        return None

    @property
    def names(self) -> set[str]:
        """The names of all metrics, without the suffixes of histograms."""
        families = text_string_to_metric_families(self.text)
        return {re.sub(r"_(bucket|count|sum)$", "", sample.name) for family in families for sample in family.samples}


@asynccontextmanager
async def worker(
    client: Client, directory: Path, script: list[ScriptedReply], **environment: str
) -> AsyncIterator[tuple[Running, str, str]]:
    """Run a worker process that serves its metrics; yield it, its task queue and its address."""
    queue, port = f"test-{uuid4().hex[:8]}", free_port()
    async with ScriptedModel(script, key=KEY).serve() as url:
        program = Program(
            directory,
            {
                "TEMPORAL_ADDRESS": client.service_client.config.target_host,
                "WATCHKEEPER_WORKER__TASK_QUEUE": queue,
                "WATCHKEEPER_WORKER__SHUTDOWN_SECONDS": "1",
                "WATCHKEEPER_MODEL__BASE_URL": url,
                "WATCHKEEPER_MODEL__NAME": "scripted",
                "WATCHKEEPER_MODEL__API_KEY": KEY,
                "WATCHKEEPER_SERVICES__CHECKOUT__TEAM": "checkout",
                "WATCHKEEPER_TELEMETRY__METRICS_PORT": str(port),
                **environment,
            },
        )
        running = await program.begin("worker")
        try:
            await running.says("serving /metrics and /healthz")
            yield running, queue, f"http://{HOST}:{port}"
        finally:
            running.send(signal.SIGTERM)
            await running.end()


async def run_on(client: Client, queue: str) -> str:
    """Run an investigation on a task queue; return its run id."""
    run = await client.start_workflow(
        IncidentWorkflow.run,
        RunInput(text="Checkout fails."),
        id=f"incident-{uuid4()}",
        task_queue=queue,
        task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
    )
    await run.result()
    return run.result_run_id or ""


def lint(text: str) -> str:
    """Return what promtool criticises."""
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("promtool is not installed (Debian's package prometheus)")
    done = subprocess.run(
        [path, "check", "metrics"], input=text, capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout + done.stderr


def documented_names() -> dict[str, str]:
    """Return the Prometheus name of each OpenTelemetry name in the table of the documentation."""
    rows = re.findall(r"^\| `([\w.]+)` \| `(\w+)` \|", (DOCS / "telemetry.md").read_text(), flags=re.MULTILINE)
    return dict(rows)


def queried_names(text: str) -> set[str]:
    """Return the metrics that the expressions in a file query."""
    bare = re.sub(r"\{\{.*?\}\}|\b(by|without) \(.*?\)", "", text)
    named = re.findall(r"\b(?:watchkeeper|gen_ai|temporal)_[a-z_]+(?=[\[{)\s\"])", bare)
    labels = {"gen_ai_request_model", "gen_ai_token_type"}
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in named} - labels


@pytest.fixture(scope="module")
async def scraped(client: Client, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """The task queue of a worker process that made one run, its metrics, and their content type."""
    directory = tmp_path_factory.mktemp("worker")
    async with worker(client, directory, SCRIPT) as (_, queue, url), AsyncClient() as http:
        await run_on(client, queue)
        answer = await http.get(f"{url}/metrics")
    return queue, answer.text, answer.headers["content-type"]


async def test_a_worker_serves_its_own_metrics_and_those_of_temporal(scraped: tuple[str, str, str]) -> None:
    queue, text, content_type = scraped
    assert content_type.startswith("text/plain")
    metrics = Exposition(text)
    model = {"gen_ai_request_model": "scripted"}
    assert metrics.value("watchkeeper_runs_total", outcome="concluded", source="person") == 1
    assert metrics.value("watchkeeper_rounds_total", **model) == 2
    assert metrics.value("watchkeeper_tool_calls_total", tool="search_logs", status="error") == 1
    assert metrics.value("watchkeeper_tool_calls_total", tool="unknown", status="rejected") == 1
    assert metrics.value("watchkeeper_model_repairs_total", kind="unknown_tool", **model) == 1
    assert metrics.value("watchkeeper_reports_total", destination="log", status="delivered") == 1
    assert metrics.value("watchkeeper_first_request_seconds_count") == 1
    assert (metrics.value("watchkeeper_tokens_total", type="input", **model) or 0) > 0
    request = {"gen_ai_operation_name": "chat", "error_type": "", **model}
    assert metrics.value("gen_ai_client_operation_duration_seconds_count", **request) == 2
    assert metrics.value("gen_ai_client_token_usage_count", gen_ai_token_type="output") == 2
    pollers = {"task_queue": queue, "poller_type": "activity_task"}
    assert (metrics.value("temporal_num_pollers", **pollers) or 0) >= 1
    assert (metrics.value("temporal_workflow_task_execution_latency_seconds_count", task_queue=queue) or 0) >= 3
    assert (metrics.value("temporal_request_total") or 0) > 0
    assert lint(text) == ""


async def test_counters_are_zero_before_they_count(scraped: tuple[str, str, str]) -> None:
    metrics = Exposition(scraped[1])
    assert metrics.value("watchkeeper_runs_total", outcome="failed", source="person") == 0
    assert metrics.value("watchkeeper_follow_ups_total", outcome="concluded", source="person") == 0
    assert metrics.value("watchkeeper_model_refusals_total", reason="quota") == 0
    assert metrics.value("watchkeeper_cost_usd_total", gen_ai_request_model="scripted") == 0
    assert metrics.value("watchkeeper_reports_total", destination="slack", status="failed") == 0


@pytest.mark.parametrize("name", ["grafana-dashboard.json", "watchkeeper-rules.yml"])
async def test_all_metrics_that_the_examples_query_are_served(name: str, scraped: tuple[str, str, str]) -> None:
    intake = generate_latest(intake_metrics.IntakeMetrics(["prod"], WatchdogCounts()).registry).decode()
    families = {family.name for family in text_string_to_metric_families(intake)}
    served = Exposition(scraped[1]).names | families | {f"{family}_total" for family in families}
    queried = queried_names((EXAMPLES / name).read_text())
    assert len(queried) > 8
    assert queried - served == set()


async def test_every_documented_metric_is_served_and_on_the_dashboard(scraped: tuple[str, str, str]) -> None:
    documented = set(documented_names().values())
    assert len(documented) > 8
    assert documented <= Exposition(scraped[1]).names
    assert documented <= queried_names((EXAMPLES / "grafana-dashboard.json").read_text())


async def test_every_metric_of_a_worker_is_documented(scraped: tuple[str, str, str]) -> None:
    ours = {name for name in Exposition(scraped[1]).names if name.startswith(("watchkeeper_", "gen_ai_"))}
    assert ours - {"watchkeeper_build_info"} == set(documented_names().values())


async def test_a_worker_is_healthy_while_it_polls_and_does_not_share_its_port(client: Client, tmp_path: Path) -> None:
    async with worker(client, tmp_path, SCRIPT) as (_, queue, url), AsyncClient() as http:
        async with asyncio.timeout(10):
            while (answer := await http.get(f"{url}/healthz")).status_code != 200:
                await asyncio.sleep(0.1)
        alive = await http.get(f"{url}/livez")
        environment = {
            "TEMPORAL_ADDRESS": client.service_client.config.target_host,
            "WATCHKEEPER_WORKER__TASK_QUEUE": queue,
            "WATCHKEEPER_MODEL__API_KEY": KEY,
            "WATCHKEEPER_TELEMETRY__METRICS_PORT": url.rpartition(":")[2],
        }
        second = await Program(tmp_path, environment)("worker")
    assert answer.json() == {"temporal": True, "polls": True}
    assert alive.json() == {"alive": True}
    assert second.code == 1
    assert "telemetry.metrics_host and telemetry.metrics_port" in second.err


async def test_a_worker_is_not_healthy_because_another_one_polls(client: Client) -> None:
    async with run_harness(client, SCRIPT) as harness:
        queue = harness.settings.worker.task_queue
        same, other = WorkerProbe(client, queue, client.identity), WorkerProbe(client, queue, "another-process")
        async with asyncio.timeout(10):
            while not (await same.status()).worker:
                await asyncio.sleep(0.1)
        assert await other.status() == WorkerStatus(temporal=True, worker=False)


async def test_each_line_of_the_json_log_names_run_call_and_span(client: Client, tmp_path: Path) -> None:
    async with otlp_receiver() as received:
        environment = {
            "WATCHKEEPER_TELEMETRY__LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{received.url}/v1/traces",
        }
        script = [calls(("search_logs", {"service": "checkout", "query": "Null"})), says("Fine.")]
        async with worker(client, tmp_path, script, **environment) as (running, queue, _):
            run_id = await run_on(client, queue)
            log = await running.says("of incident-")
        await received.until(lambda received: bool(received.named("deliver log")))
    lines = [json.loads(line) for line in log.splitlines()]
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(line) for line in lines))
    (report,) = [line for line in lines if "of incident-" in line["message"]]
    (span,) = received.named("deliver log")
    assert (report["run"], report["run_id"]) == (span.attributes["temporal.workflow_id"], run_id)
    assert (report["call"], report["attempt"], report["level"]) == ("deliver-log", 1, "info")
    assert (report["trace_id"], report["span_id"]) == (span.trace_id, span.span_id)
    assert datetime.fromisoformat(report["time"]).tzinfo is not None


async def test_every_documented_metric_is_exported(client: Client, tmp_path: Path) -> None:
    async with otlp_receiver() as received:
        environment = {"OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": f"{received.url}/v1/metrics"}
        async with worker(client, tmp_path, SCRIPT, **environment) as (_, queue, _):
            await run_on(client, queue)
        await received.until(lambda received: {*documented_names(), "temporal_request"} <= received.metrics)
    assert received.spans == [], "traces are not configured"


async def test_metrics_of_a_finished_process_are_exported(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with otlp_receiver() as received:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{received.url}/v1/metrics")
        async with telemetry_harness(client, [says("Fine.")]) as (harness, _):
            await (await harness.start()).result()
            assert received.metrics == set(), "the first regular export is after a minute"
        await received.until(lambda received: "watchkeeper.rounds" in received.metrics)


async def test_an_unreachable_collector_is_logged_once_and_does_not_delay_the_end(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    port = free_port()
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"http://{HOST}:{port}/v1/metrics")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "1")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "100")

    async def logged(count: int) -> list[str]:
        async with asyncio.timeout(20):
            while (
                len(messages := [record.message for record in caplog.records if "collector" in record.message]) < count
            ):
                await asyncio.sleep(0.05)
        return messages

    with caplog.at_level(logging.INFO):
        provider = ProcessMeterProvider(otlp=True)
        provider.meter.create_counter("tests").add(1)
        await logged(1)
        async with otlp_receiver(port) as received:
            await received.until(lambda received: "tests" in received.metrics)
            await logged(2)
        messages = await logged(3)
    started = time.perf_counter()
    await provider.shutdown()
    assert time.perf_counter() - started < 1
    failing = "the collector does not accept metrics (OTEL_EXPORTER_OTLP_*); runs continue"
    assert messages == [failing, "the collector accepts metrics again", failing]


async def test_refusals_are_counted_by_reason(client: Client) -> None:
    async with telemetry_harness(client, SCRIPT, model=WRONG_KEY, telemetry={"metrics_port": 0}) as (harness, process):
        await failure(await harness.start())
        assert process.metrics is not None
        metrics = Exposition(process.metrics.scrape().decode())
    assert metrics.value("watchkeeper_model_refusals_total", gen_ai_request_model="scripted", reason="auth") == 1
    assert metrics.value("watchkeeper_runs_total", outcome="failed", source="person") == 1
    failed = {"error_type": "ModelAuthentication", "gen_ai_request_model": "scripted"}
    assert metrics.value("gen_ai_client_operation_duration_seconds_count", **failed) == 1


async def test_prometheus_is_served_although_exports_are_disabled(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SDK_DISABLED", "true")
    async with telemetry_harness(client, [says("Fine.")], telemetry={"metrics_port": 0}) as (harness, process):
        await (await harness.start()).result()
        assert process.metrics is not None
        metrics = Exposition(process.metrics.scrape().decode())
    assert metrics.value("watchkeeper_runs_total", outcome="concluded", source="person") == 1


async def test_an_unsupported_protocol_is_refused_at_the_start(tmp_path: Path) -> None:
    program = Program(tmp_path, {"WATCHKEEPER_MODEL__API_KEY": KEY, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    ended = await program("worker", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4317")
    assert ended.code == 1
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=grpc: only http/protobuf is supported" in ended.sentence()


def test_an_unknown_path_is_not_found(client: Client) -> None:
    with TestClient(worker_app(lambda: b"", WorkerProbe(client, "no-such-queue"))) as http:
        assert http.get("/").status_code == 404
