"""The intake as a separate process, and as part of ``dev``."""

from __future__ import annotations

import asyncio
import re
import signal
import socket

import pytest
from httpx2 import AsyncClient
from temporalio.client import Client

from tests.support.alert_requests import payload
from tests.support.intake_harness import SENDER, TOKEN, bearer
from tests.support.program import Program, Running
from tests.support.raw_http import connection, head, request
from tests.unit.cli.test_processes import developing, port_of, ports, program
from watchkeeper.runs.client import find_run
from watchkeeper.temporal.ports import free_port, is_free

__all__ = ["program"]

pytestmark = pytest.mark.timeout(180)

FIRING = payload("alertmanager-firing")
SETTINGS = f"""
[worker]
task_queue = "intake-process"
[sources.prom]
kind = "alertmanager"
tokens = ["{SENDER}"]
"""


def address(output: str) -> str:
    found = re.search(r"listening at (http://\S+)", output)
    assert found, output
    return found[1]


async def running_intake(program: Program, *arguments: str, **environment: str) -> tuple[Running, str]:
    process = await program.begin("intake", "--port", "0", *arguments, **environment)
    return process, address(await process.says("listening at"))


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGINT])
async def test_it_accepts_alerts_and_ends_on_a_signal(client: Client, program: Program, signum: signal.Signals) -> None:
    (program.directory / "watchkeeper.toml").write_text(SETTINGS)
    process, url = await running_intake(program, TEMPORAL_ADDRESS=client.service_client.config.target_host)
    async with AsyncClient(base_url=url, timeout=10) as http:
        accepted = await http.post("/alerts/prom?token=in-the-address", content=FIRING, headers=bearer(SENDER))
        refused = await http.post("/alerts/prom", content=FIRING, headers=bearer("guessed"))
        page = await http.get("/docs")
        process.send(signum)
        ended = await process.end()
    assert (accepted.status_code, refused.status_code, page.status_code) == (200, 401, 200), accepted.text
    run = await find_run(client, accepted.json()["runs"][0]["run"])
    assert run.run_id == accepted.json()["runs"][0]["run_id"]
    await client.get_workflow_handle(run.workflow_id).terminate()
    assert ended.code == 0
    assert all(text in ended.err for text in ("started from 'prom'", "refused a request of the source 'prom'", "ended"))
    assert not any(secret in ended.err for secret in (SENDER, "in-the-address", "guessed", "Traceback"))


async def test_it_answers_running_requests_before_it_ends(client: Client, program: Program) -> None:
    (program.directory / "watchkeeper.toml").write_text(SETTINGS)
    process, url = await running_intake(program, TEMPORAL_ADDRESS=client.service_client.config.target_host)
    async with AsyncClient(base_url=url) as http, connection(http) as (reader, writer):
        await http.get("/healthz")
        length = f"Content-Length: {len(FIRING)}"
        writer.write(request("/alerts/prom", length, f"Authorization: Bearer {SENDER}", body=FIRING[:-1]))
        await writer.drain()
        await asyncio.sleep(0.2)
        process.send(signal.SIGTERM)
        await asyncio.sleep(0.3)
        writer.write(FIRING[-1:])
        answer = await head(reader)
        ended = await process.end()
    assert answer.startswith("HTTP/1.1 200")
    assert ended.code == 0


async def test_it_starts_without_temporal_and_says_so(program: Program) -> None:
    process, url = await running_intake(program, TEMPORAL_ADDRESS=f"127.0.0.1:{free_port()}")
    async with AsyncClient(base_url=url, timeout=10) as http:
        await process.says("no [sources.NAME] is configured", "no Temporal server answers at ")
        alive, ready = await http.get("/healthz"), await http.get("/readyz")
    process.send(signal.SIGTERM)
    ended = await process.end()
    assert (alive.status_code, ready.status_code) == (200, 503)
    assert (ended.code, "Traceback" in ended.err) == (0, False)


async def test_it_refuses_to_listen_on_all_addresses_without_tokens(client: Client, program: Program) -> None:
    refused = await program("intake", "--host", "0.0.0.0", "--port", "0")
    assert refused.code == 1
    assert "WATCHKEEPER_INTAKE__TOKENS__NAME" in refused.sentence()
    here = {"TEMPORAL_ADDRESS": client.service_client.config.target_host, "WATCHKEEPER_INTAKE__TOKENS__ADA": TOKEN}
    process, url = await running_intake(program, "--host", "0.0.0.0", **here)
    async with AsyncClient(base_url=url.replace("0.0.0.0", "127.0.0.1"), timeout=10) as http:
        answers = [(await http.get("/runs", headers=headers)).status_code for headers in ({}, bearer(TOKEN))]
    process.send(signal.SIGTERM)
    await process.end()
    assert answers == [401, 200]


async def test_an_address_where_it_cannot_listen_is_named(program: Program) -> None:
    with socket.create_server(("127.0.0.1", 0)) as occupied:
        port = str(occupied.getsockname()[1])
        in_use = await program("intake", "--port", port)
    nowhere = await program("intake", "--host", "192.0.2.1", WATCHKEEPER_INTAKE__TOKENS__ADA=TOKEN)
    assert (in_use.code, nowhere.code) == (1, 1)
    assert f"cannot listen on 127.0.0.1 port {port}" in in_use.sentence()
    assert "cannot listen on 192.0.2.1 port 8080" in nowhere.sentence()


async def test_dev_accepts_alerts_too(program: Program) -> None:
    (program.directory / "watchkeeper.toml").write_text(SETTINGS)
    chosen = free_port()
    async with developing(program, *ports(), "--intake-port", str(chosen)) as (dev, output):
        assert port_of(output, "Alerts and API") == chosen
        async with AsyncClient(base_url=f"http://127.0.0.1:{chosen}", timeout=10) as http:
            accepted = await http.post("/alerts/prom", content=FIRING, headers=bearer(SENDER))
            run = accepted.json()["runs"][0]["run"]
            ready = await http.get("/readyz")
            shown = await http.get(f"/runs/{run}")
            strange = await http.get(f"/runs/{run}", headers={"host": "evil.example"})
        dev.send(signal.SIGINT)
        ended = await dev.end()
    assert (accepted.status_code, ready.status_code, shown.status_code, strange.status_code) == (200, 200, 200, 403)
    assert ended.code == 0
    assert "Traceback" not in ended.err
    assert is_free(chosen)


async def test_dev_takes_a_free_port_where_the_usual_one_is_taken(program: Program) -> None:
    occupied = socket.create_server(("127.0.0.1", 0))
    usual = occupied.getsockname()[1]
    async with developing(program, *ports(), WATCHKEEPER_INTAKE__PORT=str(usual)) as (_, output):
        assert port_of(output, "Alerts and API") != usual
    named = await program("dev", *ports(), "--intake-port", str(usual), WATCHKEEPER_MODEL__API_KEY="key")
    occupied.close()
    assert (named.code, f"cannot listen on 127.0.0.1 port {usual}" in named.sentence()) == (1, True)
