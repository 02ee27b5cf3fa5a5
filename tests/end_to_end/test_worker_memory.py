"""A worker process that has 256 MiB survives back ends that answer with far more than it asked for."""

from __future__ import annotations

import gzip
import signal
from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp, Receive, Scope, Send
from temporalio.client import Client

from tests.support.program import Program
from tests.support.settings import KEY
from watchkeeper.contracts import RunInput
from watchkeeper.demo.world import World
from watchkeeper.temporal import activity_options
from watchkeeper.testing.asgi_server import serve, transport_of
from watchkeeper.testing.fake_server import FakeServer
from watchkeeper.testing.faults import Fault, raw_body
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import calls, says
from workflows.incident import IncidentWorkflow

MEMORY = 256 * 2**20
BYTES = 64_000_000
PART = b'{"status":"success","data":[' + b"[[],{}]," * 8_000
BOMB = gzip.compress(PART * (BYTES // len(PART)))
SMALL_VALUES = b'{"status":"success","data":[' + b"[[],{}]," * 500_000 + b"0]}"
"""4 MB of JSON that takes 25 times as much memory when it is parsed."""


def flood(app: ASGIApp) -> ASGIApp:
    """Answer with 64 MB, in parts."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"application/json")]})
        for _ in range(BYTES // len(PART)):
            await send({"type": "http.response.body", "body": PART, "more_body": True})
            if transport_of(scope).is_closing():
                return
        await send({"type": "http.response.body"})

    return answer


ANSWERS: dict[str, Fault] = {
    "64 MB": flood,
    "64 MB in a bomb": raw_body(BOMB, "application/json", headers={"content-encoding": "gzip"}),
    "4 MB of white space": raw_body(b" " * 4_000_000, "application/json"),
    "many small values": raw_body(SMALL_VALUES, "application/json"),
}
SAYS = {
    "64 MB": "is larger than 4,194,304 bytes",
    "64 MB in a bomb": "is larger than 4,194,304 bytes",
    "4 MB of white space": "answered no JSON",
    "many small values": "with too many values to be parsed",
}

ROUND = calls(
    *(("search_logs", {"service": "checkout", "query": f"error {n}"}) for n in range(4)),
    ("get_service_health", {"service": "checkout"}),
    ("get_service_health", {"service": "payments"}),
    ("get_deploys", {"service": "checkout"}),
    ("get_deploys", {"service": "payments"}),
)


def settings(world: World, webhook: str, model: str, queue: str) -> Iterator[str]:
    yield f'[model]\nbase_url = "{model}"\nname = "scripted"\napi_key = "{KEY}"'
    yield f'[worker]\ntask_queue = "{queue}"\nshutdown_seconds = 1'
    yield f'[loki]\nurl = "{world.urls.loki_url}"\n[prometheus]\nurl = "{world.urls.prometheus_url}"'
    yield f'[github]\nurl = "{world.urls.github_url}"\ntoken = "t"'
    yield f'[argocd]\nurl = "{world.urls.argocd_url}"\ntoken = "t"'
    yield f'[reports]\nwebhook_url = "{webhook}"'
    yield '[services.checkout]\nteam = "a"\ngithub = "acme/checkout"'
    yield '[services.payments]\nteam = "b"\nargocd = "payments"'


def peak_memory(pid: int) -> int:
    """Return the most memory that a process has had, in bytes."""
    line = next(line for line in Path(f"/proc/{pid}/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) * 1_024


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak of a process is read from /proc")
async def test_a_small_worker_survives_large_answers(client: Client, world: World, tmp_path: Path) -> None:
    queue = f"test-{uuid4().hex[:8]}"
    webhook = FakeServer(flood(Starlette()))
    scripted = ScriptedModel([ROUND, ROUND, says("**Status:** nothing could be read.")], key=KEY)
    async with scripted.serve() as model, serve(webhook) as hook:
        (tmp_path / "watchkeeper.toml").write_text("\n".join(settings(world, hook, model, queue)))
        address = client.service_client.config.target_host
        running = await Program(tmp_path, {"TEMPORAL_ADDRESS": address}).begin("worker")
        try:
            await running.says("working on the task queue")
            for name, trouble in ANSWERS.items():
                for server in (world.loki, world.prometheus, world.github, world.argocd):
                    server.outage = trouble
                run = await client.start_workflow(
                    IncidentWorkflow.run,
                    RunInput(text=name),
                    id=f"incident-{uuid4()}",
                    task_queue=queue,
                    task_timeout=activity_options.WORKFLOW_TASK_TIMEOUT,
                )
                result = await run.result()
                assert result.status == "concluded"
                peak = peak_memory(running.process.pid)
                assert peak < MEMORY, f"{name}: {peak:,} bytes"
                results = [m["content"] for m in scripted.requests[-1].json()["messages"] if m["role"] == "tool"]
                said = SAYS[name]
                assert all(said in content for content in results), results
        finally:
            running.send(signal.SIGTERM)
            ended = await running.end()
    assert ended.code == 0, ended.err
    assert len(webhook.requests) == len(ANSWERS), "each report is delivered once"
