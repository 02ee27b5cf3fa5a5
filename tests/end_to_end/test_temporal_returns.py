"""A worker process while Temporal is away: it waits, says so, and continues at once when Temporal returns."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Mapping
from pathlib import Path

import pytest
from httpx2 import AsyncClient
from temporalio.client import Client

from tests.end_to_end.chaos.temporal_server import run_server
from tests.support.program import Program, Running
from tests.support.settings import KEY, build_settings
from tests.support.tcp_gate import tcp_gate
from watchkeeper.contracts import RunInput, RunResult
from watchkeeper.runs.client import start_run
from watchkeeper.temporal.ports import HOST, free_port
from watchkeeper.testing.faults import hang
from watchkeeper.testing.scripted_model import ScriptedModel
from watchkeeper.testing.scripts import says

LIMIT = 5.0
"""Seconds from Temporal's return to the next step of a run."""


def environment(address: str, model: str, queue: str, port: int) -> Mapping[str, str]:
    return {
        "TEMPORAL_ADDRESS": address,
        "WATCHKEEPER_WORKER__TASK_QUEUE": queue,
        "WATCHKEEPER_WORKER__SHUTDOWN_SECONDS": "1",
        "WATCHKEEPER_MODEL__BASE_URL": model,
        "WATCHKEEPER_MODEL__NAME": "scripted",
        "WATCHKEEPER_MODEL__API_KEY": KEY,
        "WATCHKEEPER_TELEMETRY__METRICS_PORT": str(port),
    }


async def health(port: int) -> tuple[int, dict[str, bool]]:
    async with AsyncClient() as http:
        answer = await http.get(f"http://{HOST}:{port}/healthz", timeout=10)
    return answer.status_code, answer.json()


async def until_healthy(port: int) -> None:
    async with asyncio.timeout(30):
        while (await health(port))[0] != 200:
            await asyncio.sleep(0.1)


@pytest.mark.parametrize("end", [signal.SIGTERM, signal.SIGINT])
async def test_a_worker_waits_for_temporal_and_ends_when_it_is_told_to(tmp_path: Path, end: signal.Signals) -> None:
    port, address = free_port(), f"{HOST}:{free_port()}"
    worker = await Program(tmp_path, environment(address, "http://unused", "waits", port)).begin("worker")
    output = await worker.says(f"no Temporal server answers at {address}; waiting for it since ")
    assert await health(port) == (503, {"temporal": False, "polls": False})
    await asyncio.sleep(2.5)
    worker.send(end)
    ended = await worker.end()
    assert ended.code == 0
    assert ended.err.count("no Temporal server answers") == 1, output
    assert "Traceback" not in ended.err


@pytest.mark.parametrize(
    ("cut_after", "away"),
    [
        *((chunks, 1.5) for chunks in (2, 5, 7, 8, 9, 10, 11, 12, 13, 14, 18)),
        # Longer than the SDK retries a request.
        *(pytest.param(chunks, 20.0, marks=pytest.mark.slow) for chunks in (8, 10, 11, 12, 13, 14, 18)),
    ],
)
async def test_an_outage_during_the_start_of_a_worker_does_not_end_it(
    tmp_path: Path, client: Client, cut_after: int, away: float
) -> None:
    """The connection is cut after each of the requests that a worker sends until it polls."""
    queue, scripted = f"gate-{cut_after}-{away:.0f}", ScriptedModel(lambda request: says("It is fine."), key=KEY)
    target = client.service_client.config.target_host
    async with tcp_gate(target, cut_after, away) as gate, scripted.serve() as model:
        variables = environment(f"{HOST}:{gate.port}", model, queue, free_port())
        worker = await Program(tmp_path, variables).begin("worker")
        try:
            async with asyncio.timeout(30 + away):
                await gate.returned.wait()
                handle = await start_run(
                    client, RunInput(text="Is it fine?"), build_settings(worker={"task_queue": queue})
                )
                result = await client.get_workflow_handle(handle.workflow_id, result_type=RunResult).result()
        finally:
            worker.send(signal.SIGTERM)
            ended = await worker.end()
    assert result.status == "concluded"
    assert ended.code == 0, ended.err
    assert "Traceback" not in ended.err


async def test_the_next_step_comes_within_seconds_of_temporals_return(tmp_path: Path) -> None:
    """A run that starts then, and a run that waited for its model meanwhile."""
    port = free_port()
    settings = build_settings(worker={"task_queue": "returns"})
    scripted = ScriptedModel(lambda request: says("**Status:** it is fine."), key=KEY)

    def asked(text: str) -> int:
        return sum(text in str(request.json()) for request in scripted.requests)

    async def start(text: str) -> str:
        return (await start_run(server.client, RunInput(text=text), settings)).workflow_id

    async with run_server() as server, scripted.serve() as model:
        await server.kill()
        program = Program(tmp_path, environment(server.address, model, "returns", port))
        worker: Running = await program.begin("worker")
        seconds: dict[str, float] = {}
        try:
            await worker.says("no Temporal server answers")
            waiting, before = "", 0
            for away in (0.0, 4.0, 15.0, 2.5):
                await asyncio.sleep(away)
                await server.start()
                returned = time.monotonic()
                text = f"Temporal was away for {away} s."
                run = await start(text)
                async with asyncio.timeout(60):
                    while not asked(text):
                        await asyncio.sleep(0.02)
                    seconds[text] = time.monotonic() - returned
                    while waiting and asked(waiting) == before:
                        await asyncio.sleep(0.02)
                    seconds[waiting] = time.monotonic() - returned
                await server.client.get_workflow_handle(run).result()
                await until_healthy(port)
                waiting = f"Waits after {away} s."
                scripted.faults.append(hang(60))
                await start(waiting)
                async with asyncio.timeout(60):
                    while not (before := asked(waiting)):
                        await asyncio.sleep(0.02)
                await server.kill()
        finally:
            if worker.process.returncode is None:
                worker.send(signal.SIGTERM)
            ended = await worker.end()
    assert max(seconds.values()) < LIMIT, seconds
    assert ended.code == 0, ended.err
