"""The command-line program in its own directory, and a worker on a real server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client

from tests.support.harness import Harness, run_harness
from tests.support.program import Program
from watchkeeper.testing.scripts import Script, ScriptedReply
from watchkeeper.tool import Tool


@dataclass(frozen=True)
class Desk:
    """The program, and the worker of the test."""

    harness: Harness
    program: Program

    async def started(self, *arguments: str) -> str:
        """Start a run without waiting for it; return its name."""
        ended = await self.program("run", "Checkout fails.", "--no-wait", *arguments)
        assert ended.code == 0, ended.err
        return ended.out.strip()

    async def shown(self, run: str) -> Any:
        """Return a run as ``show --json`` prints it."""
        ended = await self.program("show", run, "--json")
        assert ended.code == 0, ended.err
        return json.loads(ended.out)

    async def until(self, run: str, status: str) -> None:
        """Wait until a call of the run has a status."""
        while status not in [call["status"] for call in (await self.shown(run))["tool_calls"]]:
            await asyncio.sleep(0.1)


def address_of(client: Client) -> str:
    return client.service_client.config.target_host


@asynccontextmanager
async def at_desk(
    client: Client,
    program: Program,
    script: Script | Sequence[ScriptedReply],
    tools: Mapping[str, Tool[Any]] | None = None,
    **settings: Any,
) -> AsyncIterator[Desk]:
    async with run_harness(client, script, tools=tools, **settings) as harness:
        write_config(program, harness.settings.worker.task_queue)
        yield Desk(harness, program)


def write_config(program: Program, queue: str) -> None:
    services = "[services.checkout]\nteam = 'checkout'\n[services.payments]\nteam = 'payments'\n"
    (program.directory / "watchkeeper.toml").write_text(f"[worker]\ntask_queue = '{queue}'\n{services}")
