"""A worker imports ``openai`` once it polls, so that the import delays no start."""

from __future__ import annotations

from pathlib import Path

from temporalio.client import Client

from tests.support.cli_desk import address_of
from tests.support.program import Program

WORKER = """
import asyncio
import sys

from temporalio.client import Client

from watchkeeper.config.settings import Settings
from worker import run_worker

SETTINGS = {"model": {"base_url": "http://127.0.0.1:1/v1", "api_key": "none"}, "worker": {"task_queue": sys.argv[2]}}


async def main():
    client = await Client.connect(sys.argv[1])
    assert "openai" not in sys.modules
    async with run_worker(client, Settings.model_validate(SETTINGS), tools={}):
        print("openai" in sys.modules)
        while not hasattr(sys.modules.get("openai"), "AsyncOpenAI"):
            await asyncio.sleep(0.01)
        print("openai" in sys.modules)


asyncio.run(main())
"""


async def test_a_worker_imports_openai_after_it_polls(client: Client, tmp_path: Path) -> None:
    ended = await Program(tmp_path).python("-c", WORKER, address_of(client), "test-openai-import")
    assert (ended.code, ended.out.split()) == (0, ["False", "True"]), ended.err
