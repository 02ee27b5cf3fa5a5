"""Start the services of a Compose file as processes of this machine, in the order in which Compose starts them.

Commands, environments, health checks and dependencies come from the file. Host names become loopback, ports become
free ports, and volumes become directories.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.end_to_end.compose.compose_config import is_one_shot
from tests.end_to_end.compose.container_host import ContainerHost

START_SECONDS = 45.0
"""The longest time until a service is healthy, or until a one-shot service ends."""

END_SECONDS = 20.0

ENTRYPOINT = ["watchkeeper"]
"""Entry point of our image; a test compares it with the Dockerfile."""


@dataclass
class StartedService:
    """A started service, and when its dependants could start."""

    process: asyncio.subprocess.Process
    log: Path
    started_at: float
    ready_at: float = 0.0

    def read_log(self) -> str:
        return self.log.read_text()


@dataclass
class Stack(ContainerHost):
    """The services of a Compose file, with their own directory."""

    started: dict[str, StartedService] = field(default_factory=dict)

    async def up(self) -> None:
        """Start all services in the order of their dependencies."""
        ready = {name: asyncio.Event() for name in self.services}

        async def start(name: str) -> None:
            for other in self.services[name].get("depends_on", {}):
                await ready[other].wait()
            await self._start(name)
            ready[name].set()

        async with asyncio.TaskGroup() as group:
            for name in self.services:
                group.create_task(start(name))

    async def down(self) -> dict[str, int]:
        """Stop all services with SIGTERM, dependencies last; return the exit codes."""
        for name in reversed(self.started):
            process = self.started[name].process
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                await asyncio.wait_for(process.wait(), END_SECONDS)
        return {name: started.process.returncode or 0 for name, started in self.started.items()}

    async def kill(self) -> None:
        """Kill all remaining processes."""
        for started in self.started.values():
            if started.process.returncode is None:
                os.killpg(started.process.pid, signal.SIGKILL)
                await started.process.wait()

    async def _start(self, name: str) -> None:
        service = self.services[name]
        command = [*(service["entrypoint"] or ENTRYPOINT), *(service["command"] or ())]
        program, *arguments = [self.localize(name, part) for part in command]
        log = self.directory / f"{name}.log"
        environment = self.environment(name)
        with log.open("w") as out:
            process = await asyncio.create_subprocess_exec(
                *(shutil.which(program, path=environment["PATH"]) or program, *arguments),
                cwd=self.workdir(name),
                env=environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        started = self.started[name] = StartedService(process, log, time.monotonic())
        async with asyncio.timeout(START_SECONDS):
            if is_one_shot(service):
                assert await process.wait() == 0, f"{name}: {started.read_log()}"
            else:
                await self._wait_until_healthy(name)
        started.ready_at = time.monotonic()

    async def _wait_until_healthy(self, name: str) -> None:
        while not await self.is_healthy(name):
            assert self.started[name].process.returncode is None, f"{name} ended: {self.started[name].read_log()}"
            await asyncio.sleep(0.3)

    async def is_healthy(self, name: str) -> bool:
        """Run the health check of a service."""
        kind, check = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        shell = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", self.localize(name, check)),
            cwd=self.workdir(name),
            env=self.environment(name),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await shell.wait() == 0


@asynccontextmanager
async def run_stack(
    config: Mapping[str, Any], directory: Path, external_services: Mapping[str, int] | None = None
) -> AsyncIterator[Stack]:
    """Start the services of a file; kill the remaining processes when the context ends."""
    stack = Stack(config, directory, external_services or {})
    try:
        await stack.up()
        yield stack
    finally:
        await stack.kill()
