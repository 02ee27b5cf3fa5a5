"""Start what a Compose file describes as processes of this machine, as Compose would start its containers.

Each service's command, environment, health check and dependencies are those of the file; only the places differ: its
names of hosts become loopback, its ports free ones, its volumes directories.
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
from tests.end_to_end.compose.container_host import Surroundings

SECONDS = 45.0
"""For a service to be healthy, or to end where it is there to end."""

END_SECONDS = 20.0

ENTRYPOINT = ["watchkeeper"]
"""Of our image; a test compares it with its Dockerfile."""


@dataclass
class Started:
    """A service that was started, and when it was what its dependants waited for."""

    process: asyncio.subprocess.Process
    log: Path
    began: float
    ready: float = 0.0

    def said(self) -> str:
        return self.log.read_text()


@dataclass
class Stack(Surroundings):
    """The services of a file, in a directory of their own."""

    started: dict[str, Started] = field(default_factory=dict)

    async def up(self) -> None:
        """Start everything that waits for nothing, then what waited for it, and so on."""
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
        """End everything by SIGTERM, what others wait for last; tell how each ended."""
        for name in reversed(self.started):
            process = self.started[name].process
            if process.returncode is None:
                process.send_signal(signal.SIGTERM)
                await asyncio.wait_for(process.wait(), END_SECONDS)
        return {name: started.process.returncode or 0 for name, started in self.started.items()}

    async def kill(self) -> None:
        """Leave nothing behind."""
        for started in self.started.values():
            if started.process.returncode is None:
                os.killpg(started.process.pid, signal.SIGKILL)
                await started.process.wait()

    async def _start(self, name: str) -> None:
        service = self.services[name]
        command = [*(service["entrypoint"] or ENTRYPOINT), *(service["command"] or ())]
        program, *arguments = [self.here(name, part) for part in command]
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
        started = self.started[name] = Started(process, log, time.monotonic())
        async with asyncio.timeout(SECONDS):
            if is_one_shot(service):
                assert await process.wait() == 0, f"{name}: {started.said()}"
            else:
                await self._healthy(name)
        started.ready = time.monotonic()

    async def _healthy(self, name: str) -> None:
        while not await self.is_healthy(name):
            assert self.started[name].process.returncode is None, f"{name} ended: {self.started[name].said()}"
            await asyncio.sleep(0.3)

    async def is_healthy(self, name: str) -> bool:
        """What a service's own health check says."""
        kind, check = self.services[name]["healthcheck"]["test"]
        assert kind == "CMD-SHELL"
        shell = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-c", self.here(name, check)),
            cwd=self.workdir(name),
            env=self.environment(name),
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        return await shell.wait() == 0


@asynccontextmanager
async def standing(
    config: Mapping[str, Any], directory: Path, elsewhere: Mapping[str, int] | None = None
) -> AsyncIterator[Stack]:
    """Start a file's services; what is left of them at the end is killed."""
    stack = Stack(config, directory, elsewhere or {})
    try:
        await stack.up()
        yield stack
    finally:
        await stack.kill()
