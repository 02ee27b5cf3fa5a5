"""The health check of a worker's container: whether the worker in it polls, as Temporal sees it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from temporalio.client import Client

from tests.program import Ended, Program
from tests.stage import settings_for
from watchkeeper.ports import free_port
from watchkeeper.settings import Settings
from watchkeeper.temporal import DATA_CONVERTER, identity, machine
from worker import working


@pytest.fixture
def settings() -> Settings:
    return settings_for("http://127.0.0.1:9/v1")


@pytest.fixture
def program(client: Client, settings: Settings, tmp_path: Path) -> Program:
    return Program(
        tmp_path,
        {
            "TEMPORAL_ADDRESS": client.service_client.config.target_host,
            "WATCHKEEPER_WORKER__TASK_QUEUE": settings.worker.task_queue,
        },
    )


@asynccontextmanager
async def working_as(client: Client, settings: Settings, name: str) -> AsyncIterator[None]:
    """A worker that goes by a name."""
    address = client.service_client.config.target_host
    named = await Client.connect(address, data_converter=DATA_CONVERTER, identity=name)
    async with working(named, settings, tools={}):
        yield


def verdict(ended: Ended) -> tuple[int, str]:
    assert ended.err == ""
    mark, said = ended.out.split(maxsplit=1)
    return ended.code, f"{mark} {' '.join(said.split())}"


async def test_a_worker_that_polls_is_healthy(client: Client, settings: Settings, program: Program) -> None:
    async with working_as(client, settings, identity()):
        code, said = verdict(await program("check", "--worker"))
    assert (code, said) == (0, f"✓ worker polls the task queue '{settings.worker.task_queue}' from {machine()}")


async def test_where_no_worker_polls_yet_none_is_healthy(settings: Settings, program: Program) -> None:
    code, said = verdict(await program("check", "--worker"))
    assert (code, said) == (1, f"✗ worker none polls the task queue '{settings.worker.task_queue}' from {machine()}")


async def test_the_worker_of_another_container_does_not_count(
    client: Client, settings: Settings, program: Program
) -> None:
    async with working_as(client, settings, f"1@not-{machine()}"):
        code, said = verdict(await program("check", "--worker"))
    assert (code, said[0]) == (1, "✗")


async def test_without_temporal_no_worker_is_healthy(program: Program) -> None:
    address = f"127.0.0.1:{free_port()}"
    code, said = verdict(await program("check", "--worker", TEMPORAL_ADDRESS=address))
    assert (code, said[0]) == (1, "✗")
    assert address in said
