"""What a worker process tells Prometheus and a collector, and whoever asks whether it is well."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import uuid4

import pytest
from httpx2 import AsyncClient
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient
from temporalio.client import Client

from tests.support.harness import KEY, failure, run_harness
from tests.support.otlp_receiver import tapping
from tests.support.paths import EXAMPLES
from tests.support.program import Program, Running
from tests.support.telemetry_harness import observed
from watchkeeper.contracts import RunInput
from watchkeeper.intake import metrics as intake_metrics
from watchkeeper.telemetry import instruments
from watchkeeper.telemetry.http_endpoint import page
from watchkeeper.telemetry.prometheus import prometheus_name
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


@dataclass(frozen=True)
class Scraped:
    """A page of metrics."""

    text: str

    def value(self, name: str, **labels: str) -> float | None:
        """The value of a sample whose labels hold these."""
        for family in text_string_to_metric_families(self.text):
            for sample in family.samples:
                if sample.name == name and labels.items() <= sample.labels.items():
                    return float(sample.value)
        return None


@asynccontextmanager
async def worker(
    client: Client, directory: Path, script: list[ScriptedReply], **environment: str
) -> AsyncIterator[tuple[Running, str, str]]:
    """A worker process that is told to serve its metrics; gives it, its queue and its page's address."""
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
    """Have it make a run; gives its run id."""
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
    """What promtool finds wrong with a page of metrics."""
    path = shutil.which("promtool")
    if path is None:
        pytest.skip("promtool is not installed (Debian's package prometheus)")
    done = subprocess.run(
        [path, "check", "metrics"], input=text, capture_output=True, text=True, timeout=30, check=False
    )
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
async def scraped(client: Client, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, str]:
    """The queue of a worker process that made a run, its page of metrics, and how that is called."""
    directory = tmp_path_factory.mktemp("worker")
    async with worker(client, directory, SCRIPT) as (_, queue, url), AsyncClient() as http:
        await run_on(client, queue)
        answer = await http.get(f"{url}/metrics")
    return queue, answer.text, answer.headers["content-type"]


async def test_a_worker_can_be_scraped_for_its_own_metrics_and_those_of_temporal(scraped: tuple[str, str, str]) -> None:
    queue, text, called = scraped
    assert called.startswith("text/plain")
    metrics = Scraped(text)
    model = {"gen_ai_request_model": "scripted"}
    assert metrics.value("watchkeeper_runs_total", outcome="concluded", source="person") == 1
    assert metrics.value("watchkeeper_rounds_total", **model) == 2
    assert metrics.value("watchkeeper_tool_calls_total", tool="search_logs", status="error") == 1
    assert metrics.value("watchkeeper_tool_calls_total", tool="unknown", status="rejected") == 1
    assert metrics.value("watchkeeper_model_repairs_total", kind="unknown_tool", **model) == 1
    assert metrics.value("watchkeeper_reports_total", destination="log", status="delivered") == 1
    assert metrics.value("watchkeeper_first_request_seconds_count") == 1
    assert (metrics.value("watchkeeper_tokens_total", type="input", **model) or 0) > 0
    asked = {"gen_ai_operation_name": "chat", "error_type": "", **model}
    assert metrics.value("gen_ai_client_operation_duration_seconds_count", **asked) == 2
    assert metrics.value("gen_ai_client_token_usage_count", gen_ai_token_type="output") == 2
    assert (metrics.value("temporal_num_pollers", task_queue=queue) or 0) >= 0
    assert (metrics.value("temporal_workflow_task_execution_latency_seconds_count", task_queue=queue) or 0) >= 3
    assert (metrics.value("temporal_request_total") or 0) > 0
    assert lint(text) == ""


@pytest.mark.parametrize("name", ["grafana-dashboard.json", "watchkeeper-rules.yml"])
async def test_what_the_examples_ask_prometheus_for_is_served(name: str, scraped: tuple[str, str, str]) -> None:
    intake = generate_latest(intake_metrics.Metrics(["prod"], WatchdogCounts()).registry).decode()
    served = {
        re.sub(r"_(bucket|count|sum|created)$", "", sample)
        for text in (scraped[1], intake)
        for family in text_string_to_metric_families(text)
        for sample in [family.name, f"{family.name}_total", *(sample.name for sample in family.samples)]
    }
    wanted = metrics_in((EXAMPLES / name).read_text())
    assert len(wanted) > 8
    assert wanted - served == set()


async def test_every_counter_is_documented_and_shown(scraped: tuple[str, str, str]) -> None:
    documented, board = (DOCS / "telemetry.md").read_text(), (EXAMPLES / "grafana-dashboard.json").read_text()
    for instrument in instruments.ALL:
        assert f"`{instrument.name}`" in documented
        name = prometheus_name(instrument.name, instrument.unit)
        assert f"`{name}" in documented
        assert name in board


def metrics_in(text: str) -> set[str]:
    """The metrics that the expressions of a file are about."""
    bare = re.sub(r"\{\{.*?\}\}|\b(by|without) \(.*?\)", "", text)
    named = re.findall(r"\b(?:watchkeeper|gen_ai|temporal)_[a-z_]+(?=[\[{)\s\"])", bare)
    labels = {"gen_ai_request_model", "gen_ai_token_type"}
    return {re.sub(r"_(bucket|count|sum)$", "", name) for name in named} - labels


async def test_a_worker_is_well_when_it_polls_and_alone_at_its_port(client: Client, tmp_path: Path) -> None:
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
        ended = await Program(tmp_path, environment)("worker")
    assert answer.json() == {"temporal": True, "polls": True}
    assert alive.json() == {"alive": True}
    assert ended.code == 1
    assert "telemetry.metrics_host and telemetry.metrics_port" in ended.err


async def test_a_worker_is_not_well_because_another_one_polls(client: Client) -> None:
    async with run_harness(client, SCRIPT) as harness:
        queue = harness.settings.worker.task_queue
        ours, theirs = WorkerProbe(client, queue, client.identity), WorkerProbe(client, queue, "somebody-else")
        async with asyncio.timeout(10):
            while not (await ours.now()).worker:
                await asyncio.sleep(0.1)
        assert await theirs.now() == WorkerStatus(temporal=True, worker=False)


async def test_each_line_of_a_log_of_json_names_its_run_its_call_and_its_span(client: Client, tmp_path: Path) -> None:
    async with tapping() as tap:
        told = {
            "WATCHKEEPER_TELEMETRY__LOG_FORMAT": "json",
            "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": f"{tap.url}/v1/traces",
        }
        script = [calls(("search_logs", {"service": "checkout", "query": "Null"})), says("Fine.")]
        async with worker(client, tmp_path, script, **told) as (running, queue, _):
            run_id = await run_on(client, queue)
            said = await running.says("of incident-")
        await tap.until(lambda tap: bool(tap.named("deliver log")))
    lines = [json.loads(line) for line in said.splitlines()]
    assert {"time", "level", "logger", "message"} <= set.intersection(*(set(line) for line in lines))
    (report,) = [line for line in lines if "of incident-" in line["message"]]
    (span,) = tap.named("deliver log")
    assert (report["run"], report["run_id"]) == (span.facts["temporal.workflow_id"], run_id)
    assert (report["call"], report["attempt"], report["level"]) == ("deliver-log", 1, "info")
    assert (report["trace_id"], report["span_id"]) == (span.trace, span.span)
    assert datetime.fromisoformat(report["time"]).tzinfo is not None


async def test_metrics_go_to_a_collector_too(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async with tapping() as tap:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", f"{tap.url}/v1/metrics")
        async with observed(client, [calls(("look", {"service": "checkout"})), says("Fine.")]) as (harness, _):
            await (await harness.start()).result()
        await tap.until(lambda tap: "watchkeeper.runs" in tap.metrics)
    assert {"gen_ai.client.operation.duration", "gen_ai.client.token.usage", "watchkeeper.tool.calls"} <= {*tap.metrics}
    assert tap.spans == [], "traces were not asked for"


async def test_refusals_are_counted_by_their_reason(client: Client) -> None:
    wrong = {"api_key": "one-that-nobody-gave"}
    async with observed(client, SCRIPT, model=wrong, telemetry={"metrics_port": 0}) as (harness, told):
        await failure(await harness.start())
        registry = told.registry
    assert registry is not None
    refused = {"gen_ai_request_model": "scripted", "reason": "auth"}
    assert registry.get_sample_value("watchkeeper_model_refusals_total", refused) == 1
    failed = {"outcome": "failed", "source": "person"}
    assert registry.get_sample_value("watchkeeper_runs_total", failed) == 1


async def test_what_cannot_be_exported_is_refused_at_the_start(tmp_path: Path) -> None:
    program = Program(tmp_path, {"WATCHKEEPER_MODEL__API_KEY": KEY, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"})
    ended = await program("worker", OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:4317")
    assert ended.code == 1
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=grpc: only http/protobuf is spoken" in ended.sentence()


def test_who_asks_for_another_page_finds_none(client: Client) -> None:
    with TestClient(page(CollectorRegistry(), WorkerProbe(client, "nobody"))) as http:
        assert http.get("/").status_code == 404
