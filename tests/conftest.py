"""A real Temporal server for the session; everything else a test starts itself."""

from __future__ import annotations

import asyncio
import gc
import os
import re
import signal
from collections.abc import AsyncIterator, Callable, Coroutine
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from tests.support.paths import HISTORIES
from tests.support.temporal import temporal_client
from watchkeeper.demo.world import World

Record = Callable[[WorkflowHandle[Any, Any], str], Coroutine[Any, Any, None]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record-histories", action="store_true", help="record the histories that replay tests read")
    parser.addoption("--record-contracts", action="store_true", help="record the schema of the contracts as it is now")


def pytest_configure(config: pytest.Config) -> None:
    # A shell's background job ignores SIGINT, and so would every program that a test starts and interrupts.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Without the variable, an HTTP client loads no file of CA certificates. That takes 20 ms, and no test needs them.
    os.environ.pop("SSL_CERT_FILE", None)


def pytest_collection_finish() -> None:
    # The collected tests live until the end. Frozen, they do not lengthen each garbage collection, in which a workflow
    # task can exceed the SDK's limit of two seconds.
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session")
async def client() -> AsyncIterator[Client]:
    async with temporal_client() as client:
        yield client


@pytest.fixture
async def world() -> AsyncIterator[World]:
    """Simulated back ends: Prometheus, Loki, GitHub, Argo CD, PagerDuty and Slack."""
    async with World.running() as world:
        yield world


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Record:
    """Write the history of each execution of a run to ``histories/NAME.json``, when asked to by the option."""

    async def write(handle: WorkflowHandle[Any, Any], name: str) -> None:
        if not request.config.getoption("--record-histories"):
            return
        HISTORIES.mkdir(exist_ok=True)
        history = await handle.fetch_history()
        recorded = re.sub(r'"stackTrace": "(?:[^"\\]|\\.)*"', '"stackTrace": ""', history.to_json())
        await asyncio.to_thread((HISTORIES / f"{name}.json").write_text, recorded + "\n")

    return write
