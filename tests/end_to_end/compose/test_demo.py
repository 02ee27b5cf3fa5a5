"""The demo that `docker compose up` starts, started for real: what its files say, as processes, in its order."""

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
from tests.end_to_end.compose.services import ENTRYPOINT, Stack, standing
from tests.support.paths import ROOT
from tests.support.program import Program

pytestmark = pytest.mark.timeout(180)


@pytest.fixture(scope="module")
async def stack(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stack]:
    async with standing(config(DEMO), tmp_path_factory.mktemp("demo")) as stack:
        yield stack


@pytest.fixture
def program(stack: Stack, tmp_path: Path) -> Program:
    """The program on the host, beside the containers."""
    return Program(tmp_path, {"TEMPORAL_ADDRESS": f"127.0.0.1:{stack.port(7233)}"})


async def concluded(program: Program, run: str) -> dict[str, Any]:
    async with asyncio.timeout(60):
        while True:
            shown: dict[str, Any] = json.loads((await program("show", run, "--json")).out)
            if shown["status"] != "running" or shown["report"]:
                return shown
            await asyncio.sleep(0.5)


def run_of(stack: Stack) -> str:
    said = stack.started["alert"].said()
    found = re.search(r"watch the investigation: http://[\w.]+:(\d+)/namespaces/default/workflows/(\S+)", said)
    assert found, said
    assert int(found[1]) == stack.port(8233)
    return found[2]


def test_each_service_starts_when_what_it_needs_is_healthy(stack: Stack) -> None:
    assert set(stack.started) == set(stack.services)
    for name, service in stack.services.items():
        for other in service.get("depends_on", {}):
            assert stack.started[other].ready <= stack.started[name].began, (name, other)


async def test_the_alert_starts_a_run_that_finds_what_is_wrong(stack: Stack, program: Program) -> None:
    shown = await concluded(program, run_of(stack))
    assert shown["report"], shown
    told = json.dumps(shown["report"])
    for found in ("18.2%", "v2.4.1", "NullPointerException"):
        assert found in told
    calls = {call["name"]: call["status"] for call in shown["tool_calls"]}
    assert calls == dict.fromkeys(("get_service_health", "get_deploys", "search_logs", "page_engineer"), "ok")


async def test_everything_stays_healthy_and_answers_where_it_says(stack: Stack, program: Program) -> None:
    for name, service in stack.services.items():
        if service["restart"] == "unless-stopped":
            assert await stack.is_healthy(name), name
    address = f"http://127.0.0.1:{stack.port(8080)}"
    question = f"from urllib.request import urlopen; print(urlopen('{address}/readyz').read().decode())"
    assert json.loads((await program.python("-c", question)).out) == {"temporal": True, "worker": True}


async def test_all_end_cleanly_and_start_again_with_what_they_kept(stack: Stack, program: Program) -> None:
    before = run_of(stack)
    assert await stack.down() == dict.fromkeys(stack.services, 0)
    stack.started.clear()
    await stack.up()
    assert (await concluded(program, before))["report"]
    assert await stack.is_healthy("worker")


def test_the_image_is_what_the_services_count_on() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text()
    assert f"\nWORKDIR {WORKDIR}\n" in dockerfile
    assert f"\nENTRYPOINT {json.dumps(ENTRYPOINT)}\n" in dockerfile
