"""The demo of `docker compose up`, run as processes on this machine."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.end_to_end.compose.compose_config import DEMO, config
from tests.end_to_end.compose.container_host import WORKDIR
from tests.end_to_end.compose.services import ENTRYPOINT, Stack, run_stack
from tests.support.paths import ROOT
from tests.support.program import Program

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with run_stack(config(DEMO), tmp_path_factory.mktemp("demo")) as stack:
        yield stack


@pytest.fixture
def program(stack: Stack, tmp_path: Path) -> Program:
    """The command-line program on the host."""
    return Program(tmp_path, {"TEMPORAL_ADDRESS": f"127.0.0.1:{stack.port(7233)}"})


async def wait_for_report(program: Program, run: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            shown: dict[str, Any] = json.loads((await program("show", run, "--json")).out)
            if shown["status"] != "running" or shown["report"]:
                return shown
            await asyncio.sleep(0.5)


def run_of(stack: Stack) -> str:
    output = stack.started["alert"].read_log()
    found = re.search(r"watch the investigation: http://[\w.]+:(\d+)/namespaces/default/workflows/(\S+)", output)
    assert found, output
    assert int(found[1]) == stack.port(8233)
    return found[2]


def test_each_service_starts_after_its_dependencies_are_healthy(stack: Stack) -> None:
    assert set(stack.started) == set(stack.services)
    for name, service in stack.services.items():
        for other in service.get("depends_on", {}):
            assert stack.started[other].ready_at <= stack.started[name].started_at, (name, other)


async def test_the_alert_starts_a_run_that_finds_the_cause(stack: Stack, program: Program) -> None:
    shown = await wait_for_report(program, run_of(stack))
    assert shown["report"], shown
    report = json.dumps(shown["report"])
    for found in ("18.2%", "v2.4.1", "NullPointerException"):
        assert found in report
    calls = {call["name"]: call["status"] for call in shown["tool_calls"]}
    assert calls == dict.fromkeys(("get_service_health", "get_deploys", "search_logs", "page_engineer"), "ok")


async def test_all_services_stay_healthy_and_answer_on_their_ports(stack: Stack, program: Program) -> None:
    for name, service in stack.services.items():
        if service["restart"] == "unless-stopped":
            assert await stack.is_healthy(name), name
    address = f"http://127.0.0.1:{stack.port(8080)}"
    question = f"from urllib.request import urlopen; print(urlopen('{address}/readyz').read().decode())"
    assert json.loads((await program.python("-c", question)).out) == {
        "temporal": True,
        "worker": True,
        "progress": True,
    }


async def test_all_services_stop_cleanly_and_start_again_with_their_data(stack: Stack, program: Program) -> None:
    before = run_of(stack)
    assert await stack.down() == dict.fromkeys(stack.services, 0)
    stack.started.clear()
    await stack.up()
    assert (await wait_for_report(program, before))["report"]
    assert await stack.is_healthy("worker")


def test_the_image_has_the_workdir_and_entry_point_of_the_services() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"\nWORKDIR {WORKDIR}\n" in dockerfile
    assert f"\nENTRYPOINT {json.dumps(ENTRYPOINT)}\n" in dockerfile
